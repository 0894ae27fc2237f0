// deadline: 40 s
import azureIothub, { type Twin } from "azure-iothub";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  asOwner,
  bodyOf,
  connectDevice,
  errorOf,
  nextMessage,
  type RedirectedHub,
  startRedirectedHub,
} from "./support.ts";

const { Client, JobClient } = azureIothub;
const test = suite<{ lab: RedirectedHub }>("azure-iothub: twins, methods, queries, jobs");

test.before.each(async (context) => {
  context.lab = await startRedirectedHub();
  context.lab.hub.devices.create({ deviceId: "a" });
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

interface TwinBody {
  readonly etag: string;
  readonly deviceId: string;
  readonly tags: Record<string, unknown>;
  readonly properties: { readonly desired: Record<string, unknown> };
}

test("a new twin is empty, its sections have version 1", async ({ lab }) => {
  const twin = await bodyOf<Twin>(lab.registry.getTwin("a"));
  assert.is(twin.properties.desired.$version, 1);
  assert.is(twin.properties.reported.$version, 1);
  assert.equal(twin.tags, {});
});

test("a patch merges, null deletes, versions grow", async ({ lab }) => {
  await lab.registry.updateTwin("a", { properties: { desired: { x: { y: 1, z: 2 } } } }, "*");
  const patch = { properties: { desired: { x: { y: null } } } };
  const twin = await bodyOf<TwinBody>(lab.registry.updateTwin("a", patch, "*"));
  assert.equal(twin.properties.desired.x, { z: 2 });
  assert.is(twin.properties.desired.$version, 3);
});

test("Twin.update of the SDK object changes tags", async ({ lab }) => {
  const twin = await bodyOf<Twin>(lab.registry.getTwin("a"));
  await twin.update({ tags: { room: "lab" } });
  assert.equal(lab.hub.twins.get("a").tags, { room: "lab" });
});

test("a patch with a stale etag is InvalidEtagError", async ({ lab }) => {
  const twin = await bodyOf<TwinBody>(lab.registry.getTwin("a"));
  await lab.registry.updateTwin("a", { tags: { n: 1 } }, twin.etag);
  const error = await errorOf(lab.registry.updateTwin("a", { tags: { n: 2 } }, twin.etag));
  assert.is(error.name, "InvalidEtagError");
});

test("a patch of an unknown device's twin is DeviceNotFoundError", async ({ lab }) => {
  const error = await errorOf(lab.registry.updateTwin("x", { tags: {} }, "*"));
  assert.is(error.name, "DeviceNotFoundError");
});

test("a name with a dot is refused and nothing changes", async ({ lab }) => {
  const patch = { properties: { desired: { "a.b": 1, ok: 1 } } };
  assert.is((await errorOf(lab.registry.updateTwin("a", patch, "*"))).name, "ArgumentError");
  assert.equal(lab.hub.twins.get("a").desired.values, {});
});

test("tags over 8 KB are refused", async ({ lab }) => {
  const tags = Object.fromEntries([1, 2, 3].map((n) => [`t${n}`, "x".repeat(4000)]));
  await errorOf(lab.registry.updateTwin("a", { tags }, "*"));
  assert.equal(lab.hub.twins.get("a").tags, {});
});

test("desired properties ten levels deep are kept, eleven refused", async ({ lab }) => {
  const nested = (levels: number): object => (levels === 1 ? { x: 1 } : { x: nested(levels - 1) });
  const set = (desired: object) => lab.registry.updateTwin("a", { properties: { desired } }, "*");
  await set(nested(10));
  await errorOf(set(nested(11)));
});

for (const [what, value, ok] of [
  ["the largest integer", 4503599627370495, true],
  ["an integer that is too large", 4503599627370496, false],
  ["the smallest integer", -4503599627370496, true],
  ["an integer that is too small", -4503599627370497, false],
  ["a fraction", 1.5, true],
  ["a list", [1, { a: ["x"] }], true],
  ["a string of 4 KB", "x".repeat(4096), true],
  ["a string over 4 KB", "x".repeat(4097), false],
  ["a string of 4 KB in UTF-8", "é".repeat(2048), true],
  ["a string over 4 KB in UTF-8", "é".repeat(2049), false],
] as const) {
  test(`desired properties with ${what} are ${ok ? "kept" : "refused"}`, async ({ lab }) => {
    const patch = { properties: { desired: { value } } };
    const done = lab.registry.updateTwin("a", patch, "*");
    if (ok) await done;
    else assert.is((await errorOf(done)).name, "ArgumentError");
    assert.equal(lab.hub.twins.get("a").desired.values, ok ? { value } : {});
  });
}

for (const [what, name] of [
  ["a dollar sign", "$a"],
  ["a space", "a b"],
  ["a control character", "a\u0085"],
  ["no character", ""],
  ["more than 1 KB", "x".repeat(1025)],
]) {
  test(`a name with ${what} is refused`, async ({ lab }) => {
    for (const part of ["tags", "desired"]) {
      const values = { outer: { [name as string]: 1 } };
      const patch = part === "tags" ? { tags: values } : { properties: { desired: values } };
      assert.is((await errorOf(lab.registry.updateTwin("a", patch, "*"))).name, "ArgumentError");
    }
  });
}

test("desired properties have 32 KB; control characters do not count", async ({ lab }) => {
  const set = (last: string) => {
    const desired = Object.fromEntries(
      Array.from({ length: 8 }, (_, n) => [`k${n}`, n < 7 ? "x".repeat(4094) : last]),
    );
    return lab.registry.updateTwin("a", { properties: { desired } }, "*");
  };
  await set("x".repeat(4094));
  await set(`${"x".repeat(4093)}\n\ty`);
  await errorOf(set("x".repeat(4095)));
  assert.is(lab.hub.twins.get("a").desired.version, 3);
});

test("metadata tell when and with which version each property changed", async ({ lab }) => {
  await lab.registry.updateTwin("a", { properties: { desired: { x: { y: 1 }, z: 1 } } }, "*");
  lab.clock.advance(1000);
  await lab.registry.updateTwin("a", { properties: { desired: { x: { y: 2 } } } }, "*");
  const { $metadata } = (await bodyOf<TwinBody>(lab.registry.getTwin("a"))).properties.desired;
  const [early, late] = ["2026-06-01T00:00:00.000Z", "2026-06-01T00:00:01.000Z"];
  const latest = { $lastUpdated: late, $lastUpdatedVersion: 3 };
  assert.equal($metadata, {
    ...latest,
    x: { ...latest, y: latest },
    z: { $lastUpdated: early, $lastUpdatedVersion: 2 },
  });
});

test("null in place of tags or desired properties clears them", async ({ lab }) => {
  await lab.registry.updateTwin("a", { tags: { t: 1 }, properties: { desired: { d: 1 } } }, "*");
  await lab.registry.updateTwin("a", { tags: null, properties: { desired: null } } as never, "*");
  const { tags, desired } = lab.hub.twins.get("a");
  assert.equal([tags, desired.values], [{}, {}]);
});

test("a replaced twin has what was put, and the device gets the whole section", async ({ lab }) => {
  const patch = { tags: { old: 1 }, properties: { desired: { gone: 1, nested: { old: 1 } } } };
  await lab.registry.updateTwin("a", patch, "*");
  const { authentication } = lab.hub.devices.get("a");
  assert.is(authentication.type, "sas");
  const client = await lab.dial(lab.device("mqtt"));
  await client.subscribeAsync("$iothub/twin/PATCH/properties/desired/#");
  const pushed = nextMessage(client, "$iothub/twin/PATCH/properties/desired/");
  lab.hub.twins.patch("mqtt", { desired: { gone: 1 } });
  await pushed;
  const whole = nextMessage(client, "$iothub/twin/PATCH/properties/desired/");
  const body = {
    tags: { fresh: 1 },
    properties: { desired: { nested: { fresh: 1 }, none: null } },
  };
  for (const id of ["a", "mqtt"]) {
    assert.is((await asOwner(lab, "PUT", `/twins/${id}`, { body })).status, 200);
  }
  const { tags, desired } = lab.hub.twins.get("a");
  assert.equal(tags, { fresh: 1 });
  assert.equal(desired.values, { nested: { fresh: 1 } });
  assert.equal(Object.keys(desired.metadata).sort(), [
    "$lastUpdated",
    "$lastUpdatedVersion",
    "nested",
  ]);
  assert.equal(JSON.parse((await whole).text), { nested: { fresh: 1 }, $version: 3 });
});

test("a replacement that is refused changes nothing", async ({ lab }) => {
  await lab.registry.updateTwin("a", { tags: { t: 1 } }, "*");
  const before = lab.hub.twins.get("a");
  const bad = { tags: {}, properties: { desired: { "a b": 1 } } };
  assert.is((await asOwner(lab, "PUT", "/twins/a", { body: bad })).status, 400);
  const headers = { "if-match": '"old"' };
  const stale = await asOwner(lab, "PUT", "/twins/a", { body: { tags: {} }, headers });
  assert.is(stale.status, 412);
  assert.equal(lab.hub.twins.get("a"), before);
});

test("the etag of a twin changes with reported properties", async ({ lab }) => {
  const { etag } = lab.hub.twins.get("a");
  lab.hub.twins.patchReported("a", { r: 1 });
  const stale = lab.registry.updateTwin("a", { tags: { t: 1 } }, etag);
  assert.is((await errorOf(stale)).name, "InvalidEtagError");
});

test("a device hears of desired properties and reports its own", async ({ lab }) => {
  const device = await connectDevice(lab, "a");
  const twin = await device.getTwin();
  const heard = new Promise<unknown>((resolve) =>
    twin.on("properties.desired.mode", (value) => resolve(value)),
  );
  await lab.registry.updateTwin("a", { properties: { desired: { mode: "eco" } } }, "*");
  assert.is(await heard, "eco");
  await new Promise((resolve) => twin.properties.reported.update({ mode: "eco" }, resolve));
  const seen = await bodyOf<Twin>(lab.registry.getTwin("a"));
  assert.is(seen.properties.reported.mode, "eco");
  assert.ok(seen.properties.reported.$metadata.mode.$lastUpdated);
  await device.close();
});

test("module twins are their own", async ({ lab }) => {
  await lab.registry.addModule({ deviceId: "a", moduleId: "m" });
  const patch = { properties: { desired: { k: 1 } } };
  await lab.registry.updateModuleTwin("a", "m", patch, "*");
  assert.is(lab.hub.twins.get("a/m").desired.values.k, 1);
  assert.is(lab.hub.twins.get("a").desired.values.k, undefined);
});

interface Paged {
  readonly hasMoreResults: boolean;
  readonly continuationToken: string | undefined;
  next(token: string | undefined): Promise<{ result: Record<string, unknown>[] }>;
}

async function query(lab: RedirectedHub, text: string, size = 100) {
  const asked = lab.registry.createQuery(text, size) as unknown as Paged;
  const rows: Record<string, unknown>[] = [];
  while (asked.hasMoreResults) {
    // Without the token the SDK's promise form begins anew.
    const { result } = await asked.next(asked.continuationToken);
    rows.push(...result);
  }
  return rows;
}

function fleet(lab: RedirectedHub): void {
  for (const [deviceId, floor] of [
    ["b", 1],
    ["c", 2],
    ["d", 2],
  ] as const) {
    lab.hub.devices.create({ deviceId });
    lab.hub.twins.patch(deviceId, { tags: { floor, name: `room ${deviceId}` } });
  }
}

test("a query for all devices gives their twins, page by page", async ({ lab }) => {
  fleet(lab);
  const rows = await query(lab, "SELECT * FROM devices", 3);
  assert.equal(
    rows.map((row) => row.deviceId),
    ["a", "b", "c", "d"],
  );
});

for (const [text, expected] of [
  ["SELECT deviceId FROM devices WHERE tags.floor = 2", ["c", "d"]],
  ["SELECT deviceId FROM devices WHERE tags.floor > 1 AND NOT deviceId = 'c'", ["d"]],
  ["SELECT deviceId FROM devices WHERE deviceId IN ['a', 'd']", ["a", "d"]],
  ["SELECT deviceId FROM devices WHERE deviceId NIN ['a', 'd']", ["b", "c"]],
  ["SELECT deviceId FROM devices WHERE is_defined(tags.floor)", ["b", "c", "d"]],
  ["SELECT deviceId FROM devices WHERE STARTSWITH(tags.name, 'room') AND tags.floor <> 2", ["b"]],
  ["SELECT d.deviceId FROM devices d WHERE d.tags.floor >= 2", ["c", "d"]],
  ["SELECT TOP 1 deviceId FROM devices WHERE (tags.floor = 2 OR tags.floor = 1)", ["b"]],
] as const) {
  test(`query: ${text}`, async ({ lab }) => {
    fleet(lab);
    assert.equal(
      (await query(lab, text)).map((row) => row.deviceId),
      [...expected],
    );
  });
}

test("a query groups and counts", async ({ lab }) => {
  fleet(lab);
  const text = "SELECT tags.floor AS floor, COUNT() AS n FROM devices WHERE is_defined(tags.floor)";
  assert.equal(await query(lab, `${text} GROUP BY tags.floor`), [
    { floor: 1, n: 1 },
    { floor: 2, n: 2 },
  ]);
});

test("a query that cannot be read is ArgumentError and says where", async ({ lab }) => {
  const error = await errorOf(query(lab, "SELECT * FROM devices WHERE ="));
  assert.is(error.name, "ArgumentError");
});

test("a query for modules gives module twins", async ({ lab }) => {
  await lab.registry.addModule({ deviceId: "a", moduleId: "m" });
  const rows = await query(lab, "SELECT * FROM devices.modules WHERE moduleId = 'm'");
  assert.is(rows[0]?.moduleId, "m");
});

const call = { methodName: "reboot", payload: { in: 5 }, responseTimeoutInSeconds: 10 };

test("a direct method reaches the device and its answer comes back", async ({ lab }) => {
  const device = await connectDevice(lab, "a");
  device.onDeviceMethod("reboot", (request, response) => {
    response.send(202, { echo: request.payload }).catch(() => {});
  });
  const service = Client.fromConnectionString(lab.connectionString);
  const wait = { ...call, connectTimeoutInSeconds: 10 };
  const result = (await service.invokeDeviceMethod("a", wait)) as { result: unknown };
  assert.equal(result.result, { status: 202, payload: { echo: { in: 5 } } });
  await device.close();
});

test("a direct method to a device that is not connected fails at once", async ({ lab }) => {
  const service = Client.fromConnectionString(lab.connectionString);
  const error = await errorOf(service.invokeDeviceMethod("a", call));
  assert.match(error.message, /Not found/i);
});

test("a direct method that is not answered in time is GatewayTimeoutError", async ({ lab }) => {
  const device = await connectDevice(lab, "a");
  device.onDeviceMethod("reboot", () => {});
  const service = Client.fromConnectionString(lab.connectionString);
  while (!lab.hub.connections.get("a")?.takesMethod("reboot")) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const refused = errorOf(service.invokeDeviceMethod("a", call));
  await new Promise((resolve) => setTimeout(resolve, 300));
  lab.clock.advance(11_000);
  assert.is((await refused).name, "GatewayTimeoutError");
  await device.close();
});

test("a response time-out out of range is ArgumentError", async ({ lab }) => {
  const service = Client.fromConnectionString(lab.connectionString);
  const wrong = { ...call, responseTimeoutInSeconds: 1 };
  assert.is((await errorOf(service.invokeDeviceMethod("a", wrong))).name, "ArgumentError");
});

test("a job updates the twins that its condition means", async ({ lab }) => {
  fleet(lab);
  const jobs = JobClient.fromConnectionString(lab.connectionString);
  const patch = { properties: { desired: { night: true } } };
  await jobs.scheduleTwinUpdate("j1", "tags.floor = 2", patch, new Date(lab.clock.now()), 60);
  lab.clock.advance(10);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const { jobStatus } = (await jobs.getJob("j1")) as unknown as {
    jobStatus: { status: string; deviceJobStatistics: { succeededCount: number } };
  };
  assert.is(jobStatus.status, "completed");
  assert.is(jobStatus.deviceJobStatistics.succeededCount, 2);
  assert.is(lab.hub.twins.get("c").desired.values.night, true);
  assert.is(lab.hub.twins.get("b").desired.values.night, undefined);
});

test("a job waits for its time and can be cancelled before", async ({ lab }) => {
  const jobs = JobClient.fromConnectionString(lab.connectionString);
  const later = new Date(lab.clock.now() + 60_000);
  await jobs.scheduleTwinUpdate("j1", "*", { tags: { x: 1 } }, later, 60);
  await jobs.cancelJob("j1");
  lab.clock.advance(61_000);
  assert.equal(lab.hub.twins.get("a").tags, {});
});

test("a configuration applies to the devices that its condition means", async ({ lab }) => {
  fleet(lab);
  await lab.registry.addConfiguration({
    id: "night",
    schemaVersion: "1.0",
    content: { deviceContent: { "properties.desired.light": { level: 1 } } },
    targetCondition: "tags.floor = 2",
    priority: 1,
  } as never);
  assert.equal(lab.hub.twins.get("d").desired.values, { light: { level: 1 } });
  assert.equal(lab.hub.twins.get("b").desired.values, {});
});

test("of two configurations the one of higher priority is applied", async ({ lab }) => {
  const add = (id: string, level: number, priority: number) =>
    lab.registry.addConfiguration({
      id,
      schemaVersion: "1.0",
      content: { deviceContent: { "properties.desired.level": level } },
      targetCondition: "*",
      priority,
    } as never);
  await add("high", 2, 20);
  await add("low", 1, 10);
  assert.is(lab.hub.twins.get("a").desired.values.level, 2);
});

test("configurations are listed, read and removed", async ({ lab }) => {
  const content = { deviceContent: {} };
  const one = { id: "c1", schemaVersion: "1.0", content, targetCondition: "", priority: 0 };
  await lab.registry.addConfiguration(one as never);
  const list = await bodyOf<{ id: string }[]>(lab.registry.getConfigurations());
  assert.equal(
    list.map(({ id }) => id),
    ["c1"],
  );
  await lab.registry.removeConfiguration("c1");
  await errorOf(lab.registry.getConfiguration("c1"));
});

test.run();
