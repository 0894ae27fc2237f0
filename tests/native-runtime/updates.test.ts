// deadline: 300 s
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { PackagedProgram } from "../../host-sim/device/app.ts";
import { parseManifest } from "../../host-sim/imagepackage/manifest.ts";
import { compileFixture } from "../assembly/support.ts";
import { manifest } from "../device/support.ts";
import { deployApp, FIELD_TEST, makeDevice } from "../security-service/device.ts";
import { COMPONENT, startService } from "../security-service/support.ts";
import { buildApp, buildFolder } from "./support.ts";

const test = suite("updates over the air in native bodies");
const MINUTE = 60_000;
const app = await compileFixture("updates");
const native = await buildApp({
  ...{ folder: buildFolder("updates"), name: "updates", app, manifest: manifest([]) },
});
const arm = await buildApp({
  ...{ folder: buildFolder("updates-arm"), name: "updates", app, manifest: manifest([]) },
  preset: "arm-lab",
});
const packagedProgram: PackagedProgram = ({ program: packed }) => packed && arm;
const program = readFileSync(arm.file);

const NOTIFIED = { SystemEventNotifications: true };
const MAY_DEFER = { ...NOTIFIED, SoftwareUpdateDeferral: true };

async function startFleet(manner: string, capabilities: object, body: "wasm" | "native") {
  const lab = await startService();
  const device = makeDevice(lab, { group: FIELD_TEST, packagedProgram });
  const first = parseManifest(
    JSON.stringify({
      ...{ SchemaVersion: 1, Name: "TestApp", ComponentId: COMPONENT, EntryPoint: "/bin/app" },
      ...{ CmdArgs: ["v1", manner], Capabilities: capabilities },
    }),
  );
  /** The app's process has a time of its own: no lab time passes while it works. */
  async function logged(line: string): Promise<void> {
    while (!device.log().includes(line)) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const image = { manifest: first, ...app, ...(body === "native" ? { native } : {}) };
  const begun = device.device.begin(image);
  await device.settle();
  await begun;
  await logged(`notified: ${capabilities === NOTIFIED || capabilities === MAY_DEFER}`);
  deployApp(lab, { wasm: app.wasm, program, args: ["v2", "deaf"] });
  return {
    ...{ lab, device, logged },
    check: () => device.device.updates.check(),
    /** What the first app said. */
    events: () => device.log().filter((line) => /^(event|deferred|notified|v1) ?/.test(line)),
    async stop() {
      await device.stop();
      await lab.stop();
    },
  };
}

/** The updates of one body, in the words of its app. */
async function deferral(body: "wasm" | "native") {
  const { device, logged, check, events, stop } = await startFleet("once", MAY_DEFER, body);
  const checked = check();
  await logged("deferred: true");
  await logged("event 1 status 3 type 1 max 14400");
  assert.is(device.device.updates.status().phase, "deferred");
  await device.run(58 * MINUTE);
  assert.not.ok(device.log().includes("v2 started"));
  await device.run(2 * MINUTE);
  await logged("event 1 status 1 type 1 max 14340");
  await device.run(10_000);
  await logged("event 1 status 2 type 1 max 0");
  await device.run(10_000);
  await logged("v1 was asked to end");
  await device.run(MINUTE);
  await checked;
  await logged("v2 started");
  const said = events();
  await stop();
  return said;
}

test("an app defers an update for an hour, hears of everything, and ends for an ARM program", async () => {
  const native = await deferral("native");
  assert.ok(native.length >= 8, native.join("\n"));
  assert.equal(native, await deferral("wasm"));
});

test("without the capabilities it hears nothing, and is replaced all the same", async () => {
  const { device, logged, check, events, stop } = await startFleet("once", {}, "native");
  const checked = check();
  await device.run(21_000);
  await logged("v1 was asked to end");
  await checked;
  await logged("v2 started");
  assert.equal(
    events().filter((line) => line.startsWith("event")),
    [],
  );
  await stop();
});

test("with leave to hear only, a deferral is refused", async () => {
  const { device, logged, check, stop } = await startFleet("once", NOTIFIED, "native");
  const checked = check();
  await logged("deferred: false");
  await device.run(21_000);
  await checked;
  await logged("v2 started");
  await stop();
});

test.run();
