// deadline: 400 s
import { execFileSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CompiledApp } from "../../host-sim/compiler/compile.ts";
import type { NativeProgram } from "../../host-sim/device/app.ts";
import { compileFixture } from "../assembly/support.ts";
import { DPS_ROOT, ENDPOINT, startService } from "../device/dps.ts";
import {
  BUTTON_A,
  CAPABILITIES,
  manifest,
  startDevice,
  TENANT,
  type TestDevice,
} from "../device/support.ts";
import { HUB_NAME } from "../hub/support.ts";
import { ended, linesOf, liveThrough } from "./scenario.ts";
import { buildApp, buildFolder } from "./support.ts";

const test = suite<{ device: TestDevice }>("the body native, with address sanitizer");
const folder = buildFolder("body");

/** Everything that the fixtures ask for; pin 70 is not on the board. */
const PERMISSIVE = {
  ...CAPABILITIES,
  Gpio: [...CAPABILITIES.Gpio, 70],
  SystemEventNotifications: true,
  SoftwareUpdateDeferral: true,
};
const MODEST = { Gpio: [BUTTON_A] };

interface Fixture {
  readonly app: CompiledApp;
  readonly program: NativeProgram;
}

async function prepare(name: string, variant = "", capabilities: object = PERMISSIVE) {
  const app = await compileFixture(name);
  const options = { folder, name: `${name}${variant}`, app };
  return { app, program: await buildApp({ ...options, manifest: manifest([], capabilities) }) };
}

const trace = await prepare("trace");
const errno = await prepare("errno");
const modest = await prepare("errno", "-modest", MODEST);
const faults = await prepare("faults");

type Body = "wasm" | "native";
const imageOf = (
  { app, program }: Fixture,
  body: Body,
  args?: string[],
  rights: object = PERMISSIVE,
) => ({
  manifest: manifest(args, rights),
  ...app,
  ...(body === "native" ? { native: program } : {}),
});

test("boot, twin, button, method, message, storage and trap leave the trace of the body wasm", async () => {
  const native = await liveThrough((args) => imageOf(trace, "native", args));
  const wasm = await liveThrough((args) => imageOf(trace, "wasm", args));
  assert.equal(native.lines, wasm.lines);
  assert.equal(native, wasm);
  assert.ok(native.lines.includes("info boot 2"), "storage outlived the restart");
  assert.match(
    native.lines.at(-1) ?? "",
    /exit code 65: abort: asked to fail: ä€😀 at .*trace\.ts/,
  );
});

for (const [name, fixture, rights] of [
  ["with its capabilities", errno, PERMISSIVE],
  ["without them", modest, MODEST],
] as const) {
  test(`every import answers what it answers in the body wasm, ${name}`, async () => {
    const run = async (body: Body) => {
      const device = await startDevice();
      await device.os.install(imageOf(fixture, body, ["--Hostname", HUB_NAME], rights));
      assert.is(await ended(device), 63);
      const lines = linesOf(device);
      await device.stop();
      return lines;
    };
    const native = await run("native");
    assert.ok(native.length > 100, native.join("\n"));
    assert.equal(native, await run("wasm"));
  });
}

for (const [fault, code, placed] of [
  ["unreachable", 64, true],
  ["throw", 65, true],
  ["index", 65, false],
  ["memory", 66, false],
  ["bounds", 67, true],
  ["divide", 68, true],
  ["overflow", 69, true],
  ["indirect", 71, true],
  ["stack", 72, false],
  ["exit", 5, true],
] as const) {
  test(`${fault} ends the app with ${code}, reported as in the body wasm`, async () => {
    const run = async (body: Body) => {
      const device = await startDevice();
      await device.os.install(imageOf(faults, body, [fault]));
      assert.is(await ended(device), code);
      await device.until(() => device.os.status().state === "restarting");
      const report = linesOf(device).at(-1) ?? "";
      await device.stop();
      return placed ? report : report.replace(/ at \S+$/, "");
    };
    assert.is(await run("native"), await run("wasm"));
  });
}

test("with --ScopeID it asks the provisioning service, and connects to the hub that it names", async () => {
  const device = await startDevice({ withHub: true });
  const state = { status: "assigned", assignedHub: HUB_NAME, deviceId: device.deviceId };
  const dps = await startService(
    [
      { status: 401, body: {} },
      { status: 202, query: "&retry-after=1", body: { operationId: "1", status: "assigning" } },
      { status: 200, body: { status: "assigned", registrationState: state } },
    ],
    device.service.certificates(TENANT)[0]?.pem ?? "",
  );
  device.routes.set(`${ENDPOINT}:8883`, { host: "127.0.0.1", port: dps.port, ca: DPS_ROOT });
  const rights = { ...PERMISSIVE, AllowedConnections: [HUB_NAME, ENDPOINT] };
  await device.os.install(imageOf(trace, "native", ["--ScopeID", "0ne00000001"], rights));
  await device.until(() => linesOf(device).includes("info connection true 6"));
  const connections = linesOf(device).filter((line) => line.startsWith("info connection"));
  assert.equal(connections.slice(-2), ["info connection false 2", "info connection true 6"]);
  assert.match(dps.seen.connect.username, /^0ne00000001\/registrations\//);
  assert.is(dps.seen.connect.clientId, device.deviceId);
  const { payload } = JSON.parse(dps.seen.requests[1]?.body ?? "");
  assert.equal(payload, { modelId: "dtmi:spherule:trace;1" });
  await device.stop();
  await dps.stop();
});

test.before.each(async (context) => {
  context.device = await startDevice();
});
test.after.each(({ device }) => device.stop());

/** The process that runs the app now. */
function processOf(file: string): number[] {
  const text = execFileSync("ps", ["-eo", "pid,args"], { encoding: "utf8" });
  const lines = text.split("\n").filter((line) => line.includes(file));
  return lines.map((line) => Number.parseInt(line, 10));
}

test("an app that is stopped hears of it, ends with 0 and leaves no process", async ({
  device,
}) => {
  await device.os.install(imageOf(trace, "native"));
  await device.until(() => linesOf(device).includes("info boot 1"));
  assert.is(processOf(trace.program.file).length, 1);
  assert.ok(device.os.status().memoryBytes > 48 * 1024);
  await device.os.stopApp();
  assert.is(device.os.status().lastExitCode, 0);
  assert.equal(linesOf(device).slice(-2), ["info stop", "info the app ended with exit code 0"]);
  assert.equal(processOf(trace.program.file), []);
});

test("a process that is killed is reported, and started again", async ({ device }) => {
  await device.os.install(imageOf(trace, "native"));
  await device.until(() => linesOf(device).includes("info boot 1"));
  process.kill(processOf(trace.program.file)[0] ?? 0, "SIGKILL");
  await device.until(() => device.os.status().starts === 2);
  assert.is(device.os.status().lastExitCode, 128 + 9);
  assert.ok(device.log().includes("the app's process was ended by SIGKILL"));
  await device.until(() => linesOf(device).includes("info boot 2"));
});

test("a pin that a killed process had open is free for the next", async ({ device }) => {
  await device.os.install(imageOf(trace, "native"));
  await device.until(() => linesOf(device).includes("info boot 1"));
  process.kill(processOf(trace.program.file)[0] ?? 0, "SIGKILL");
  await device.until(() => linesOf(device).includes("info boot 2"));
  assert.not.match(linesOf(device).join("\n"), "EBUSY");
});

test("an app that cannot be started says so", async ({ device }) => {
  const native = { file: "/no/such/program", libraries: "/" };
  await device.os.install({ ...imageOf(trace, "wasm"), native });
  assert.is(await ended(device), 127);
  assert.match(device.log().join("\n"), /process cannot be started: .*ENOENT/);
});

test.run();
