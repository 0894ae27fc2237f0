// deadline: 300 s
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createPrograms, type Programs } from "../../host-sim/lab/programs.ts";
import { compileFixture } from "../assembly/support.ts";
import { manifest } from "../device/support.ts";
import { type AppRequest, ONE, packApp, TRUSTING, TWO, WASM } from "../device-rest/packages.ts";
import { refusal, startRest } from "../device-rest/support.ts";
import { deployApp, FIELD_TEST, makeDevice } from "../security-service/device.ts";
import { COMPONENT, startService } from "../security-service/support.ts";
import { lineIn } from "./support.ts";

const FAULTS = "tests/fixtures/assembly/faults.ts";
const test = suite("programs for this computer, made from installed packages");
const folder = mkdtempSync(join(tmpdir(), "spherule programs-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const THREE = "0d0b3d54-7d9b-4b7f-9f3c-6f0b9a4d6f10";
const updates = await compileFixture("updates");
const outbox = (await compileFixture("greedy")).wasm;
const fileOf = (name: string) => join(folder, "build/native/packages", name);

async function nativePrograms(project = folder): Promise<Programs> {
  const programs = await createPrograms("native", project);
  if (!programs) throw new Error("there are programs");
  return programs;
}

async function until(condition: () => unknown): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const processes = (text: string) =>
  execFileSync("ps", ["-ww", "-eo", "stat,args"], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(text) && !line.startsWith("Z"));

async function startDevice(programs: Programs) {
  const device = await startRest({ ...TRUSTING, packagedProgram: programs.of });
  const log = () => device.lines.map(({ text }) => text);
  return {
    ...{ device, log },
    async deploy(request: AppRequest = {}, mode = "Auto"): Promise<void> {
      assert.is((await device.call("PUT", "/update/stage", packApp(request))).status, 200);
      const answer = await device.call("POST", "/update/install", { appControlMode: mode });
      assert.is(answer.text, "{}");
    },
    trigger: (name: string, component = ONE) =>
      device.call("PATCH", `/app/status/${component}`, { trigger: name }),
    state: async (component = ONE) => (await device.get(`/app/status/${component}`)).json.state,
    said: (text: string) => until(() => log().includes(text)),
  };
}

/** Runs something while no compiler is to be found. */
async function withoutTools(run: () => Promise<void>): Promise<void> {
  const { PATH } = process.env;
  process.env.PATH = "/nowhere";
  try {
    await run();
  } finally {
    process.env.PATH = PATH;
  }
}

test("the device answers while a program is built, and the second start is immediate", async () => {
  const programs = await nativePrograms();
  const { device, deploy, state, said, trigger, log } = await startDevice(programs);
  await deploy();
  assert.is(await state(), "running");
  assert.is((await device.get("/status")).status, 200);
  assert.not.ok(log().includes("fault nothing"), "it is still built");
  await said("fault nothing");
  assert.is(processes(fileOf("")).length, 1);
  const stats = await device.get("/stats/memory/groups/applications");
  assert.ok(stats.json.memoryStats.currentMemoryUsageInBytes > 48 * 1024);
  assert.is((await trigger("stop")).json.state, "stopped");
  const made = readdirSync(fileOf(""));
  assert.is(made.length, 1);
  const again = programs.of({ manifest: manifest([], {}), wasm: WASM });
  assert.not.ok(again instanceof Promise, "it is there");
  await withoutTools(async () => {
    assert.is((await trigger("start")).text, '{"state":"running"}');
    await until(() => log().filter((text) => text === "fault nothing").length === 2);
  });
  assert.equal(readdirSync(fileOf("")), made);
  await device.stop();
  assert.equal(processes(fileOf("")), []);
});

test("start answers when the program is there, and other requests do not wait for that", async () => {
  const programs = await nativePrograms(join(folder, "slow"));
  const { device, deploy, state, trigger, said } = await startDevice(programs);
  await deploy({}, "Manual");
  let answered = false;
  const start = trigger("start").then((answer) => {
    answered = true;
    return answer;
  });
  while ((await state()) !== "running") await new Promise((resolve) => setImmediate(resolve));
  assert.is((await device.get("/osversion")).status, 200);
  assert.not.ok(answered);
  assert.is((await start).text, '{"state":"running"}');
  await said("fault nothing");
  await device.stop();
});

test("several apps at once have a program each, also of one wasm with another storage", async () => {
  const programs = await nativePrograms();
  const { device, deploy, said } = await startDevice(programs);
  const files = [{ path: "app.wasm", content: updates.wasm }];
  const storing = { MutableStorage: { SizeKB: 8 } };
  await deploy();
  await deploy({
    component: TWO,
    name: "Two",
    files,
    fault: "two",
    manifest: { CmdArgs: ["two", "deaf"] },
  });
  await deploy({ component: THREE, name: "Three", capabilities: storing });
  await said("two started");
  await until(() => device.lines.filter(({ text }) => text === "fault nothing").length === 2);
  const shown = processes(fileOf(""));
  const programsOf = new Set(shown.map((line) => /packages\/([0-9a-f]{64})/.exec(line)?.[1]));
  assert.is(shown.length, 3);
  assert.is(programsOf.size, 3);
  await device.stop();
});

test("without tools the log says why, the app is stopped, and a start is refused until they are there", async () => {
  const programs = await nativePrograms(join(folder, "toolless"));
  const { device, deploy, state, trigger, log, said } = await startDevice(programs);
  await withoutTools(async () => {
    await deploy();
    await until(() => log().some((text) => text.startsWith("the app's program cannot be made: ")));
    assert.match(log().join("\n"), /needs CMake, Ninja and a C compiler[\s\S]*system-packages/);
    assert.is(await state(), "stopped");
    const report = device.system.errorReports.lines().at(-1) ?? "";
    assert.match(report, `AppExit (exit_code=127; component_id=${ONE}`);
    for (const name of ["start", "startDebug"]) {
      assert.equal(refusal(await trigger(name)), [400, 1_048_591]);
      assert.is(await state(), "stopped");
    }
    device.clock.advance(60_000);
    assert.is(await state(), "stopped");
  });
  assert.is((await trigger("start")).text, '{"state":"running"}');
  await said("fault nothing");
  await device.stop();
});

test("an app that is stopped, replaced or deleted while it is built never runs", async () => {
  const programs = await nativePrograms(join(folder, "stopped"));
  const { device, deploy, trigger, log, state, said } = await startDevice(programs);
  await deploy({ fault: "first" });
  assert.is((await trigger("stop")).text, '{"state":"stopped"}');
  await trigger("startDebug");
  assert.is((await trigger("stop")).text, '{"state":"stopped"}');
  const files = [{ path: "app.wasm", content: outbox }];
  await deploy({ files, imageId: TWO });
  assert.is((await device.call("DELETE", `/app/image/${ONE}`)).status, 200);
  await deploy({ fault: "last", imageId: THREE });
  await said("fault last");
  assert.is(await state(), "running");
  assert.not.match(log().join("\n"), /fault first|greedy/);
  await device.stop();
});

test("the end of the lab ends a build with its compilers, and leaves nothing half made", async () => {
  const project = join(folder, "ended");
  const programs = await nativePrograms(project);
  const { device, deploy } = await startDevice(programs);
  await deploy();
  await until(() => processes(project).length > 0);
  await device.stop();
  await programs.stop();
  assert.equal(processes(project), []);
  assert.equal(readdirSync(join(project, "build/native/packages")), []);
});

test("what a killed lab left half made is taken away", async () => {
  const project = join(folder, "killed");
  const abandoned = join(project, "build/native/packages", `${"0".repeat(64)}.4194304`);
  const own = join(project, "build/native/packages", `${"1".repeat(64)}.${process.pid}`);
  for (const each of [abandoned, own]) mkdirSync(each, { recursive: true });
  await nativePrograms(project);
  assert.not.ok(existsSync(abandoned));
  assert.ok(existsSync(own));
});

test("the project's own source map tells debuggers the lines, if it is of the same wasm", async () => {
  const project = join(folder, "mapped");
  const built = join(project, "build/app/debug");
  mkdirSync(built, { recursive: true });
  const app = await compileFixture("faults");
  writeFileSync(join(built, "app.wasm"), app.wasm);
  writeFileSync(join(built, "app.wasm.map"), app.sourceMap);
  const programs = await nativePrograms(project);
  const { device, deploy, trigger } = await startDevice(programs);
  await deploy({ fault: "stack" }, "Manual");
  const { gdbPort } = (await trigger("startDebug")).json;
  const line = lineIn(FAULTS, "deep(level + 1)");
  const commands = [
    `target remote 127.0.0.1:${gdbPort}`,
    `break faults.ts:${line}`,
    "continue",
    "continue 2",
  ];
  const args = ["set sysroot /", ...commands, "backtrace"].flatMap((command) => ["-ex", command]);
  // gdb asks the debug server for the program, whose path has a space in it.
  const gdb = promisify(execFile)("gdb-multiarch", ["-nx", "-batch", ...args]);
  assert.match((await gdb).stdout, new RegExp(`faults_deep \\(l0=\\d+\\) at ${FAULTS}:${line}\\n`));
  await device.stop();
  assert.equal(processes(project), []);
});

test("an update over the air runs as a program too", async () => {
  const programs = await nativePrograms();
  const lab = await startService();
  const device = makeDevice(lab, { group: FIELD_TEST, packagedProgram: programs.of });
  const begun = device.device.begin();
  await device.settle();
  await begun;
  deployApp(lab, { wasm: updates.wasm, args: ["v2", "deaf"] });
  const checked = device.device.updates.check();
  await device.run(21_000);
  await checked;
  await until(() => device.log().includes("v2 started"));
  assert.is(processes(fileOf("")).length, 1);
  assert.is(device.device.applications.state(COMPONENT), "running");
  await device.stop();
  await lab.stop();
  assert.equal(processes(fileOf("")), []);
});

test.run();
