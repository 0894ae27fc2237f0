// deadline: 40 s
import azureIothub, { type Device } from "azure-iothub";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createSasToken } from "../../../host-sim/hub/service/sas.ts";
import {
  asOwner,
  bodyOf,
  errorOf,
  HUB_NAME,
  type RedirectedHub,
  rest,
  startRedirectedHub,
} from "./support.ts";

const { Registry } = azureIothub;
const test = suite<{ lab: RedirectedHub }>("azure-iothub: registry");

test.before.each(async (context) => {
  context.lab = await startRedirectedHub();
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

/** The SDK's types leave the field out. */
const typeOf = (device: Device) => (device.authentication as { type?: string } | undefined)?.type;

test("create without authentication makes symmetric keys", async ({ lab }) => {
  const device = await bodyOf<Device>(lab.registry.create({ deviceId: "a" }));
  assert.is(typeOf(device), "sas");
  assert.is(
    Buffer.from(device.authentication?.symmetricKey?.primaryKey ?? "", "base64").length,
    32,
  );
  assert.is(device.status, "enabled");
  assert.is(device.connectionState, "Disconnected");
});

test("create of a device that exists is DeviceAlreadyExistsError", async ({ lab }) => {
  await lab.registry.create({ deviceId: "a" });
  const error = await errorOf(lab.registry.create({ deviceId: "a" }));
  assert.is(error.name, "DeviceAlreadyExistsError");
});

test("get of an unknown device is DeviceNotFoundError", async ({ lab }) => {
  assert.is((await errorOf(lab.registry.get("nobody"))).name, "DeviceNotFoundError");
});

test("a device id of another alphabet is refused", async ({ lab }) => {
  assert.is((await errorOf(lab.registry.create({ deviceId: "a b" }))).name, "ArgumentError");
});

test("a device id with every allowed sign comes back unchanged", async ({ lab }) => {
  const deviceId = "Az09-.+%_#*?!(),:=@$';";
  await lab.registry.create({ deviceId });
  assert.is((await bodyOf<Device>(lab.registry.get(deviceId))).deviceId, deviceId);
});

test("update with any etag changes status and reason", async ({ lab }) => {
  await lab.registry.create({ deviceId: "a" });
  await lab.registry.update({ deviceId: "a", status: "disabled", statusReason: "lost" });
  const device = await bodyOf<Device>(lab.registry.get("a"));
  assert.is(device.status, "disabled");
  assert.is(device.statusReason, "lost");
});

test("update of an unknown device is DeviceNotFoundError", async ({ lab }) => {
  const error = await errorOf(lab.registry.update({ deviceId: "a" }));
  assert.is(error.name, "DeviceNotFoundError");
});

test("update keeps the keys and changes the etag", async ({ lab }) => {
  const before = await bodyOf<Device>(lab.registry.create({ deviceId: "a" }));
  const after = await bodyOf<Device>(lab.registry.update({ ...before, statusReason: "x" }));
  assert.equal(after.authentication?.symmetricKey, before.authentication?.symmetricKey);
  assert.is.not(after.etag, before.etag);
  assert.is(after.generationId, before.generationId);
});

test("update with an old etag is InvalidEtagError", async ({ lab }) => {
  const before = await bodyOf<Device & { etag: string }>(lab.registry.create({ deviceId: "a" }));
  await lab.registry.update({ deviceId: "a", statusReason: "x" });
  const headers = { "if-match": `"${before.etag}"` };
  const answer = await asOwner(lab, "PUT", "/devices/a", { body: { deviceId: "a" }, headers });
  assert.is(answer.status, 412);
  assert.is(answer.headers["iothub-errorcode"], "PreconditionFailed");
  const deleted = await asOwner(lab, "DELETE", "/devices/a", { headers });
  assert.is(deleted.status, 412);
  assert.ok(lab.hub.devices.find("a"));
});

test("a status reason has 128 characters at most, and null clears it", async ({ lab }) => {
  await lab.registry.create({ deviceId: "a", statusReason: "x".repeat(128) });
  const long = lab.registry.update({ deviceId: "a", statusReason: "x".repeat(129) });
  assert.is((await errorOf(long)).name, "ArgumentError");
  await lab.registry.update({ deviceId: "a", statusReason: null } as never);
  assert.is(lab.hub.devices.get("a").statusReason, null);
});

for (const [what, authentication] of [
  ["a key that is no base64", { symmetricKey: { primaryKey: "no key!", secondaryKey: "" } }],
  ["a key of 15 bytes", { symmetricKey: { primaryKey: "A".repeat(20), secondaryKey: "" } }],
  [
    "a thumbprint that is none",
    { type: "selfSigned", x509Thumbprint: { primaryThumbprint: "AB" } },
  ],
  ["a self-signed device without a thumbprint", { type: "selfSigned", x509Thumbprint: {} }],
  ["an unknown kind of authentication", { type: "password" }],
] as const) {
  test(`${what} is refused`, async ({ lab }) => {
    const made = lab.registry.create({ deviceId: "a", authentication } as never);
    assert.is((await errorOf(made)).name, "ArgumentError");
    assert.is(lab.hub.devices.find("a"), undefined);
  });
}

test("a device that was deleted and made again has an empty twin and an empty queue", async ({
  lab,
}) => {
  await lab.registry.create({ deviceId: "a" });
  await lab.registry.addModule({ deviceId: "a", moduleId: "m" });
  await lab.registry.updateTwin("a", { tags: { old: true } }, "*");
  await lab.registry.updateModuleTwin("a", "m", { tags: { old: true } }, "*");
  lab.hub.c2d.enqueue("a", { body: Buffer.from("old"), ack: "full" });
  await lab.registry.delete("a");
  await lab.registry.create({ deviceId: "a" });
  await lab.registry.addModule({ deviceId: "a", moduleId: "m" });
  assert.equal(lab.hub.twins.get("a").tags, {});
  assert.equal(lab.hub.twins.get("a/m").tags, {});
  assert.is(lab.hub.c2d.count("a"), 0);
  assert.is(lab.hub.feedback.take()?.records[0]?.statusCode, "Purged");
});

test("a device that was deleted and made again has another generation", async ({ lab }) => {
  const before = await bodyOf<Device>(lab.registry.create({ deviceId: "a" }));
  await lab.registry.delete("a");
  const after = await bodyOf<Device>(lab.registry.create({ deviceId: "a" }));
  assert.is.not(after.generationId, before.generationId);
});

test("delete of an unknown device is DeviceNotFoundError", async ({ lab }) => {
  assert.is((await errorOf(lab.registry.delete("a"))).name, "DeviceNotFoundError");
});

test("an X.509 CA-signed device has no keys", async ({ lab }) => {
  const device = await bodyOf<Device>(
    lab.registry.create({ deviceId: "a", authentication: { type: "certificateAuthority" } }),
  );
  assert.is(typeOf(device), "certificateAuthority");
  assert.is(device.authentication?.symmetricKey?.primaryKey, null);
});

test("a self-signed device keeps both thumbprints", async ({ lab }) => {
  const x509Thumbprint = {
    primaryThumbprint: "A".repeat(40),
    secondaryThumbprint: "B".repeat(64),
  };
  await lab.registry.create({
    deviceId: "a",
    authentication: { x509Thumbprint, type: "selfSigned" },
  });
  const device = await bodyOf<Device>(lab.registry.get("a"));
  assert.equal(device.authentication?.x509Thumbprint, x509Thumbprint);
});

test("list gives all devices", async ({ lab }) => {
  for (const deviceId of ["a", "b", "c"]) await lab.registry.create({ deviceId });
  const devices = await bodyOf<Device[]>(lab.registry.list());
  assert.equal(
    devices.map((device) => device.deviceId),
    ["a", "b", "c"],
  );
});

test("addDevices, updateDevices and removeDevices work in bulk", async ({ lab }) => {
  const devices = ["a", "b", "c"].map((deviceId) => ({ deviceId }));
  const added = await bodyOf<{ isSuccessful: boolean }>(
    lab.registry.addDevices(devices as Device[]),
  );
  assert.is(added.isSuccessful, true);
  const disabled = devices.map((each) => ({ ...each, status: "disabled" }));
  await lab.registry.updateDevices(disabled as Device[], true);
  assert.is(lab.hub.devices.get("b").status, "disabled");
  await lab.registry.removeDevices(devices as Device[], true);
  assert.equal(lab.hub.devices.list(), []);
});

test("a bulk request reports what failed and does the rest", async ({ lab }) => {
  await lab.registry.create({ deviceId: "b" });
  const devices = ["a", "b"].map((deviceId) => ({ deviceId }));
  await errorOf(lab.registry.addDevices(devices as Device[]));
  assert.ok(lab.hub.devices.find("a"));
});

test("a bulk request tells entries that are none, and old etags", async ({ lab }) => {
  const { etag } = lab.hub.devices.create({ deviceId: "a" });
  lab.hub.devices.update({ deviceId: "a", statusReason: "changed" }, etag);
  const entry = { id: "a", importMode: "updateIfMatchETag", status: "disabled" };
  const body = ["no entry", entry, { ...entry, eTag: etag }, { id: "b", importMode: "create" }];
  const answer = await asOwner(lab, "POST", "/devices", { body });
  assert.is(answer.status, 400);
  const { errors } = JSON.parse(answer.text) as { errors: Record<string, string>[] };
  assert.equal(
    errors.map(({ deviceId, errorCode }) => [deviceId, errorCode]),
    [
      ["", "ArgumentInvalid"],
      ["a", "PreconditionFailed"],
      ["a", "PreconditionFailed"],
    ],
  );
  assert.is(lab.hub.devices.get("a").status, "enabled");
  assert.ok(lab.hub.devices.find("b"));
});

test("a bulk request brings twins along, and changes them", async ({ lab }) => {
  const tags = { floor: 1 };
  const send = async (...body: object[]) =>
    (await asOwner(lab, "POST", "/devices", { body })).status;
  const properties = { desired: { on: true } };
  assert.is(await send({ id: "a", importMode: "create", tags, properties }), 200);
  assert.equal(lab.hub.twins.get("a").desired.values, { on: true });
  assert.is(await send({ id: "b", importMode: "create", tags: { "a b": 1 } }), 400);
  assert.is(lab.hub.devices.find("b"), undefined, "a device without its twin is none");
  assert.is(await send({ id: "a", importMode: "updateTwin", tags: { floor: 2 } }), 200);
  const stale = { id: "a", importMode: "updateTwinIfMatchETag", twinETag: "old", tags };
  assert.is(await send(stale), 400);
  assert.equal(lab.hub.twins.get("a").tags, { floor: 2 });
  const { etag } = lab.hub.twins.get("a");
  assert.is(await send({ ...stale, twinETag: `"${etag}"` }), 200);
  assert.equal(lab.hub.twins.get("a").tags, tags);
  assert.is(await send({ id: "nobody", importMode: "updateTwin", tags }), 400);
  assert.is(await send({ id: "a", importMode: "rename" }), 400);
});

test("a list takes from 1 to 1000 at a time", async ({ lab }) => {
  for (const deviceId of ["a", "b"]) lab.hub.devices.create({ deviceId });
  assert.is(JSON.parse((await asOwner(lab, "GET", "/devices?top=1")).text).length, 1);
  for (const top of ["0", "-1", "1.5", "many"]) {
    assert.is((await asOwner(lab, "GET", `/devices?top=${top}`)).status, 400, top);
  }
});

test("an id with a slash is refused, and is no way to a module", async ({ lab }) => {
  lab.hub.devices.create({ deviceId: "a" });
  lab.hub.devices.create({ deviceId: "a", moduleId: "m" });
  for (const path of ["/devices/a%2Fm", "/twins/a%2Fm", "/devices/a/modules/m%2Fn"]) {
    assert.is((await asOwner(lab, "GET", path)).status, 400, path);
  }
  assert.is((await asOwner(lab, "DELETE", "/devices/a%2Fm")).status, 400);
  const body = { type: "scheduleUpdateTwin", updateTwin: {} };
  assert.is((await asOwner(lab, "PUT", "/jobs/v2/a%2Fb", { body })).status, 400);
  assert.ok(lab.hub.devices.find("a/m"));
});

test("the 51st module of a device is refused", async ({ lab }) => {
  lab.hub.devices.create({ deviceId: "a" });
  for (let n = 1; n <= 50; n++) lab.hub.devices.create({ deviceId: "a", moduleId: `m${n}` });
  const answer = await asOwner(lab, "PUT", "/devices/a/modules/m51", { body: {} });
  assert.is(answer.status, 403);
  assert.is(answer.headers["iothub-errorcode"], "TooManyModulesOnDevice");
});

test("getServiceStatistics counts connected devices", async ({ lab }) => {
  await lab.dial(lab.device("d"));
  lab.device("away");
  const answer = await asOwner(lab, "GET", "/statistics/service");
  assert.equal(JSON.parse(answer.text), { connectedDeviceCount: 1 });
});

test("the IP filter turns services away with 401", async ({ lab }) => {
  const rule = { filterName: "no", action: "Reject", ipMask: "127.0.0.0/8" };
  lab.hub.settings.change({ ipFilterRules: [rule] });
  assert.is((await errorOf(lab.registry.list())).name, "UnauthorizedError");
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "ip-filter");
});

test("an error carries its name, a tracking id and the time", async ({ lab }) => {
  const { status, headers, text } = await asOwner(lab, "GET", "/devices/nobody");
  assert.is(status, 404);
  assert.is(headers["iothub-errorcode"], "DeviceNotFound");
  const { Message, ExceptionMessage } = JSON.parse(text);
  assert.match(Message, /^ErrorCode:DeviceNotFound;/);
  assert.match(ExceptionMessage, /^Tracking ID:[0-9a-f-]{36}-TimeStamp:2026-06-01T/);
});

test("a bulk request has at most 100 devices", async ({ lab }) => {
  const devices = Array.from({ length: 101 }, (_, index) => ({ deviceId: `d${index}` }));
  assert.is((await errorOf(lab.registry.addDevices(devices as Device[]))).name, "ArgumentError");
});

test("getRegistryStatistics counts enabled and disabled devices", async ({ lab }) => {
  await lab.registry.create({ deviceId: "a" });
  await lab.registry.create({ deviceId: "b", status: "disabled" });
  assert.equal(await bodyOf(lab.registry.getRegistryStatistics()), {
    totalDeviceCount: 2,
    enabledDeviceCount: 1,
    disabledDeviceCount: 1,
  });
});

test("modules are added, listed, read and removed", async ({ lab }) => {
  await lab.registry.create({ deviceId: "a" });
  await lab.registry.addModule({ deviceId: "a", moduleId: "m" });
  const modules = await bodyOf<{ moduleId: string }[]>(lab.registry.getModulesOnDevice("a"));
  assert.equal(
    modules.map((module) => module.moduleId),
    ["m"],
  );
  await lab.registry.getModule("a", "m");
  await lab.registry.removeModule("a", "m");
  await errorOf(lab.registry.getModule("a", "m"));
});

test("a module of an unknown device is refused", async ({ lab }) => {
  const error = await errorOf(lab.registry.addModule({ deviceId: "a", moduleId: "m" }));
  assert.is(error.name, "DeviceNotFoundError");
});

test("a device takes its modules along when it is deleted", async ({ lab }) => {
  await lab.registry.create({ deviceId: "a" });
  await lab.registry.addModule({ deviceId: "a", moduleId: "m" });
  await lab.registry.delete("a");
  assert.is(lab.hub.devices.find("a/m"), undefined);
});

test("a token of an unknown policy is UnauthorizedError, and its reason is kept", async ({
  lab,
}) => {
  const text = `HostName=${HUB_NAME};SharedAccessKeyName=nobody;SharedAccessKey=QUJD`;
  const error = await errorOf(Registry.fromConnectionString(text).get("a"));
  assert.is(error.name, "UnauthorizedError");
  assert.match(lab.hub.refusals.list().at(-1)?.detail ?? "", "no policy nobody");
});

test("a token with a wrong key is UnauthorizedError", async ({ lab }) => {
  const text = `HostName=${HUB_NAME};SharedAccessKeyName=iothubowner;SharedAccessKey=QUJD`;
  assert.is(
    (await errorOf(Registry.fromConnectionString(text).get("a"))).name,
    "UnauthorizedError",
  );
  assert.match(lab.hub.refusals.list().at(-1)?.detail ?? "", "signature is wrong");
});

test("an expired token is UnauthorizedError", async ({ lab }) => {
  const { key = "" } = lab.hub.policies.find("iothubowner") ?? {};
  const token = createSasToken(HUB_NAME, key, lab.clock.now() / 1000 - 1, "iothubowner");
  const registry = Registry.fromSharedAccessSignature(token);
  assert.is((await errorOf(registry.get("a"))).name, "UnauthorizedError");
  assert.match(lab.hub.refusals.list().at(-1)?.detail ?? "", "expired");
});

test("a token for another hub is UnauthorizedError", async ({ lab }) => {
  const { key = "" } = lab.hub.policies.find("iothubowner") ?? {};
  const other = "other.azure-devices.net";
  const expiry = lab.clock.now() / 1000 + 3600;
  const token = createSasToken(other, key, expiry, "iothubowner");
  const answer = await rest("/devices/a?api-version=2021-04-12", token);
  assert.is(answer.status, 401);
  assert.match(lab.hub.refusals.list().at(-1)?.detail ?? "", "another resource");
});

test("a policy that may only read the registry may not write it", async ({ lab }) => {
  const text = lab.hub.policies.connectionStringFor("registryRead");
  const registry = Registry.fromConnectionString(text);
  await bodyOf(registry.list());
  assert.is((await errorOf(registry.create({ deviceId: "a" }))).name, "UnauthorizedError");
});

test("a service policy may not touch the registry", async ({ lab }) => {
  const registry = Registry.fromConnectionString(lab.hub.policies.connectionStringFor("service"));
  assert.is((await errorOf(registry.get("a"))).name, "UnauthorizedError");
});

test("what is left out is refused with 501 NotImplemented", async ({ lab }) => {
  const { key = "" } = lab.hub.policies.find("iothubowner") ?? {};
  const token = createSasToken(HUB_NAME, key, lab.clock.now() / 1000 + 3600, "iothubowner");
  const answer = await rest("/digitaltwins/a?api-version=2021-04-12", token);
  assert.is(answer.status, 501);
  assert.is(answer.headers["iothub-errorcode"], "NotImplemented");
});

test("a request without an api-version is refused", async () => {
  const answer = await rest("/devices/a");
  assert.is(answer.status, 400);
});

test.run();
