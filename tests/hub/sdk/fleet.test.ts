// deadline: 40 s
import azureIothub from "azure-iothub";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createHub } from "../../../host-sim/hub/hub.ts";
import { silentLogger } from "../../../host-sim/log.ts";
import { openMemoryStore } from "../../../host-sim/store/index.ts";
import {
  asOwner,
  bodyOf,
  connectDevice,
  errorOf,
  HUB_NAME,
  type RedirectedHub,
  startRedirectedHub,
} from "./support.ts";

const { JobClient } = azureIothub;
const test = suite<{ lab: RedirectedHub }>("azure-iothub: jobs and configurations");

test.before.each(async (context) => {
  context.lab = await startRedirectedHub();
  for (const deviceId of ["a", "b"]) context.lab.hub.devices.create({ deviceId });
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

const FIVE_MINUTES = 300_000;

function configuration(id: string, more: object = {}) {
  const content = { deviceContent: { "properties.desired.mode": id } };
  return { id, schemaVersion: "1.0", content, targetCondition: "*", priority: 1, ...more } as never;
}

test("a configuration reaches a device that comes to match within five minutes", async ({
  lab,
}) => {
  await lab.registry.addConfiguration(configuration("night", { targetCondition: "tags.n = 1" }));
  await lab.registry.updateTwin("a", { tags: { n: 1 } }, "*");
  assert.is(lab.hub.twins.get("a").desired.values.mode, undefined);
  lab.clock.advance(FIVE_MINUTES);
  assert.is(lab.hub.twins.get("a").desired.values.mode, "night");
  assert.is(lab.hub.twins.get("b").desired.values.mode, undefined);
  lab.hub.devices.create({ deviceId: "c" });
  lab.hub.twins.patch("c", { tags: { n: 1 } });
  lab.clock.advance(FIVE_MINUTES);
  assert.is(lab.hub.twins.get("c").desired.values.mode, "night");
});

test("a configuration is applied once, not again every five minutes", async ({ lab }) => {
  await lab.registry.addConfiguration(configuration("night"));
  const { version } = lab.hub.twins.get("a").desired;
  lab.clock.advance(3 * FIVE_MINUTES);
  assert.is(lab.hub.twins.get("a").desired.version, version);
});

test("metrics of a configuration count what its queries find", async ({ lab }) => {
  const queries = { dark: "SELECT deviceId FROM devices WHERE properties.reported.dark = true" };
  await lab.registry.addConfiguration(configuration("night", { metrics: { queries } }));
  lab.hub.twins.patchReported("a", { dark: true });
  const read = await bodyOf<{ metrics: object; systemMetrics: { results: object } }>(
    lab.registry.getConfiguration("night"),
  );
  assert.equal(read.metrics, { queries, results: { dark: 1 } });
  assert.equal(read.systemMetrics.results, { targetedCount: 2, appliedCount: 2 });
});

test("a configuration that cannot be is refused and not kept", async ({ lab }) => {
  const refused = async (more: object, name: string) => {
    const error = await errorOf(lab.registry.addConfiguration(configuration("bad", more)));
    assert.is(error.name, name);
  };
  await refused({ targetCondition: "tags. =" }, "ArgumentError");
  await refused({ metrics: { queries: { x: "SELECT" } } }, "ArgumentError");
  await refused({ priority: -1 }, "ArgumentError");
  await refused({ content: { deviceContent: { "tags.x": 1 } } }, "ArgumentError");
  const edge = { content: { modulesContent: { $edgeAgent: { "properties.desired": {} } } } };
  const { response } = (await errorOf(
    lab.registry.addConfiguration(configuration("bad", edge)),
  )) as Error & { response?: { statusCode: number } };
  assert.is(response?.statusCode, 501);
  assert.equal(lab.hub.configurations.list(), []);
});

test("a configuration changes with its etag, and its content never", async ({ lab }) => {
  const made = await bodyOf<{ etag: string }>(
    lab.registry.addConfiguration(configuration("night")),
  );
  assert.is(
    (await errorOf(lab.registry.addConfiguration(configuration("night")))).name,
    "DeviceAlreadyExistsError",
  );
  const update = (more: object) =>
    lab.registry.updateConfiguration(configuration("night", { etag: made.etag, ...more }));
  await update({ priority: 5 });
  assert.is((await errorOf(update({ priority: 6 }))).name, "InvalidEtagError");
  const { etag } = lab.hub.configurations.get("night");
  const content = { deviceContent: { "properties.desired.mode": "day" } };
  assert.is((await errorOf(update({ etag, content }))).name, "ArgumentError");
  assert.is(lab.hub.configurations.get("night").priority, 5);
  const headers = { "if-match": '"old"' };
  assert.is((await asOwner(lab, "DELETE", "/configurations/night", { headers })).status, 412);
});

test("what does not fit one device's twin reaches the others", async ({ lab }) => {
  const full = Object.fromEntries(
    Array.from({ length: 8 }, (_, n) => [`k${n}`, "x".repeat(n < 7 ? 4094 : 4090)]),
  );
  lab.hub.twins.patch("a", { desired: full });
  await lab.registry.addConfiguration(configuration("night"));
  assert.is(lab.hub.twins.get("a").desired.values.mode, undefined);
  assert.is(lab.hub.twins.get("b").desired.values.mode, "night");
});

test("testQueries tells what is wrong with a condition and with metrics", async ({ lab }) => {
  const body = {
    targetCondition: "tags.floor >",
    customMetricQueries: { good: "SELECT * FROM devices", bad: "SELECT" },
  };
  const answer = await asOwner(lab, "POST", "/configurations/testQueries", { body });
  const { targetConditionError, customMetricQueryErrors } = JSON.parse(answer.text);
  assert.match(targetConditionError, "it ends where a value should follow");
  assert.equal(Object.keys(customMetricQueryErrors), ["bad"]);
});

test("applyConfigurationContentOnDevice patches the device's desired properties", async ({
  lab,
}) => {
  const content = { deviceContent: { "properties.desired.light.level": 3 } };
  await lab.registry.applyConfigurationContentOnDevice("a", content as never);
  assert.equal(lab.hub.twins.get("a").desired.values, { light: { level: 3 } });
});

test("a job calls a method on all devices that its condition means", async ({ lab }) => {
  const device = await connectDevice(lab, "a");
  device.onDeviceMethod("reboot", (_request, response) => {
    response.send(200, "rebooting").catch(() => {});
  });
  while (!lab.hub.connections.get("a")?.takesMethod("reboot")) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const jobs = JobClient.fromConnectionString(lab.connectionString);
  const call = { methodName: "reboot", payload: null, responseTimeoutInSeconds: 10 };
  await jobs.scheduleDeviceMethod(
    "j",
    "deviceId IN ['a', 'b']",
    call,
    new Date(lab.clock.now()),
    60,
  );
  lab.clock.advance(1);
  while (lab.hub.jobs.get("j").status === "running") {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { status, deviceJobStatistics } = lab.hub.jobs.get("j");
  assert.is(status, "failed");
  assert.is(deviceJobStatistics.succeededCount, 1);
  const query = "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j'";
  const { result } = (await lab.registry.createQuery(query).next()) as unknown as {
    result: { deviceId: string; status: string; outcome?: unknown; error?: { code: string } }[];
  };
  assert.equal(
    result.map(({ deviceId, outcome, error }) => [deviceId, outcome, error?.code]),
    [
      ["a", { deviceMethodResponse: { status: 200, payload: "rebooting" } }, undefined],
      ["b", undefined, "DeviceNotOnline"],
    ],
  );
  await device.close();
});

test("jobs are listed by type and status, and one name serves once", async ({ lab }) => {
  const jobs = JobClient.fromConnectionString(lab.connectionString);
  const later = new Date(lab.clock.now() + 60_000);
  await jobs.scheduleTwinUpdate("j1", "*", { tags: { x: 1 } }, later, 60);
  const again = jobs.scheduleTwinUpdate("j1", "*", { tags: { x: 1 } }, later, 60);
  assert.is((await errorOf(again)).name, "DeviceAlreadyExistsError");
  const names = async (type: string, status: string) => {
    const asked = jobs.createQuery(type as never, status as never) as unknown as {
      next(): Promise<{ result: { jobId: string }[] }>;
    };
    return (await asked.next()).result.map(({ jobId }) => jobId);
  };
  assert.equal(await names("scheduleUpdateTwin", "scheduled"), ["j1"]);
  assert.equal(await names("scheduleDeviceMethod", "scheduled"), []);
  assert.match((await errorOf(jobs.getJob("nobody"))).message, /not found/i);
});

test("a job that cannot be is refused", async ({ lab }) => {
  const refused = async (body: object) => {
    const answer = await asOwner(lab, "PUT", "/jobs/v2/j", { body });
    assert.is(answer.status, 400, JSON.stringify(body));
  };
  const update = { type: "scheduleUpdateTwin", updateTwin: { tags: {} } };
  await refused({ ...update, type: "export" });
  await refused({ ...update, updateTwin: undefined });
  await refused({ ...update, queryCondition: "tags. =" });
  await refused({ ...update, startTime: "tomorrow" });
  await refused({ ...update, maxExecutionTimeInSeconds: 0 });
  await refused({ type: "scheduleDeviceMethod", cloudToDeviceMethod: { methodName: "a/b" } });
  assert.equal(lab.hub.jobs.list(), []);
});

test("a job ends at its longest time, with what has not answered as failed", async ({ lab }) => {
  const body = {
    ...{ type: "scheduleDeviceMethod", queryCondition: "deviceId = 'a'" },
    cloudToDeviceMethod: { methodName: "m", connectTimeoutInSeconds: 300 },
    maxExecutionTimeInSeconds: 20,
  };
  await asOwner(lab, "PUT", "/jobs/v2/j", { body });
  lab.clock.advance(1);
  await new Promise(setImmediate);
  lab.clock.advance(20_000);
  await new Promise(setImmediate);
  const { status, failureReason, deviceJobStatistics } = lab.hub.jobs.get("j");
  assert.equal([status, failureReason], ["failed", "It took longer than 20 s"]);
  assert.is(deviceJobStatistics.failedCount, 1);
});

test("a job that a restart interrupted goes on with the devices that are left", async ({ lab }) => {
  const { clock } = lab;
  const options = { hostName: HUB_NAME, store: openMemoryStore(), clock, logger: silentLogger };
  const before = createHub(options);
  for (const deviceId of ["a", "b"]) before.devices.create({ deviceId });
  before.jobs.create({
    ...{ jobId: "j", type: "scheduleUpdateTwin", queryCondition: "*" },
    ...{ updateTwin: { tags: { done: true } }, startTime: clock.now() },
    maxExecutionTimeInSeconds: 60,
  });
  // As a kill leaves it: running, with one of two devices done.
  options.store.put("hub/jobs/j", { ...before.jobs.get("j"), status: "running" });
  options.store.put("hub/device-jobs/j/a", { jobId: "j", deviceId: "a", status: "completed" });
  await before.stop();
  const after = createHub(options);
  clock.advance(1);
  await new Promise(setImmediate);
  assert.is(after.jobs.get("j").status, "completed");
  assert.is(after.jobs.get("j").deviceJobStatistics.succeededCount, 2);
  assert.equal(after.twins.get("a").tags, {});
  assert.equal(after.twins.get("b").tags, { done: true });
  await after.stop();
});

test.run();
