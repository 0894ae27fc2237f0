// deadline: 300 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileApp } from "../../host-sim/compiler/compile.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { invoke, MAY_DEFER, ONE_DEFERRAL, updateDuringRecording } from "../device/recording.ts";
import {
  BUTTON_A,
  CAPABILITIES,
  LED,
  manifest,
  startDevice,
  type TestDevice,
} from "../device/support.ts";
import { HUB_NAME } from "../hub/support.ts";
import { buildApp, buildFolder } from "./support.ts";

const test = suite<{ device: TestDevice }>("the thermometer in the body native, with sanitizers");
const app = await compileApp({ projectFolder: packageFolder(), target: "debug" });
const native = await buildApp({
  folder: buildFolder("thermometer"),
  name: "thermometer",
  app,
  manifest: manifest(),
});
const image = { manifest: manifest(), ...app, native };

test.before.each(async (context) => {
  context.device = await startDevice({ withHub: true });
});
test.after.each(({ device }) => device.stop());

const reported = (device: TestDevice) =>
  (device.lab?.hub.twins.get(device.deviceId).reported.values ?? {}) as Record<string, unknown>;

async function connected(device: TestDevice, capabilities: object = CAPABILITIES) {
  await device.os.install({ ...image, manifest: manifest(undefined, capabilities) });
  await device.until(() => device.telemetry().length > 0);
}

test("sends temperatures, announces its model and reports its properties", async ({ device }) => {
  await connected(device);
  await device.until(() => "telemetryIntervalSeconds" in reported(device));
  assert.type(device.telemetry()[0]?.body.temperature, "number");
  assert.is(device.lab?.hub.twins.get(device.deviceId).modelId, "dtmi:spherule:thermometer;1");
  assert.is(reported(device).serialNumber, "THERMO-0001");
});

test("takes a new interval and sends at it; button and LED work; the method answers", async ({
  device,
}) => {
  await connected(device);
  device.lab?.hub.twins.patch(device.deviceId, { desired: { telemetryIntervalSeconds: 1 } });
  await device.until(() => device.log().includes("sending every 1 s"));
  const count = device.telemetry().length;
  await device.until(() => device.telemetry().length >= count + 2);
  device.board.set(BUTTON_A, 0);
  await device.until(() => device.board.level(LED) === 1);
  // Log and pins come to the operating system by channels of their own.
  await device.until(() => device.log().includes("upload off"));
  const answer = await invoke(device, "displayAlert", '"Too warm"');
  assert.equal(answer, { status: 200, payload: '"alert displayed"' });
  await device.until(() => device.log().includes("ALERT: Too warm"));
});

test("an update waits for the end of a recording", async ({ device }) => {
  await connected(device, { ...CAPABILITIES, ...MAY_DEFER });
  assert.equal(await updateDuringRecording(device), ONE_DEFERRAL);
  assert.is(device.os.status().lastExitCode, 0);
});

test("what waits in storage when the app is stopped offline is sent after the start", async ({
  device,
}) => {
  device.network.setUp(false);
  await device.os.install(image);
  await device.until(() => device.log().includes("thermometer started"));
  await device.os.startApp();
  const started = () => device.log().filter((line) => line === "thermometer started").length;
  await device.until(() => started() === 2);
  device.network.setUp(true);
  await device.until(() => device.telemetry().length >= 2);
  const times = device.telemetry().map(({ body }) => body.timestamp);
  assert.is(new Set(times).size, times.length);
  assert.equal(times, [...times].sort());
});

test("a hub that is not in AllowedConnections is not reached, told once; the same without a tenant", async ({
  device,
}) => {
  const { AllowedConnections: _hosts, ...closed } = CAPABILITIES;
  await device.os.install({ ...image, manifest: manifest(undefined, closed) });
  const refused = () => device.log().filter((line) => /AllowedConnections/.test(line));
  await device.until(() => device.log().includes("not connected, reason 4"));
  await device.until(() => refused().length > 0);
  assert.match(refused()[0] ?? "", HUB_NAME);
  const { DeviceAuthentication: _tenant, ...anonymous } = CAPABILITIES;
  await device.os.install({ ...image, manifest: manifest(undefined, anonymous) });
  const noTenant = () => device.log().filter((line) => /no DeviceAuthentication/.test(line));
  await device.until(() => noTenant().length > 0);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  assert.is(noTenant().length, 1);
  assert.is(device.lab?.hub.connections.count(), 0);
});

test.run();
