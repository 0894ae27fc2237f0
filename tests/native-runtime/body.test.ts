// deadline: 400 s
import { execFileSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CompiledApp } from "../../host-sim/compiler/compile.ts";
import type { NativeProgram } from "../../host-sim/device/app.ts";
import { enrol } from "../../host-sim/lab/enrolment.ts";
import { createServerRoot } from "../../host-sim/pki/index.ts";
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
import { CA, HUB_NAME } from "../hub/support.ts";
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

const HUB = `${HUB_NAME}:8883`;

interface Obstacle {
  readonly options?: { readonly claim: boolean };
  readonly arrange?: (device: TestDevice) => void;
  readonly reason: string;
  readonly remove: (device: TestDevice) => void;
}

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

/** Ten seconds that pass while other tests run. */
async function stopEndless() {
  const device = await startDevice();
  await device.os.install(imageOf(faults, "native", ["endless"]));
  await device.until(() => linesOf(device).includes("info fault endless"));
  const before = performance.now();
  await device.os.stopApp();
  const seconds = (performance.now() - before) / 1000;
  const end = { code: device.os.status().lastExitCode, log: device.log(), seconds };
  await device.stop();
  return end;
}
const endless = stopEndless();

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

for (const [what, steps, refuse, reason] of [
  ["is not enrolled", [{ status: 401, body: {} }], 0, 2],
  ["is refused in CONNACK", [], 5, 2],
  ["is disabled", [{ status: 200, body: { status: "disabled" } }], 0, 1],
  ["fails to register", [{ status: 200, body: { status: "failed" } }], 0, 4],
  ["gets no hub", [{ status: 200, body: { status: "assigned" } }], 0, 4],
] as const) {
  test(`a device that ${what}: reason ${reason} in both bodies`, async () => {
    for (const body of ["native", "wasm"] as const) {
      const device = await startDevice({ withHub: true });
      const pem = device.service.certificates(TENANT)[0]?.pem ?? "";
      const dps = await startService(steps, pem, refuse);
      device.routes.set(`${ENDPOINT}:8883`, { host: "127.0.0.1", port: dps.port, ca: DPS_ROOT });
      const rights = { ...PERMISSIVE, AllowedConnections: [HUB_NAME, ENDPOINT] };
      await device.os.install(imageOf(trace, body, ["--ScopeID", "0ne00000001"], rights));
      const asked = () => dps.seen.requests.length > 0 || refuse > 0;
      await device.until(() => asked() && /no (assignment|provisioning)/.test(device.log().join()));
      const last = () => linesOf(device).findLast((line) => line.startsWith("info connection"));
      await device.until(() => last() === `info connection false ${reason}`);
      await device.stop();
      await dps.stop();
    }
  });
}

test("--ScopeID counts before --Hostname, in both bodies", async () => {
  const args = ["--Hostname", HUB_NAME, "--ScopeID", "0ne00000001"];
  for (const body of ["native", "wasm"] as const) {
    const device = await startDevice({ withHub: true });
    const pem = device.service.certificates(TENANT)[0]?.pem ?? "";
    const dps = await startService([{ status: 401, body: {} }], pem);
    device.routes.set(`${ENDPOINT}:8883`, { host: "127.0.0.1", port: dps.port, ca: DPS_ROOT });
    const rights = { ...PERMISSIVE, AllowedConnections: [HUB_NAME, ENDPOINT] };
    await device.os.install(imageOf(trace, body, args, rights));
    await device.until(() => dps.seen.requests.length > 0);
    assert.not.ok(linesOf(device).includes("info connection true 6"), body);
    await device.stop();
    await dps.stop();
  }
});

const NO_NETWORK = "info connection false 4";
const BAD_CREDENTIAL = "info connection false 2";
const AUTHENTICATED = "info connection true 6";

/** A device that is connected to the internet before it knows the time. */
function withoutTime() {
  const listeners = new Set<() => void>();
  let ready = false;
  const link = {
    get ready() {
      return ready;
    },
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    setOutage: () => {},
  };
  const sync = () => {
    ready = true;
    for (const listener of listeners) listener();
  };
  return { link, sync };
}

/** Another root than the one that signs the lab's servers. */
const foreignRoot = () => createServerRoot().certificate;

/** Why there is no connection, and what ends that; the app says what it was told. */
const OBSTACLES: Readonly<Record<string, Obstacle>> = {
  "no network": {
    arrange: ({ network }) => network.setUp(false),
    reason: NO_NETWORK,
    remove: ({ network }) => network.setUp(true),
  },
  "no device authentication: nobody has claimed the device": {
    options: { claim: false },
    reason: NO_NETWORK,
    remove({ lab, service, deviceId }) {
      if (!lab) return;
      const ids = { deviceIds: [deviceId], tenantId: TENANT };
      enrol({ service, hub: lab.hub, dps: lab.dps, ...ids, claim: true });
    },
  },
  "a server with a certificate of another root": {
    arrange({ routes }) {
      const route = routes.get(HUB);
      if (route) routes.set(HUB, { ...route, ca: foreignRoot() });
    },
    reason: NO_NETWORK,
    remove({ routes }) {
      const route = routes.get(HUB);
      if (route) routes.set(HUB, { ...route, ca: CA });
    },
  },
  "no server at all": {
    arrange({ routes }) {
      const route = routes.get(HUB);
      if (route) routes.set(HUB, { ...route, port: 1 });
    },
    reason: NO_NETWORK,
    remove({ routes, lab }) {
      const route = routes.get(HUB);
      if (route) routes.set(HUB, { ...route, port: lab?.port ?? 0 });
    },
  },
  "CONNACK 5: the hub has disabled the device": {
    arrange: ({ lab, deviceId }) =>
      void lab?.hub.devices.update({ deviceId, status: "disabled" }, "*"),
    reason: BAD_CREDENTIAL,
    remove: ({ lab, deviceId }) =>
      void lab?.hub.devices.update({ deviceId, status: "enabled" }, "*"),
  },
};

for (const [what, { options, arrange, reason, remove }] of Object.entries(OBSTACLES)) {
  test(`${what}: the reason is told once in both bodies, and then there is a connection`, async () => {
    for (const body of ["native", "wasm"] as const) {
      const device = await startDevice({ withHub: true, ...options });
      arrange?.(device);
      await device.os.install(imageOf(trace, body, ["--Hostname", HUB_NAME]));
      const connections = () =>
        linesOf(device).filter((line) => line.startsWith("info connection"));
      await device.until(() => connections().length > 0);
      // Some more attempts.
      const seen = device.clock.monotonic();
      await device.until(() => device.clock.monotonic() > seen + 4_000);
      assert.equal(connections(), [reason], body);
      remove(device);
      await device.until(() => connections().includes(AUTHENTICATED));
      assert.equal(connections(), [reason, AUTHENTICATED], body);
      await device.stop();
    }
  });
}

test("a clock that is not set: no connection before the time is known, in both bodies", async () => {
  for (const body of ["native", "wasm"] as const) {
    const { link, sync } = withoutTime();
    const device = await startDevice({ withHub: true, link });
    await device.os.install(imageOf(trace, body, ["--Hostname", HUB_NAME]));
    await device.until(() => linesOf(device).includes(NO_NETWORK));
    assert.is(device.lab?.hub.connections.count(), 0);
    sync();
    await device.until(() => linesOf(device).includes(AUTHENTICATED));
    await device.stop();
  }
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

test("an app that does not end after SIGTERM is killed after ten seconds", async () => {
  const { code, log, seconds } = await endless;
  assert.is(code, 128 + 9);
  assert.ok(log.includes("the app's process was ended by SIGKILL"), log.join("\n"));
  assert.ok(seconds >= 9.9, `${seconds} s`);
});

test("an app that cannot be started says so", async ({ device }) => {
  const native = { file: "/no/such/program", libraries: "/" };
  await device.os.install({ ...imageOf(trace, "wasm"), native });
  assert.is(await ended(device), 127);
  assert.match(device.log().join("\n"), /process cannot be started: .*ENOENT/);
});

test.run();
