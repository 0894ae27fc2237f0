import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createServerRoot } from "../../host-sim/pki/index.ts";
import { createSecurityServer, newSigningKey } from "../../host-sim/security-service/index.ts";
import { compileFixture } from "../assembly/support.ts";
import { deployApp, EVALUATION, FIELD_TEST, type FleetDevice, makeDevice } from "./device.ts";
import { credentials, startService, type TestService } from "./support.ts";

const test = suite<{ lab: TestService; devices: FleetDevice[] }>("updates over the air");
const { wasm } = await compileFixture("updates");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOTIFIED = { SystemEventNotifications: true };
const MAY_DEFER = { ...NOTIFIED, SoftwareUpdateDeferral: true };

test.before.each(async (context) => {
  context.lab = await startService();
  context.devices = [];
});
test.after.each(async ({ lab, devices }) => {
  for (const device of devices) await device.stop();
  await lab.stop();
});

const app = (version: string, manner = "deaf", capabilities: object = {}) => ({
  ...{ wasm, capabilities },
  args: [version, manner],
});

const installedOf = (device: FleetDevice) =>
  device.device.flash.deployed().map(({ imageId }) => imageId);

async function started(device: FleetDevice) {
  const start = device.device.begin();
  await device.settle();
  await start;
  await device.run(5_000);
}

test("a deployment reaches a device at its start, runs, and is reported", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  const imageId = deployApp(lab, app("v1"));
  await started(device);
  assert.ok(device.log().includes("v1 started"), device.log().join("\n"));
  assert.equal(installedOf(device), [imageId]);
  const [running] = device.device.applications.list();
  assert.is(running?.imageId, imageId, "the device's REST API names the image as the service does");
  const known = device.known();
  assert.ok(known.installed.some((image) => image.imageId === imageId));
  assert.is(known.lastInstalledOsVersion, "24.03");
  assert.is(device.device.status().state, "running");
  const [insight] = lab.service.insights.list(lab.tenantId);
  assert.is(insight?.eventCategory, "UpdateInstalled");
});

test("a new deployment comes with the daily check, and at once on demand", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  deployApp(lab, app("v1"));
  await started(device);
  deployApp(lab, app("v2"));
  await device.run(23 * HOUR);
  assert.not.ok(device.log().includes("v2 started"));
  await device.run(HOUR + MINUTE);
  assert.ok(device.log().includes("v2 started"));
  assert.ok(device.log().includes("v1 was asked to end"));
  deployApp(lab, app("v3"));
  await device.device.updates.check();
  assert.ok(device.log().includes("v3 started"));
});

test("after a restart of the device the app from the air runs again", async ({ lab, devices }) => {
  const first = makeDevice(lab, { group: FIELD_TEST });
  deployApp(lab, app("v1"));
  await started(first);
  await first.stop();
  const { store, manufactured } = first;
  const again = makeDevice(lab, { store, manufactured, group: FIELD_TEST });
  devices.push(again);
  await again.device.begin();
  assert.ok(again.log().includes("v1 started"));
});

test("an unassigned device and one of a group without apps get none", async ({ lab, devices }) => {
  const unassigned = makeDevice(lab);
  const group = { product: "Fridge", group: "Development" };
  const development = makeDevice(lab, { group });
  const developer = makeDevice(lab, { group: FIELD_TEST, appsToo: () => false });
  devices.push(unassigned, development, developer);
  deployApp(lab, app("v1"), group);
  deployApp(lab, app("v2"));
  for (const device of devices) {
    await started(device);
    assert.equal(installedOf(device), []);
  }
});

test("an empty deployment takes the app away", async ({ lab, devices }) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  deployApp(lab, app("v1"));
  await started(device);
  lab.service.deployments.create(lab.tenantId, FIELD_TEST, []);
  await device.device.updates.check();
  assert.equal(installedOf(device), []);
  assert.is(device.device.status().state, "stopped");
});

test("the app hears Started, Pending and Final, is asked to end ten seconds later, and is replaced", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  deployApp(lab, app("v1", "listen", NOTIFIED));
  await started(device);
  device.fresh();
  const from = lab.clock.now();
  deployApp(lab, app("v2"));
  const check = device.device.updates.check();
  await device.run(9_000);
  const before = device.fresh();
  assert.ok(before.includes("event 2 status 0 type -2 max -2"), before.join("\n"));
  assert.ok(before.includes("event 1 status 1 type 1 max 14400"), before.join("\n"));
  await device.run(2_000);
  assert.ok(device.fresh().includes("event 1 status 2 type 1 max 0"));
  assert.is(device.device.updates.status().phase, "pending");
  await device.run(10_000);
  await check;
  const after = device.fresh();
  assert.ok(after.includes("v1 was asked to end"));
  assert.ok(after.includes("v2 started"));
  assert.is(lab.clock.now() - from, 21_000);
  await device.run(DAY);
});

test("without the capability the app can defer nothing", async ({ lab, devices }) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  deployApp(lab, app("v1", "once", NOTIFIED));
  await started(device);
  deployApp(lab, app("v2"));
  const check = device.device.updates.check();
  await device.run(21_000);
  await check;
  assert.ok(device.log().includes("deferred: false"));
  assert.ok(device.log().includes("v2 started"));
});

test("an app that defers once hears Deferred, and Pending again after its hour", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  deployApp(lab, app("v1", "once", MAY_DEFER));
  await started(device);
  deployApp(lab, app("v2"));
  const check = device.device.updates.check();
  await device.run(59 * MINUTE);
  assert.ok(device.log().includes("deferred: true"));
  assert.ok(device.fresh().includes("event 1 status 3 type 1 max 14400"));
  assert.is(device.device.updates.status().phase, "deferred");
  await device.run(2 * MINUTE);
  await check;
  const after = device.fresh();
  assert.ok(after.includes("event 1 status 1 type 1 max 14340"), after.join("\n"));
  assert.ok(after.includes("v2 started"));
});

test("an app that always defers gets its update when the longest time is over", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  deployApp(lab, app("v1", "always", MAY_DEFER));
  await started(device);
  deployApp(lab, app("v2"));
  const check = device.device.updates.check();
  await device.run(239 * HOUR);
  assert.not.ok(device.log().includes("v2 started"));
  await device.run(HOUR + MINUTE);
  await check;
  assert.ok(device.log().includes("v2 started"));
});

test("a deferral ends early when the app resumes", async ({ lab, devices }) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  deployApp(lab, app("v1", "resume", MAY_DEFER));
  await started(device);
  deployApp(lab, app("v2"));
  const check = device.device.updates.check();
  await device.run(2 * MINUTE);
  await check;
  assert.ok(device.log().includes("resumed: true"));
  assert.ok(device.log().includes("v2 started"));
});

test("the system is updated before the app, restarts the device, and shows its version", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { group: EVALUATION });
  devices.push(device);
  deployApp(lab, app("v1", "once", MAY_DEFER), EVALUATION);
  await started(device);
  device.fresh();
  lab.service.releases.publish("24.09");
  deployApp(lab, app("v2"), EVALUATION);
  const check = device.device.updates.check();
  await device.run(HOUR);
  const lines = device.fresh();
  assert.ok(lines.includes("event 1 status 1 type 2 max 1440"), lines.join("\n"));
  await device.run(MINUTE);
  await check;
  await device.run(2 * HOUR);
  const after = device.fresh();
  const steps = [
    ...["update: Trusted Keystore", "update: Update Cert Store"],
    ...["update: NW Kernel", "update: NW Root Filesystem", "event 1 status 1 type 2"],
    ...["the device restarts", "v1 started", "update: TestApp", "v2 started"],
  ];
  const all = [...lines, ...after];
  const order = steps.map((step) => all.findIndex((line) => line.startsWith(step)));
  assert.equal(
    order,
    [...order].sort((a, b) => a - b),
    "prerequisites, then the system, then the app",
  );
  assert.ok(!order.includes(-1), all.join("\n"));
  assert.is(device.device.updates.status().osVersion, "24.09");
  const known = device.known();
  assert.is(known.lastInstalledOsVersion, "24.09");
  assert.is.not(known.lastOsUpdateUtc, null);
});

test("Retail has a release two weeks after RetailEval", async ({ lab, devices }) => {
  const retail = makeDevice(lab, { group: FIELD_TEST });
  devices.push(retail);
  await started(retail);
  lab.service.releases.publish("24.09");
  await retail.run(13 * DAY);
  assert.is(retail.device.updates.status().osVersion, "24.03");
  await retail.run(2 * DAY);
  assert.is(retail.device.updates.status().osVersion, "24.09");
});

test("a group without updates gets no new system either, until its policy changes", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  const { products, releases } = lab.service;
  products.patchGroup(lab.tenantId, FIELD_TEST, { updatePolicy: "NoUpdates" });
  releases.publish("24.09", true);
  deployApp(lab, app("v1"));
  await started(device);
  assert.is(device.device.updates.status().osVersion, "24.03");
  assert.is(device.device.updates.status().lastProblem, null);
  assert.equal(installedOf(device), []);
  products.patchGroup(lab.tenantId, FIELD_TEST, { updatePolicy: "No3rdPartyAppUpdates" });
  await device.run(DAY + MINUTE);
  assert.is(device.device.updates.status().osVersion, "24.09");
  assert.equal(installedOf(device), []);
});

test("an unclaimed device gets the system's updates and no certificate for apps", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { claim: false });
  devices.push(device);
  lab.service.releases.publish("24.09", true);
  await started(device);
  assert.is(device.device.updates.status().osVersion, "24.09");
  assert.is(device.deviceAuth.current(), undefined);
  assert.ok(device.log().some((line) => line.includes("belongs to no tenant")));
});

test("an image that the device's trust store does not know is refused, the old app runs on", async ({
  lab,
  devices,
}) => {
  const first = makeDevice(lab, { group: FIELD_TEST });
  const imageId = deployApp(lab, app("v1"));
  await started(first);
  await first.stop();
  const trusts = newSigningKey("another service", lab.clock.now()).certificate;
  const { store, manufactured } = first;
  const device = makeDevice(lab, { store, manufactured, group: FIELD_TEST, trusts });
  devices.push(device);
  deployApp(lab, app("v2"));
  await started(device);
  assert.ok(device.log().includes("v1 started"));
  assert.equal(installedOf(device), [imageId]);
  assert.match(device.device.updates.status().lastProblem ?? "", "is not trusted");
  const failure = lab.service.insights.list(lab.tenantId).find((insight) => {
    return insight.eventCategory === "UpdateFailure";
  });
  assert.match(failure?.description ?? "", "refused");
});

test("a package without wasm is refused before it takes the place of the running app", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  const imageId = deployApp(lab, app("v1"));
  await started(device);
  deployApp(lab, {});
  await device.device.updates.check();
  assert.equal(installedOf(device), [imageId]);
  assert.match(device.device.updates.status().lastProblem ?? "", "cannot run it");
  assert.is(device.device.status().state, "running");
});

test("a service that is down is asked again, with pauses that grow, and then all goes on", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  await lab.server.stop();
  deployApp(lab, app("v1"));
  await started(device);
  assert.match(device.device.updates.status().lastProblem ?? "", "cannot be reached");
  await device.run(HOUR);
  assert.is(device.log().filter((line) => line.startsWith("no update")).length, 1);
  assert.is(device.device.updates.status().lastCheck, null);
  const again = createSecurityServer(lab.service, {
    ...{ host: "127.0.0.1", port: lab.port, credentials },
  });
  await again.start();
  await device.run(HOUR);
  assert.ok(device.log().includes("v1 started"));
  assert.is(device.device.updates.status().lastProblem, null);
  await again.stop();
});

test("what is deployed while a look for updates is under way is found by who asks then", async ({
  lab,
  devices,
}) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  await started(device);
  const { updates } = lab.service;
  const { manifest } = updates;
  let asked: Promise<void> | undefined;
  updates.manifest = (...request) => {
    const answer = manifest(...request);
    updates.manifest = manifest;
    deployApp(lab, app("v1"));
    asked = device.device.updates.check();
    return answer;
  };
  await device.device.updates.check();
  assert.not.ok(device.log().includes("v1 started"));
  await asked;
  assert.ok(device.log().includes("v1 started"));
});

test("a network that comes back is used at once", async ({ lab, devices }) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  device.network.setUp(false);
  await device.device.begin();
  await device.run(HOUR);
  deployApp(lab, app("v1"));
  device.network.setUp(true);
  await device.run(1_000);
  assert.ok(device.log().includes("v1 started"));
});

test("a clock that is set back does not keep the device from its updates", async ({
  lab,
  devices,
}) => {
  lab.clock.setTime(lab.clock.now() + 20 * DAY);
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  await started(device);
  // Now the certificate that the device has is not valid yet; it has to ask for another.
  lab.clock.setTime(lab.clock.now() - 10 * DAY);
  deployApp(lab, app("v1"));
  await device.device.updates.check();
  assert.ok(device.log().includes("v1 started"), device.log().join("\n"));
});

test("a server that the device's root did not sign gets nothing", async ({ lab, devices }) => {
  const device = makeDevice(lab, { ca: createServerRoot().certificate });
  devices.push(device);
  await started(device);
  assert.is(device.deviceAuth.current(), undefined);
  assert.match(device.device.updates.status().lastProblem ?? "", "cannot be reached");
});

test("a crash of the app is an insight for its owner", async ({ lab, devices }) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  devices.push(device);
  const faults = await compileFixture("faults");
  deployApp(lab, { wasm: faults.wasm, args: ["divide"] });
  await started(device);
  await device.run(DAY + MINUTE);
  const crash = lab.service.insights.list(lab.tenantId).find((insight) => {
    return insight.eventCategory === "AppCrash";
  });
  assert.match(crash?.description ?? "", "exit code 68");
});

test.run();
