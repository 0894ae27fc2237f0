import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EVENT_METHOD } from "../../assembly/sphere/host/abi.ts";
import { compileApp } from "../../host-sim/compiler/compile.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { compileFixture } from "../assembly/support.ts";
import { HUB_NAME } from "../hub/support.ts";
import {
  announceUpdate,
  invoke,
  MAY_DEFER,
  ONE_DEFERRAL,
  recordings,
  updateDuringRecording,
} from "./recording.ts";
import {
  BUTTON_A,
  BUTTON_B,
  CAPABILITIES,
  LED,
  manifest,
  startDevice,
  type TestDevice,
} from "./support.ts";

/** The timers of the app, in the order in which it asks for them. */
const UPLOAD_TIMER = 0;
const RECORDING_TIMER = 1;

const test = suite<{ device: TestDevice }>("the thermometer on a virtual device");
const app = await compileApp({ projectFolder: packageFolder(), target: "debug" });
const image = { manifest: manifest(), ...app };

test.before.each(async (context) => {
  context.device = await startDevice({ withHub: true });
});
test.after.each(({ device }) => device.stop());

interface Answer {
  readonly ac: number;
  readonly av: number;
  readonly value: number;
}

async function connected(device: TestDevice, capabilities: object = CAPABILITIES) {
  await device.os.install({ ...image, manifest: manifest(undefined, capabilities) });
  await device.until(() => device.telemetry().length > 0);
}

const reported = (device: TestDevice) =>
  (device.lab?.hub.twins.get(device.deviceId).reported.values ?? {}) as Record<string, unknown>;

test("sends a temperature with a timestamp every five seconds, announced by its model", async ({
  device,
}) => {
  await connected(device);
  const from = device.clock.now();
  await device.until(() => device.telemetry().length === 3);
  assert.ok(device.clock.now() - from >= 5_000 && device.clock.now() - from <= 11_000);
  for (const { body } of device.telemetry()) {
    assert.type(body.temperature, "number");
    assert.match(body.timestamp, /^2026-06-01T00:00:\d\d\.\d{3}Z$/);
  }
  const twin = device.lab?.hub.twins.get(device.deviceId);
  assert.is(twin?.modelId, "dtmi:spherule:thermometer;1");
});

test("reports its serial number and the default interval", async ({ device }) => {
  await connected(device);
  await device.until(() => "telemetryIntervalSeconds" in reported(device));
  assert.equal(reported(device), {
    serialNumber: "THERMO-0001",
    telemetryIntervalSeconds: { ac: 203, av: 1, ad: "default", value: 5 },
  });
});

test("takes a valid interval and answers 200, refuses others with 400 and keeps its own", async ({
  device,
}) => {
  await connected(device);
  const set = async (value: number | string | null, status: number) => {
    device.lab?.hub.twins.patch(device.deviceId, {
      desired: { telemetryIntervalSeconds: value },
    });
    const version = device.lab?.hub.twins.get(device.deviceId).desired.version;
    const answerOf = () => reported(device).telemetryIntervalSeconds as Answer | undefined;
    await device.until(() => answerOf()?.av === version);
    const answer = answerOf() as Answer;
    assert.is(answer.ac, status);
    return answer.value;
  };
  assert.is(await set(60, 200), 60);
  for (const wrong of [0, 1.5, 86_401, "7", -3]) assert.is(await set(wrong, 400), 60);
  assert.is(await set(null, 203), 5);
});

test("button A switches the upload off and on, and the LED with it", async ({ device }) => {
  const press = (pin: number) => {
    device.board.set(pin, 0);
    device.clock.advance(50);
    device.board.set(pin, 1);
    device.clock.advance(50);
  };
  await connected(device);
  assert.is(device.board.level(LED), 0);
  press(BUTTON_A);
  assert.is(device.board.level(LED), 1);
  const count = device.telemetry().length;
  await device.clock.run(30_000);
  assert.is(device.telemetry().length, count);
  press(BUTTON_A);
  assert.is(device.board.level(LED), 0);
  press(BUTTON_B);
  await device.until(() => device.telemetry().some(({ body }) => body.event === "buttonB"));
});

test("answers displayAlert, unknown methods and payloads that are no JSON", async ({ device }) => {
  await connected(device);
  assert.equal(await invoke(device, "displayAlert", '"Too warm"'), {
    status: 200,
    payload: '"alert displayed"',
  });
  assert.ok(device.log().includes("ALERT: Too warm"));
  assert.is((await invoke(device, "reboot")).status, 404);
  assert.is((await invoke(device, "displayAlert", "{nonsense")).status, 400);
});

const recordingCapabilities = { ...CAPABILITIES, ...MAY_DEFER };

test("a recording ends by itself and sends its extremes and mean", async ({ device }) => {
  await connected(device);
  const from = device.clock.now();
  const started = await invoke(device, "startRecording", "2");
  assert.equal(started, { status: 200, payload: '"recording"' });
  await device.clock.run(119_000);
  assert.equal(recordings(device), []);
  await device.until(() => recordings(device).length > 0);
  assert.ok(device.clock.now() - from < 122_000);
  const { minimum, maximum, mean, samples } = recordings(device)[0]?.body ?? {};
  // The last one falls on the end.
  assert.ok(samples === 12 || samples === 13, `${samples} samples`);
  assert.ok(minimum >= 16 && minimum <= mean && mean <= maximum && maximum <= 26);
});

test("recordings that make no sense are refused, and change none that goes on", async ({
  device,
}) => {
  await connected(device);
  assert.is((await invoke(device, "stopRecording")).status, 409);
  for (const minutes of ["0", "-1", "1.5", "1441", '"5"', "null", "[]", ""]) {
    assert.is((await invoke(device, "startRecording", minutes)).status, 400, minutes);
  }
  assert.is((await invoke(device, "startRecording", "1440")).status, 200);
  assert.is((await invoke(device, "startRecording", "1")).status, 409);
  await device.clock.run(60_000);
  assert.is((await invoke(device, "stopRecording")).status, 200);
  await device.until(() => recordings(device).length === 1);
  assert.ok((recordings(device)[0]?.body.samples ?? 0) >= 7);
});

test("an update waits for the end of a recording, and only that long", async ({ device }) => {
  await connected(device, recordingCapabilities);
  const result = await updateDuringRecording(device);
  assert.equal(result, ONE_DEFERRAL);
});

test("a recording that ends by itself lets the update go on at once", async ({ device }) => {
  await connected(device, recordingCapabilities);
  await invoke(device, "startRecording", "3");
  const update = announceUpdate(device);
  await device.clock.run(178_000);
  assert.is(update.granted(), false);
  await device.until(() => recordings(device).length > 0);
  const ended = device.clock.now();
  await device.until(update.granted);
  // Between Final and SIGTERM.
  assert.ok(device.clock.now() - ended <= 10_100);
});

test("a recording that begins while an update is announced puts it off, too", async ({
  device,
}) => {
  await connected(device, recordingCapabilities);
  const update = announceUpdate(device);
  await device.clock.run(5_000);
  await invoke(device, "startRecording", "5");
  assert.ok(device.log().includes("update deferred for 5 min"));
  await device.clock.run(60_000);
  assert.is(update.granted(), false);
  update.withdraw();
});

test("without a recording no update is put off", async ({ device }) => {
  await connected(device, recordingCapabilities);
  const update = announceUpdate(device);
  await device.clock.run(20_000);
  assert.is(update.granted(), true);
  assert.is(update.deferrals(), 0);
});

test("without leave to defer a recording is cut short, and what it has is sent all the same", async ({
  device,
}) => {
  await connected(device, { ...CAPABILITIES, SystemEventNotifications: true });
  await invoke(device, "startRecording", "60");
  const update = announceUpdate(device);
  await device.clock.run(20_000);
  assert.is(update.granted(), true);
  await device.os.startApp();
  await device.until(() => recordings(device).length === 1);
  assert.is(recordings(device)[0]?.body.samples, 3);
});

test("logs a message from the cloud, and the hub forgets it then", async ({ device }) => {
  await connected(device);
  device.lab?.hub.c2d.enqueue(device.deviceId, { body: Buffer.from("Grüße") });
  await device.until(() => device.log().includes("message from the cloud: Grüße"));
  await device.until(() => device.lab?.hub.c2d.waiting(device.deviceId).length === 0);
});

test("what is measured while the network is down comes later, in order, without a gap", async ({
  device,
}) => {
  await connected(device);
  device.network.setUp(false);
  await device.clock.run(60_000);
  const before = device.telemetry().length;
  device.network.setUp(true);
  await device.until(() => device.telemetry().length >= before + 12);
  const times = device.telemetry().map(({ body }) => Date.parse(body.timestamp));
  assert.equal(
    times,
    [...times].sort((a, b) => a - b),
  );
  const gaps = times.slice(2).map((time, index) => time - (times[index + 1] as number));
  assert.ok(
    gaps.every((gap) => gap <= 5_020),
    gaps.join(),
  );
});

test("a host that is not in AllowedConnections is not reached, and the log says why", async ({
  device,
}) => {
  const { AllowedConnections: _none, ...rest } = CAPABILITIES;
  await device.os.install({ ...image, manifest: manifest(undefined, rest) });
  await device.clock.run(60_000);
  assert.is(device.lab?.hub.connections.count(), 0);
  const lines = device.log().filter((line) => /AllowedConnections/.test(line));
  assert.is(lines.length, 1);
  assert.match(lines[0] ?? "", HUB_NAME);
});

test("an app without DeviceAuthentication, or with another tenant's, does not connect", async ({
  device,
}) => {
  const { DeviceAuthentication: _none, ...rest } = CAPABILITIES;
  await device.os.install({ ...image, manifest: manifest(undefined, rest) });
  await device.clock.run(5_000);
  assert.ok(device.log().some((line) => /manifest has no DeviceAuthentication/.test(line)));
  const other = { ...CAPABILITIES, DeviceAuthentication: "00000000-0000-0000-0000-00000000000f" };
  await device.os.install({ ...image, manifest: manifest(undefined, other) });
  await device.clock.run(5_000);
  assert.ok(device.log().some((line) => /the device belongs to/.test(line)));
  assert.is(device.lab?.hub.connections.count(), 0);
});

test("a stop and start of the app while it is offline loses no message", async ({ device }) => {
  await connected(device);
  device.network.setUp(false);
  await device.clock.run(20_100);
  await device.os.startApp();
  device.network.setUp(true);
  const { length: expected } = ["start", 5, 10, 15, 20, "second start"];
  const times = () => new Set(device.telemetry().map(({ body }) => body.timestamp));
  await device.until(() => times().size === expected);
  assert.equal([...times()], [...times()].sort());
});

test("a clock that is set back disturbs neither the interval nor the connection", async ({
  device,
}) => {
  await connected(device);
  device.clock.setTime(device.clock.now() - 3_600_000);
  const count = device.telemetry().length;
  await device.until(() => device.telemetry().length >= count + 3);
  assert.is(device.lab?.hub.refusals.list().length, 0);
});

test("after the clock was set by days, either way, the device gets a certificate that holds now", async ({
  device,
}) => {
  await connected(device);
  // The hub ends the session: the network stays, and tells the device nothing.
  const reconnected = async () => {
    const connections = device.lab?.hub.connections;
    connections?.get(device.deviceId)?.close("disabled-device", "for a moment");
    await device.until(() => connections?.count() === 0);
    const count = device.telemetry().length;
    const from = device.clock.monotonic();
    await device.until(
      () => device.telemetry().length > count || device.clock.monotonic() - from > 60_000,
    );
    return device.telemetry().length > count;
  };
  const day = 86_400_000;
  // Not before the tenant came to be: its CA would not hold either.
  for (const days of [30, -10]) {
    device.clock.setTime(device.clock.now() + days * day);
    assert.ok(await reconnected(), `${days} days`);
  }
});

test("an unclaimed device has no certificate, and says so once", async () => {
  const device = await startDevice({ withHub: true, claim: false });
  await device.os.install(image);
  await device.clock.run(120_000);
  const lines = device.log().filter((line) => /belongs to no tenant/.test(line));
  assert.is(lines.length, 1);
  assert.is(device.lab?.hub.connections.count(), 0);
  await device.stop();
});

test("the certificate is renewed after two thirds of its 24 hours, and used at the next connect", async ({
  device,
}) => {
  device.lab?.hub.twins.patch(device.deviceId, { desired: { telemetryIntervalSeconds: 7200 } });
  await connected(device);
  await device.until(() => "telemetryIntervalSeconds" in reported(device));
  const first = device.deviceAuth.current();
  await device.clock.run(15 * 3_600_000);
  assert.is(device.deviceAuth.current(), first);
  await device.clock.run(3 * 3_600_000);
  await device.until(() => device.deviceAuth.current() !== first);
  assert.not.equal(device.deviceAuth.current()?.certificate, first?.certificate);
  await device.clock.run(10 * 3_600_000);
  device.network.setUp(false);
  device.network.setUp(true);
  const count = device.telemetry().length;
  await device.until(() => device.telemetry().length > count);
  assert.is(device.lab?.hub.refusals.list().length, 0);
});

/** The thermometer without an operating system: its handlers are called one by one. */
async function bareApp(device: TestDevice, call: { readonly name: string; payload: string }) {
  const { createImports } = await import("../../host-sim/device/wasm/imports.ts");
  const { createSession } = await import("../../host-sim/device/session/session.ts");
  const { silentLogger } = await import("../../host-sim/log.ts");
  const { wasm } = await compileFixture("probe", "release");
  let memory = new ArrayBuffer(0);
  const session = createSession({
    ...device,
    ...{ manifest: manifest(), logger: silentLogger, appLogger: silentLogger },
    emit: () => {},
    onTimer: () => {},
  });
  const give = (text: string) => (buffer: number) => {
    new Uint8Array(memory).set(Buffer.from(text), buffer);
    return text.length;
  };
  const methods = { name: give(call.name), payload: give(call.payload), reply: () => 0 };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), {
    ...createImports(session, () => memory),
    methods,
  });
  const app = instance.exports as unknown as {
    readonly memory: WebAssembly.Memory;
    start(): void;
    onTimer(id: number): void;
    onEvent(kind: number, id: number, value: number): void;
    collect(): void;
    nextBlock(): number;
  };
  memory = app.memory.buffer;
  app.start();
  return { app, end: () => session.end() };
}

test("the heap after 10,000 ticks is the heap after 100", async () => {
  const device = await startDevice();
  const { app, end } = await bareApp(device, { name: "", payload: "" });
  const after = (ticks: number) => {
    for (let tick = 0; tick < ticks; tick++) {
      app.onTimer(UPLOAD_TIMER);
      app.collect();
    }
    return app.nextBlock();
  };
  const early = after(100);
  assert.is(after(9_900), early);
  await end();
  await device.stop();
});

test("the heap at the end of a recording of a day is the heap at its first sample", async () => {
  const device = await startDevice();
  const { app, end } = await bareApp(device, { name: "startRecording", payload: "1440" });
  app.collect();
  const before = app.nextBlock();
  app.onEvent(EVENT_METHOD, 0, 0);
  app.collect();
  const sampled = (samples: number) => {
    for (let sample = 0; sample < samples; sample++) {
      app.onTimer(RECORDING_TIMER);
      app.collect();
    }
    return app.nextBlock();
  };
  const early = sampled(1);
  assert.is(sampled(8_639), early);
  app.onTimer(RECORDING_TIMER + 1);
  app.collect();
  assert.is(app.nextBlock(), before);
  await end();
  await device.stop();
});

test.run();
