// deadline: 300 s
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CompiledApp, compileApp } from "../../host-sim/compiler/compile.ts";
import type { NativeProgram } from "../../host-sim/device/app.ts";
import { createPrograms } from "../../host-sim/lab/programs.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { manifest, startDevice } from "../device/support.ts";

const test = suite("the linear memory of a native program");
const folder = mkdtempSync(join(tmpdir(), "spherule-memory-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const PAGE = 65_536;
const OUT_OF_MEMORY = 66;
const CAPABILITIES = { MutableStorage: { SizeKB: 8 } };
const ENTRY = "tests/fixtures/assembly/hoard.ts";

interface Limits {
  readonly options?: object;
  readonly release?: object;
}

/** A project of its own, built as `spherule build` does, with these settings of the compiler. */
async function makeProject(name: string, { options = {}, release = {} }: Limits) {
  const project = join(folder, name);
  for (const part of ["assembly", ENTRY]) {
    cpSync(join(packageFolder(), part), join(project, part), { recursive: true });
  }
  const config = JSON.parse(readFileSync(join(packageFolder(), "asconfig.json"), "utf8"));
  const { lowMemoryLimit: _limit, ...unlimited } = config.options;
  config.options = { ...unlimited, ...options };
  config.targets.release = { ...config.targets.release, ...release };
  writeFileSync(join(project, "asconfig.json"), JSON.stringify(config));
  const app = await compileApp({ projectFolder: project, entry: ENTRY, target: "release" });
  const built = join(project, "build/app/release");
  mkdirSync(built, { recursive: true });
  writeFileSync(join(built, "app.wasm"), app.wasm);
  writeFileSync(join(built, "app.wasm.map"), app.sourceMap);
  return { project, app };
}

async function programOf(project: string, { wasm }: CompiledApp): Promise<NativeProgram> {
  const programs = await createPrograms("native", project);
  const program = await programs?.of({ manifest: manifest([], CAPABILITIES), wasm });
  if (!program) throw new Error("there is a program");
  return program;
}

function memoryOf({ file }: NativeProgram): number {
  const text = execFileSync("nm", ["-S", file], { encoding: "utf8" });
  return Number.parseInt(/^\S+ (\S+) B wasm_memory$/m.exec(text)?.[1] ?? "", 16);
}

/** How the app ends that fills its memory, and whether it had begun. */
async function fill(app: CompiledApp, native?: NativeProgram) {
  const device = await startDevice();
  await device.os.install({ manifest: manifest(["fill"], CAPABILITIES), ...app, native });
  await device.until(() => device.os.status().lastExitCode !== null);
  const code = device.os.status().lastExitCode;
  const log = device.log();
  await device.stop();
  return { code, begun: log.includes("kept 1500") };
}

for (const [name, pages] of [
  ["one page", 1],
  ["two pages", 2],
] as const) {
  test(`an app without lowMemoryLimit has all of its ${name}, and ends with 66 when they are full`, async () => {
    const limits = { options: { initialMemory: pages, maximumMemory: pages } };
    const { project, app } = await makeProject(name, limits);
    const expected = { code: OUT_OF_MEMORY, begun: true };
    assert.equal(await fill(app), expected, "V8");
    // As an app of the project, and from a package that brings no asconfig.json.
    for (const from of [project, join(folder, `${name} packaged`)]) {
      const program = await programOf(from, app);
      assert.is(memoryOf(program), pages * PAGE);
      assert.equal(await fill(app, program), expected, from);
    }
  });
}

test("a target's lowMemoryLimit counts, not the one for all targets", async () => {
  const limits = { options: { lowMemoryLimit: 49_152 }, release: { lowMemoryLimit: 40_000 } };
  const { project, app } = await makeProject("target", limits);
  const program = await programOf(project, app);
  assert.is(memoryOf(program), 40_000);
  assert.equal(await fill(app, program), { code: OUT_OF_MEMORY, begun: true });
});

test("a limit that does not hold the app's data is refused when the program is built", async () => {
  const { project, app } = await makeProject("small", {});
  const file = join(project, "asconfig.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  config.options.lowMemoryLimit = 64;
  writeFileSync(file, JSON.stringify(config));
  const refused = await programOf(project, app).then(
    () => "",
    (error) => `${error.code} ${error.message}`,
  );
  assert.match(refused, /^native-build-failed/);
  assert.match(refused, /memory-too-small: .* need \d+ bytes, its linear memory has 64\./);
});

test.run();
