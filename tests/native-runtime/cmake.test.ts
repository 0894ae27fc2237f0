// deadline: 300 s
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../host-sim/paths.ts";
import { newProject } from "../cli/support.ts";

const test = suite("what CMake builds again, and what not");
const root = packageFolder();
const { folder: project, remove } = newProject();
const folder = mkdtempSync(join(tmpdir(), "spherule-cmake-"));
test.after(() => {
  remove();
  rmSync(folder, { recursive: true, force: true });
});

async function run(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd: root, maxBuffer: 2 ** 24 });
  return stdout;
}
const build = (...args: string[]) => run("cmake", "--build", folder, ...args);
await run("cmake", "--preset", "linux-release", "-B", folder, `-DSPHERULE_PROJECT=${project}`);
await build();

const STEPS = {
  compile: /Compiling the app to wasm/,
  translate: /Translating the app to C/,
  manifest: /Reading the manifest/,
  "app_wasm.c": /Building C object \S*\/app_wasm\.c\.o/,
  "host_storage.c": /Building C object \S*\/host_storage\.c\.o/,
  "hub.c": /Building C object \S*\/hub\.c\.o/,
  link: /Linking C executable/,
};

/** Builds, and tells which of the steps were taken. */
async function steps(): Promise<string[]> {
  const text = await build();
  return Object.keys(STEPS).filter((name) => STEPS[name as keyof typeof STEPS].test(text));
}

test("a build without a change does nothing", async () => {
  assert.match(await build(), "ninja: no work to do.");
});

test("an edit of the manifest makes what depends on it, and nothing else", async () => {
  const file = join(project, "app_manifest.json");
  writeFileSync(file, readFileSync(file, "utf8").replace(/"SizeKB": \d+/, '"SizeKB": 16'));
  assert.equal(await steps(), ["manifest", "host_storage.c", "link"]);
  assert.match(await build(), "ninja: no work to do.");
});

/** Bytes of the linear memory, as the program has it. */
async function memoryOf(program: string): Promise<number> {
  const [, size = ""] = /^\S+ (\S+) B wasm_memory$/m.exec(await run("nm", "-S", program)) ?? [];
  return Number.parseInt(size, 16);
}

test("a new source file and edits go all the way into the program", async () => {
  assert.is(await memoryOf(join(folder, "bin/app")), 49_152);
  const config = join(project, "asconfig.json");
  writeFileSync(config, readFileSync(config, "utf8").replace("49152", "45001"));
  const greeting = join(project, "assembly/app/greeting.ts");
  writeFileSync(greeting, 'export const GREETING = "hello from it";\n');
  const main = join(project, "assembly/app/main.ts");
  const text = readFileSync(main, "utf8");
  writeFileSync(main, `import { GREETING } from "./greeting";\n${text}\nlog.info(GREETING);\n`);
  const all = Object.keys(STEPS).filter((name) => name !== "manifest");
  assert.equal(await steps(), all);
  assert.match(await build(), "ninja: no work to do.");
  assert.is(await memoryOf(join(folder, "bin/app")), 45_008);
  const words = Buffer.from("hello from it", "utf16le");
  assert.ok(readFileSync(join(folder, "bin/app")).includes(words));
});

test("the SDK, the translator that runs and the reader of the manifest are among what it depends on", async () => {
  const inputs = async (target: string) => run("ninja", "-C", folder, "-t", "query", target);
  const wasm = await inputs("generated/app.wasm");
  assert.match(wasm, `${root}/assembly/sphere/iothub.ts`);
  assert.match(wasm, `${project}/asconfig.json`);
  const [translator = ""] =
    /\S+\/dist\/aot-\w+\.js/.exec(await inputs("generated/app_wasm.c")) ?? [];
  assert.match(readFileSync(translator, "utf8"), "WASM_TRAP_OUT_OF_BOUNDS");
  assert.match(await inputs("generated/app_config.h"), "scripts/app-config.mjs");
});

test.run();
