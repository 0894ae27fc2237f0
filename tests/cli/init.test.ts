// deadline: 240 s
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { createProgram } from "../../host-sim/cli/main.ts";
import { LabError } from "../../host-sim/errors.ts";
import { parseManifest } from "../../host-sim/imagepackage/manifest.ts";
import { projectFiles, projectValues } from "../../host-sim/lab/new-project.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { finished, type Result, spherule, startProcess } from "./support.ts";

const test = suite("spherule init");
const work = mkdtempSync(join(realpathSync(tmpdir()), "spherule-init-"));
test.after(() => rmSync(work, { recursive: true, force: true }));

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const read = (...path: string[]) => readFileSync(join(...path), "utf8");
const manifestOf = (folder: string) => parseManifest(read(folder, "app_manifest.json"));

/** Makes a project below the work folder; `npm install` is not done. */
async function init(name: string, ...options: string[]): Promise<string> {
  const { code, stderr } = await spherule(work, "init", name, ...options);
  assert.is(code, 0, stderr);
  return join(work, name);
}

/** Runs a program in a folder as a user would, without what the test runner set. */
function run(folder: string, program: string, ...args: string[]): Promise<Result> {
  const { SPHERULE_API: _api, NODE_EXTRA_CA_CERTS: _ca, ...env } = process.env;
  const path = [dirname(process.execPath), env.PATH].join(delimiter);
  return finished(
    spawn(program, args, { cwd: folder, env: { ...env, PATH: path, NODE_OPTIONS: "" } }),
  );
}

/** Scripts are left out: `prepare` would build anew what other tests run at the moment. */
async function install(folder: string): Promise<void> {
  const quick = ["--offline", "--no-audit", "--no-fund", "--ignore-scripts"];
  const { code, stderr } = await run(folder, "npm", "install", ...quick);
  assert.is(code, 0, stderr);
}

/** Replaces text in a source of the project, which has to be there. */
function edit(folder: string, file: string, from: string, to: string): void {
  const before = read(folder, file);
  assert.ok(before.includes(from), `${file} has no ${from}`);
  writeFileSync(join(folder, file), before.replace(from, to));
}

const MAIN = "assembly/app/main.ts";

test("a new project installs, passes its own tests, packs, and editors understand it", async () => {
  const folder = await init("my-app");
  await install(folder);
  const tests = await run(folder, "npm", "test");
  assert.is(tests.code, 0, tests.stdout + tests.stderr);
  assert.match(tests.stdout, /pass 4$/m);
  assert.match(tests.stdout, /fail 0$/m);
  const packed = await run(folder, "npm", "run", "package");
  assert.is(packed.code, 0, packed.stderr);
  assert.ok(existsSync(join(folder, "build/my-app.imagepackage")));

  const compiler = join(packageFolder(), "node_modules/typescript/bin/tsc");
  const types = await run(folder, process.execPath, compiler, "-p", "assembly/tsconfig.json");
  assert.is(types.code, 0, types.stdout);
  const { "json.schemas": schemas } = JSON.parse(read(folder, ".vscode/settings.json"));
  assert.is(JSON.parse(read(folder, schemas[0].url)).title, "Azure Sphere application manifest");
});

test("its tests fail when the app is wrong", async () => {
  const folder = await init("wrong-app");
  await install(folder);
  edit(folder, MAIN, "return 200", "return 500");
  const { code, stdout } = await run(folder, "npm", "test");
  assert.is(code, 1);
  assert.match(stdout, /fail 1$/m);
});

test("ids are fresh, and the manifest has the name and the tenant that were asked for", async () => {
  const tenant = "0123ABCD-89ab-4cde-8f01-23456789abcd";
  const options = ["--name", "Kitchen No. 2", "--tenant", tenant, "--output", "json"];
  const { stdout, stderr } = await spherule(work, "init", "kitchen", ...options);
  const made = JSON.parse(stdout || stderr);
  const folder = join(work, "kitchen");
  const manifest = manifestOf(folder);
  assert.is(manifest.Name, "Kitchen No. 2");
  assert.is(manifest.Capabilities.DeviceAuthentication, tenant.toLowerCase());
  assert.equal(manifest.CmdArgs, ["--Hostname", "kitchen-no-2-hub.azure-devices.net"]);
  assert.equal(manifest.Capabilities.AllowedConnections, [made.hub]);
  assert.is(made.componentId, manifest.ComponentId);
  assert.equal([...made.files].sort(), filesBelow(folder));
  assert.is(JSON.parse(read(folder, "package.json")).name, "kitchen-no-2");

  const other = manifestOf(await init("other"));
  assert.match(other.ComponentId, GUID);
  assert.is.not(other.ComponentId, manifest.ComponentId);
  assert.match(String(other.Capabilities.DeviceAuthentication), GUID);
});

test("no placeholder is left in any file", () => {
  const values = projectValues({ folder: "/tmp/a", name: "a" });
  for (const [path, text] of projectFiles(values, "/tmp/a")) {
    assert.not.match(text, /__[A-Z_]+__/, path);
  }
});

test("an app that stops inside the SDK is told with its own line; a saved change runs at once", async () => {
  const folder = await init("trap");
  edit(folder, MAIN, "(LED_STATUS,", "(5,");
  const lab = await startProcess(folder);
  await lab.shows(/exit code 65: abort: GPIO 5 .* at assembly\/app\/main\.ts:8:\d+$/m);
  await lab.shows(/\(node_modules\/spherule\/assembly\/sphere\/gpio\.ts:\d+:\d+\)/);
  edit(folder, MAIN, "(5,", "(LED_STATUS,");
  await lab.shows(/telemetry +\{"uptimeSeconds"/);
  await lab.stop();
});

test("mistakes in the app and in its imports are told with places that can be opened", async () => {
  const folder = await init("mistakes");
  edit(folder, MAIN, "(LED_STATUS,", '("8",');
  const type = await spherule(folder, "build");
  assert.match(type.stderr, "error app-does-not-compile");
  assert.match(type.stderr, "assembly/app/main.ts(8,");
  edit(folder, MAIN, "assembly/sphere", "assembly/spere");
  const missing = await spherule(folder, "build");
  assert.match(missing.stderr, "File 'node_modules/spherule/assembly/spere.ts' not found");
});

/** The package as npm installs it from elsewhere: a copy, not a link. */
function installCopy(folder: string): string {
  const copy = join(folder, "node_modules/spherule");
  for (const name of ["package.json", "bin", "dist", "assembly", "hardware-definitions"]) {
    cpSync(join(packageFolder(), name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(packageFolder(), "node_modules"), join(copy, "node_modules"));
  return copy;
}

test("an installed copy serves as well; changes of the app and of the SDK are compiled", async () => {
  const folder = await init("copied");
  const copy = installCopy(folder);
  const build = async () => {
    const program = join(copy, "bin/spherule.mjs");
    const args = [program, "build", "--debug", "--output", "json"];
    const { code, stdout, stderr } = await run(folder, process.execPath, ...args);
    assert.is(code, 0, stderr);
    return JSON.parse(stdout).milliseconds > 0;
  };
  assert.is(await build(), true);
  assert.is(await build(), false);
  edit(folder, MAIN, '"LED on"', '"LED shines"');
  assert.is(await build(), true);
  const text = `export const ADDED: string = "from the copy";\n`;
  writeFileSync(join(copy, "assembly/sphere/added.ts"), text);
  edit(folder, MAIN, "iothub.connect", "log.info(ADDED);\niothub.connect");
  edit(
    folder,
    MAIN,
    "import {",
    'import { ADDED } from "spherule/assembly/sphere/added";\nimport {',
  );
  assert.is(await build(), true);
  writeFileSync(join(copy, "assembly/sphere/added.ts"), text.replace("the copy", "an edit"));
  assert.is(await build(), true);
  const wasm = readFileSync(join(folder, "build/app/debug/app.wasm"));
  assert.ok(wasm.includes(Buffer.from("from an edit", "utf16le")));
});

test("nothing is overwritten: a folder with a file, a file in the way, a path below a file", async () => {
  const taken = join(work, "taken");
  mkdirSync(taken);
  writeFileSync(join(taken, "notes.txt"), "mine");
  for (const [target, code] of [
    ["taken", "folder-not-empty"],
    ["taken/notes.txt", "folder-unusable"],
    ["taken/notes.txt/deeper", "folder-unusable"],
  ] as const) {
    const result = await spherule(work, "init", target, "--name", "app");
    assert.is(result.code, 1);
    assert.match(result.stderr, `error ${code}: `);
  }
  assert.equal(readdirSync(taken), ["notes.txt"]);
  assert.is(read(taken, "notes.txt"), "mine");
});

test("an empty folder is taken, also the current one", async () => {
  const folder = join(work, "empty");
  mkdirSync(folder);
  const { code, stdout, stderr } = await spherule(folder, "init", ".");
  assert.is(code, 0, stderr);
  assert.is(manifestOf(folder).Name, "empty");
  assert.not.match(stdout, "cd ");
});

for (const [what, code, args] of [
  ["a name with a quote", "name-invalid", ["--name", 'a"b']],
  ["a name of 32 bytes", "name-invalid", ["--name", "a".repeat(32)]],
  ["an empty name", "name-invalid", ["--name", ""]],
  ["a tenant that is no GUID", "guid-invalid", ["--tenant", "contoso"]],
] as const) {
  test(`${what} is refused, and no folder is made: ${code}`, async () => {
    const result = await spherule(work, "init", "refused", ...args);
    assert.is(result.code, 1);
    assert.match(result.stderr, `error ${code}: `);
    assert.not(existsSync(join(work, "refused")));
  });
}

test("every name is refused or gives names that manifest, hub and npm take", () => {
  const good = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,29}[A-Za-z0-9]$/);
  const named = (name: string) => projectValues({ folder: "/tmp/a", name });
  fc.assert(
    fc.property(good, (name) => {
      const files = projectFiles(named(name), "/tmp/a");
      assert.is(parseManifest(files.get("app_manifest.json") ?? "").Name, name);
      assert.match(named(name).hub, /^[a-z0-9][a-z0-9-]{1,48}[a-z0-9]\.azure-devices\.net$/);
      const { name: packageName } = JSON.parse(files.get("package.json") ?? "");
      assert.match(packageName, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.is.not(packageName, "spherule");
    }),
    { examples: [["Spherule"]] },
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (name) => {
      try {
        assert.ok(Buffer.byteLength(named(name).name) <= 31);
      } catch (error) {
        if (!(error instanceof LabError)) throw error;
        assert.is(error.code, "name-invalid");
      }
    }),
  );
});

test("package.json names what was asked for, or the folder of a package in no registry", () => {
  const asked = projectValues({ folder: "/a/b", name: "b", spherule: 'github:a/"b"' });
  const text = projectFiles(asked, "/a/b").get("package.json") ?? "";
  assert.is(JSON.parse(text).devDependencies.spherule, 'github:a/"b"');
  const { spherule: found } = projectValues({ folder: join(packageFolder(), "../b/c"), name: "c" });
  assert.match(found, /^file:\.\.\/\.\.\//);
});

interface Workflow {
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly needs?: string;
        readonly if?: string;
        readonly steps: readonly {
          readonly id?: string;
          readonly run?: string;
          readonly env?: Record<string, string>;
        }[];
      }
    >
  >;
}

const templates = join(packageFolder(), "templates/project");
const workflow = parse(read(templates, ".github/workflows/spherule.yml")) as Workflow;

test("the workflow deploys only when all secrets are there", async () => {
  const { build, deploy } = workflow.jobs;
  assert.is(deploy?.needs, "build");
  assert.match(deploy?.if ?? "", /^needs\.build\.outputs\.deploy == 'true' && /);
  const step = build?.steps.find(({ id }) => id === "secrets");
  const names = Object.keys(step?.env ?? {});
  assert.is(names.length, 3);
  for (const missing of [undefined, ...names]) {
    const output = join(work, `output-${missing}`);
    writeFileSync(output, "");
    const given = names.map((name) => `${name}=${name === missing ? "" : "x"}`);
    const args = [...given, `GITHUB_OUTPUT=${output}`, "bash", "-e", "-c", step?.run ?? ""];
    const { code, stderr } = await run(work, "env", ...args);
    assert.is(code, 0, stderr);
    assert.is(read(output), missing === undefined ? "there=true\n" : "");
  }
});

for (const [what, folder, workflowFile] of [
  ["a new project", templates, ".github/workflows/spherule.yml"],
  ["Spherule", packageFolder(), ".github/workflows/ci.yml"],
] as const) {
  test(`workflow and README of ${what} name only scripts and commands that exist`, () => {
    const { scripts } = JSON.parse(read(folder, "package.json"));
    const commands = createProgram().commands.map((command) => command.name());
    const { jobs } = parse(read(folder, workflowFile)) as Workflow;
    const steps = Object.values(jobs).flatMap((job) => job.steps.map(({ run }) => run ?? ""));
    const blocks = read(folder, "README.md").matchAll(/^ {4}.+$|`[^`]+`/gm);
    const text = [...steps, ...blocks].join("\n");
    const named = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name ?? "");
    const used = named(/\bnpx spherule ([a-z][a-z-]*)/g);
    assert.ok(used.length > 1);
    for (const command of used) assert.ok(commands.includes(command), command);
    const run = named(/\bnpm (?:run )?(?!install\b|ci\b|run\b)([a-z]+)/g);
    assert.ok(run.length > 2);
    for (const script of run) assert.ok(script in scripts, script);
  });
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .sort();
}

test.run();
