// deadline: 300 s
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Command } from "commander";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { allEntries } from "../../host-sim/cli/azsphere/entries/index.ts";
import { entriesOf, findEntry } from "../../host-sim/cli/azsphere/grammar.ts";
import { optionsOf, parseOptions } from "../../host-sim/cli/azsphere/options.ts";
import { splitWords } from "../../host-sim/cli/azsphere/words.ts";
import { createProgram } from "../../host-sim/cli/main.ts";
import { buildNative } from "../../host-sim/lab/native-build.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { finished, type Result, spherule } from "./support.ts";

const test = suite("the workflow of a new project, with its road to real devices");
const work = mkdtempSync(join(tmpdir(), "spherule-workflow-"));
test.after(() => rmSync(work, { recursive: true, force: true }));

interface Step {
  readonly name?: string;
  readonly id?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}
interface Job {
  readonly env?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

const file = join(packageFolder(), "templates/project/.github/workflows/spherule.yml");
const { jobs } = parse(readFileSync(file, "utf8")) as { jobs: Readonly<Record<string, Job>> };
const runs = Object.values(jobs).flatMap(({ env, steps }) =>
  steps.flatMap((step) => (step.run === undefined ? [] : [{ ...step, run: step.run, job: env }])),
);

/** Command lines of a step, without what the shell puts around them. */
const linesOf = (run: string) =>
  [...run.matchAll(/\b(npx spherule|az) [^\n)]*/g)].map(([line]) => line.trim());

test("each step is correct shell, and uses only variables that it is given", () => {
  assert.ok(runs.length > 6);
  for (const { run, env, job } of runs) {
    const { status, stderr } = spawnSync("bash", ["-n", "-c", run], { encoding: "utf8" });
    assert.equal([status, stderr], [0, ""], run);
    const own = [...run.matchAll(/^\s*(\w+)=/gm)].map(([, name]) => name);
    const known = ["GITHUB_OUTPUT", ...Object.keys({ ...job, ...env }), ...own];
    for (const [, name = ""] of run.matchAll(/\$(\w+)/g)) assert.ok(known.includes(name), name);
  }
});

test("actions are named with their versions", () => {
  const used = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ uses }) => uses ?? []));
  assert.ok(used.length > 4);
  for (const action of used) assert.match(action, /^[\w-]+\/[\w-]+@v\d+$/);
});

/** The command that the words lead to. */
function commandOf(words: readonly string[]): { command: Command; rest: readonly string[] } {
  let command: Command = createProgram();
  for (const [index, word] of words.entries()) {
    const next = command.commands.find((each) => each.name() === word);
    if (!next) return { command, rest: words.slice(index) };
    command = next;
  }
  return { command, rest: [] };
}

test("the lab's commands exist with their options", () => {
  const lines = runs.flatMap(({ run }) => linesOf(run)).filter((line) => line.startsWith("npx"));
  assert.ok(lines.length >= 2);
  for (const line of lines) {
    const { command, rest } = commandOf(splitWords(line).slice(2));
    assert.ok(command.parent, line);
    const known = command.options.map(({ long }) => long);
    for (const word of rest.filter((each) => each.startsWith("--"))) {
      assert.ok(known.includes(word), `${line}: ${word}`);
    }
  }
});

test("the commands for the real service are those of its command line", () => {
  const lines = runs.flatMap(({ run }) => linesOf(run)).filter((line) => line.startsWith("az "));
  const [extension, ...sphere] = lines;
  assert.is(extension, "az extension add --name azure-sphere --upgrade");
  assert.is(sphere.length, 2);
  for (const line of sphere) {
    const entries = entriesOf(allEntries, "az");
    const { entry, rest } = findEntry(entries, "az sphere", splitWords(line).slice(2));
    assert.ok(entry, line);
    if (entry) parseOptions(optionsOf(entry, "az"), rest);
  }
});

const quick = ["--offline", "--no-audit", "--no-fund", "--ignore-scripts"];

async function newProject(name: string): Promise<string> {
  const made = await spherule(work, "init", name);
  assert.is(made.code, 0, made.stderr);
  const folder = join(work, name);
  const installed = await run(folder, {}, "npm", "install", ...quick);
  assert.is(installed.code, 0, installed.stderr);
  return folder;
}

function run(
  folder: string,
  more: Readonly<Record<string, string>>,
  program: string,
  ...args: string[]
): Promise<Result> {
  const { SPHERULE_API: _api, ...env } = process.env;
  const { PATH: path = "", ...rest } = more;
  const PATH = [path, env.PATH].filter((part) => part !== "").join(delimiter);
  return finished(
    spawn(program, args, { cwd: folder, env: { ...env, ...rest, NODE_OPTIONS: "", PATH } }),
  );
}

test("typed against the lab, the deploy job brings the app to the device group", async () => {
  const folder = await newProject("deployed");
  const output = join(work, "output");
  const { steps, env = {} } = jobs.deploy as Job;
  const given: Record<string, string> = {
    RESOURCE_GROUP: "lab",
    CATALOG: "lab",
    PRODUCT: "Fridge",
    DEVICE_GROUP: "Field Test",
  };
  assert.equal(Object.keys(env).sort(), Object.keys(given).sort());
  const of = (part: string) => steps.find(({ run = "" }) => run.includes(part))?.run ?? "";
  // Only Microsoft's SDK signs for real devices; the lab's packages do for the lab.
  const pack = of("spherule package").replace(" --sdk", "");
  const script = [
    ...["set -eu", `export GITHUB_OUTPUT='${output}'; : > "$GITHUB_OUTPUT"`],
    'export PATH="$(npx spherule azsphere --shim-folder):$PATH"',
    'az sphere product create --resource-group lab --catalog lab --name "$PRODUCT" --output none',
    pack,
    `FILE="$(sed -n 's/^file=//p' "$GITHUB_OUTPUT")"`,
    `IMAGE="$(sed -n 's/^image=//p' "$GITHUB_OUTPUT")"`,
    of("az sphere image add"),
    of("az sphere deployment create"),
    'az sphere deployment list -g lab -c lab -p "$PRODUCT" -dg "$DEVICE_GROUP" ' +
      '--query "[].properties.deployedImages[].properties.[imageName, imageId]" --output json > list',
  ].join("\n");
  const settings = { SPHERULE_SETTINGS: join(work, "settings.json") };
  const inside = ["spherule", "exec", "--in-memory", "--", "bash", "-c", script];
  const result = await run(folder, { ...given, ...settings }, "npx", ...inside);
  assert.is(result.code, 0, result.stdout + result.stderr);
  const image = /^image=(.+)$/m.exec(readFileSync(output, "utf8"))?.[1];
  assert.equal(JSON.parse(readFileSync(join(folder, "list"), "utf8")), [["deployed", image]]);
});

/**
 * What the project asks of Microsoft's SDK, in a few lines: a toolchain file with its two commands.
 * It builds for this computer and packs with our packer.
 */
async function fakeSdk(): Promise<string> {
  const sdk = join(work, "sdk");
  const bin = join(sdk, "bin");
  mkdirSync(join(sdk, "CMakeFiles"), { recursive: true });
  mkdirSync(join(sdk, "api/usr"), { recursive: true });
  mkdirSync(bin);
  const unused = join(packageFolder(), "app_manifest.json");
  const { libraries } = await buildNative({
    preset: "linux-release",
    folder: join(packageFolder(), "build/native/test-sdk-libraries"),
    wasmFile: unused,
    manifestFile: unused,
    target: "os_libraries",
  });
  const include = join(packageFolder(), "native/virtual-os/include");
  const node = `"${process.execPath}" "${join(packageFolder(), "bin/spherule.mjs")}"`;
  writeFileSync(join(bin, "azsphere"), "#!/bin/sh\nexit 0\n");
  chmodSync(join(bin, "azsphere"), 0o755);
  writeFileSync(
    join(sdk, "CMakeFiles/AzureSphereToolchain.cmake"),
    `set(AZURE_SPHERE_API_SET_DIR "${sdk}/api")
set(CMAKE_C_FLAGS_INIT "-isystem ${include} -isystem ${include}/azureiot")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L${libraries} -Wl,-rpath-link,${libraries}")
function(azsphere_target_hardware_definition target)
  cmake_parse_arguments(P "" "TARGET_DIRECTORY;TARGET_DEFINITION" "" \${ARGN})
  if(NOT EXISTS "\${P_TARGET_DIRECTORY}/\${P_TARGET_DEFINITION}")
    message(FATAL_ERROR "no hardware definition in \${P_TARGET_DIRECTORY}")
  endif()
  set_target_properties(\${target} PROPERTIES BOARD "\${P_TARGET_DIRECTORY}/\${P_TARGET_DEFINITION}")
endfunction()
function(azsphere_target_add_image_package target)
  if(NOT target STREQUAL PROJECT_NAME)
    message(FATAL_ERROR "the target has to have the project's name")
  endif()
  get_target_property(board \${target} BOARD)
  set(root "\${CMAKE_BINARY_DIR}/approot")
  add_custom_command(TARGET \${target} POST_BUILD
    COMMAND \${CMAKE_COMMAND} -E make_directory "\${root}/bin"
    COMMAND \${CMAKE_COMMAND} -E copy "\${CMAKE_SOURCE_DIR}/app_manifest.json" "\${root}"
    COMMAND \${CMAKE_COMMAND} -E copy "$<TARGET_FILE:\${target}>" "\${root}/bin/app"
    COMMAND ${node} image-package pack-application --package-directory "\${root}"
      --hardware-definitions "\${board}" --target-api-set 16
      --output-file "\${CMAKE_BINARY_DIR}/\${target}.imagepackage"
    WORKING_DIRECTORY "${sdk}" VERBATIM)
endfunction()
`,
  );
  return sdk;
}

test("a new project builds with Microsoft's SDK: its app, its manifest, its board", async () => {
  const folder = await newProject("fridge");
  const sdk = await fakeSdk();
  const environment = { AzureSphereDefaultSDKDir: sdk, PATH: join(sdk, "bin") };
  const pack = ["spherule", "package", "--sdk", "--output", "json"];
  const { code, stdout, stderr } = await run(folder, environment, "npx", ...pack);
  assert.is(code, 0, stderr);
  const { file: made } = JSON.parse(stdout);
  assert.match(made, /^out\/ARM-Release\/.*\.imagepackage$/);
  const shown = await run(
    folder,
    {},
    "npx",
    ...["spherule", "image-package", "show", made, "--output", "json"],
  );
  assert.is(shown.code, 0, shown.stderr);
  const manifest = JSON.parse(readFileSync(join(folder, "app_manifest.json"), "utf8"));
  const { componentId, name } = JSON.parse(shown.stdout);
  assert.equal([componentId, name], [manifest.ComponentId, "fridge"]);
});

test.run();
