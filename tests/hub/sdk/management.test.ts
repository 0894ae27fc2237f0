// deadline: 40 s
import { IotHubClient } from "@azure/arm-iothub";
import azureIothub from "azure-iothub";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createCertificate, generateKeyPair } from "../../../host-sim/pki/index.ts";
import {
  EVENT_HUB_NAME,
  errorOf,
  makeAuthority,
  makeLeaf,
  type RedirectedHub,
  rest,
  startRedirectedHub,
} from "./support.ts";

const test = suite<{ lab: RedirectedHub }>("@azure/arm-iothub");

test.before.each(async (context) => {
  context.lab = await startRedirectedHub();
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

/** The management SDK, with a credential that the lab takes. */
function management() {
  const token = { token: "lab", expiresOnTimestamp: Date.now() + 3_600_000 };
  return new IotHubClient({ getToken: async () => token }, "00000000-0000-0000-0000-000000000001");
}

const base64 = (pem: string) => Buffer.from(pem).toString("base64");

test("uploads a CA, gets a code and proves possession", async ({ lab }) => {
  const { certificates } = management();
  const authority = makeAuthority(lab.clock, "Second CA");
  const at = ["group", "contoso", "second"] as const;
  const properties = { certificate: base64(authority.certificate) };
  const made = await certificates.createOrUpdate(...at, { properties });
  assert.is(made.properties?.isVerified, false);
  const withCode = await certificates.generateVerificationCode(...at, made.etag ?? "");
  const code = (withCode.properties as { verificationCode?: string }).verificationCode ?? "";
  assert.match(code, /^[0-9A-F]{48}$/);
  const proof = base64(makeLeaf(authority, code, lab.clock.now()).cert);
  const verified = await certificates.verify(...at, withCode.etag ?? "", { certificate: proof });
  assert.is(verified.properties?.isVerified, true);
  const client = await lab.dial({
    ...lab.device("roll-over"),
    ...makeLeaf(authority, "roll-over", lab.clock.now()),
  });
  assert.ok(client.connected, "two verified authorities serve at once");
});

test("a proof by another authority is refused", async ({ lab }) => {
  const { certificates } = management();
  const authority = makeAuthority(lab.clock, "Second CA");
  const at = ["group", "contoso", "second"] as const;
  const properties = { certificate: base64(authority.certificate) };
  await certificates.createOrUpdate(...at, { properties });
  const code = lab.hub.certificates.generateVerificationCode("second");
  const certificate = base64(makeLeaf(lab.authority, code, lab.clock.now()).cert);
  await errorOf(certificates.verify(...at, "*", { certificate }));
  assert.is(lab.hub.certificates.get("second").isVerified, false);
});

test("a leaf is refused, and overwriting needs an etag", async ({ lab }) => {
  const { certificates } = management();
  const { cert } = makeLeaf(lab.authority, "x", lab.clock.now());
  await errorOf(
    certificates.createOrUpdate("g", "contoso", "leaf", {
      properties: { certificate: base64(cert) },
    }),
  );
  const properties = { certificate: base64(lab.authority.certificate) };
  await errorOf(certificates.createOrUpdate("g", "contoso", "ca", { properties }));
});

test("lists and deletes certificates, and a deleted CA lets nobody in", async ({ lab }) => {
  const { certificates } = management();
  const list = await certificates.listByIotHub("g", "contoso");
  assert.equal(
    list.value?.map((each) => each.name),
    ["ca"],
  );
  await certificates.delete("g", "contoso", "ca", list.value?.[0]?.etag ?? "");
  const error = await errorOf(lab.dial(lab.device("late")));
  assert.is((error as Error & { code: number }).code, 5);
});

test("reads the hub and its keys", async ({ lab }) => {
  const { iotHubResource } = management();
  const hub = await iotHubResource.get("g", "contoso");
  assert.is(hub.properties?.hostName, lab.hub.hostName);
  const names: (string | undefined)[] = [];
  for await (const key of iotHubResource.listKeys("g", "contoso")) names.push(key.keyName);
  assert.ok(names.includes("iothubowner"));
});

const statusOf = async (done: Promise<unknown>) =>
  ((await errorOf(done)) as Error & { statusCode?: number }).statusCode;

test("a new verification code makes the one before worthless", async ({ lab }) => {
  const { certificates } = management();
  const authority = makeAuthority(lab.clock, "Second CA");
  const at = ["group", "contoso", "second"] as const;
  await certificates.createOrUpdate(...at, {
    properties: { certificate: base64(authority.certificate) },
  });
  const codeOf = async () => {
    const { etag } = await certificates.get(...at);
    const { properties } = await certificates.generateVerificationCode(...at, etag ?? "");
    return (properties as { verificationCode?: string }).verificationCode ?? "";
  };
  const [old, fresh] = [await codeOf(), await codeOf()];
  assert.is.not(old, fresh);
  const verify = (code: string) => {
    const certificate = base64(makeLeaf(authority, code, lab.clock.now()).cert);
    return certificates.verify(...at, "*", { certificate });
  };
  assert.is(await statusOf(verify(old)), 400);
  assert.is((await verify(fresh)).properties?.isVerified, true);
});

test("an upload may be verified at once, by the owner's word", async ({ lab }) => {
  const { certificates } = management();
  const authority = makeAuthority(lab.clock, "Second CA");
  const properties = { certificate: base64(authority.certificate), isVerified: true };
  const made = await certificates.createOrUpdate("g", "contoso", "second", { properties });
  assert.is(made.properties?.isVerified, true);
  const leaf = makeLeaf(authority, "d", lab.clock.now());
  assert.ok((await lab.dial({ ...lab.device("d"), ...leaf })).connected);
});

test("a deleted CA refuses its devices at their next connect, not in the session", async ({
  lab,
}) => {
  const { certificates } = management();
  const client = await lab.dial(lab.device("d"));
  const { etag } = await certificates.get("g", "contoso", "ca");
  assert.is(await statusOf(certificates.delete("g", "contoso", "ca", "old")), 412);
  await certificates.delete("g", "contoso", "ca", etag ?? "");
  await client.publishAsync("devices/d/messages/events/", "on", { qos: 1 });
  await errorOf(lab.dial(lab.device("d")));
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "unknown-authority");
});

test("a CA that expires lets nobody in, and one that has expired is not taken", async ({ lab }) => {
  const options = lab.device("d");
  const key = generateKeyPair();
  const subject = { CN: "Old CA" };
  const certificate = createCertificate({
    ...{ subject, issuer: subject, publicKey: key.publicKey, issuerKey: key, authority: {} },
    ...{ notBefore: lab.clock.now() - 2000, notAfter: lab.clock.now() - 1000 },
  });
  const { certificates } = management();
  const properties = { certificate: base64(certificate) };
  assert.is(
    await statusOf(certificates.createOrUpdate("g", "contoso", "old", { properties })),
    400,
  );
  lab.clock.advance(366 * 86_400_000);
  const leaf = makeLeaf(lab.authority, "d", lab.clock.now());
  await errorOf(lab.dial({ ...options, ...leaf }));
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "expired");
});

test("a certificate's name and text are checked", async () => {
  const { certificates } = management();
  const put = (name: string, certificate: string) =>
    certificates.createOrUpdate("g", "contoso", name, { properties: { certificate } });
  assert.is(await statusOf(put("a b", "AAAA")), 400);
  assert.is(await statusOf(put("ok", "AAAA")), 400);
  assert.is(await statusOf(put("ok", "")), 400);
  assert.is(await statusOf(certificates.get("g", "contoso", "nobody")), 404);
});

test("IP filter rules and settings of messages are changed on the resource", async ({ lab }) => {
  const { iotHubResource } = management();
  const hub = await iotHubResource.get("g", "contoso");
  const change = async (properties: object, ifMatch = hub.etag) =>
    iotHubResource.beginCreateOrUpdateAndWait(
      ...["g", "contoso"],
      { ...hub, properties: { ...hub.properties, ...properties } },
      { ifMatch },
    );
  const ipFilterRules = [{ filterName: "all", action: "Reject", ipMask: "127.0.0.0/8" }];
  const cloudToDevice = { maxDeliveryCount: 2, defaultTtlAsIso8601: "PT10M" };
  const changed = await change({ ipFilterRules, cloudToDevice });
  assert.equal(changed.properties?.ipFilterRules, ipFilterRules);
  assert.is(changed.properties?.cloudToDevice?.defaultTtlAsIso8601, "PT10M");
  await errorOf(lab.registry.list());
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "ip-filter");
  assert.is(await statusOf(change({ ipFilterRules: [] })), 412);
  await change({ ipFilterRules: [], cloudToDevice }, "*");
  await lab.registry.list();
  lab.hub.devices.create({ deviceId: "a" });
  const { expires } = lab.hub.c2d.enqueue("a", { body: Buffer.from("x"), ack: "negative" });
  assert.is(expires, lab.clock.now() + 600_000);
  for (let n = 0; n < 2; n++) {
    const received = lab.hub.c2d.receive("a");
    lab.hub.c2d.abandon("a", received?.token ?? "");
  }
  assert.is(lab.hub.feedback.take()?.records[0]?.statusCode, "DeliveryCountExceeded");
});

const HOST = "management.azure.com";
const HUB_PATH =
  "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/contoso?api-version=2023-06-30";

test("settings that cannot be, or are left out, are refused and change nothing", async ({
  lab,
}) => {
  // The SDK checks some of them itself.
  const put = async (properties: object) =>
    (await rest(HUB_PATH, "Bearer x", "PUT", { body: { properties }, host: HOST })).status;
  const rule = { filterName: "r", action: "Reject", ipMask: "10.0.0.0/8" };
  for (const ipMask of ["10.0.0.0/33", "10.0.0", "::1/128"]) {
    assert.is(await put({ ipFilterRules: [{ ...rule, ipMask }] }), 400, ipMask);
  }
  assert.is(await put({ ipFilterRules: [{ ...rule, action: "Deny" }] }), 400);
  assert.is(await put({ ipFilterRules: {} }), 400);
  for (const maxDeliveryCount of [0, 101, "many"]) {
    assert.is(await put({ cloudToDevice: { maxDeliveryCount } }), 400);
  }
  for (const defaultTtlAsIso8601 of ["P3D", "PT30S", "PT", "an hour"]) {
    assert.is(await put({ cloudToDevice: { defaultTtlAsIso8601 } }), 400);
  }
  const route = { name: "r", source: "DeviceMessages", endpointNames: ["e"], isEnabled: true };
  assert.is(await put({ routing: { routes: [route] } }), 501);
  const $default = { connectionString: "x", containerName: "y" };
  assert.is(await put({ storageEndpoints: { $default } }), 501);
  const policy = { keyName: "mine", rights: "ServiceConnect" };
  assert.is(await put({ authorizationPolicies: [policy] }), 501);
  assert.equal(lab.hub.settings.get().ipFilterRules, []);
  assert.is(lab.hub.settings.get().maxDeliveryCount, 10);
});

test("consumer groups are made, listed, read and deleted", async ({ lab }) => {
  const { iotHubResource } = management();
  const at = ["g", "contoso", "events"] as const;
  const groups = async () => {
    const names: (string | undefined)[] = [];
    for await (const { name } of iotHubResource.listEventHubConsumerGroups(...at)) names.push(name);
    return names;
  };
  await iotHubResource.createEventHubConsumerGroup(...at, "mine", { properties: { name: "mine" } });
  assert.equal(await groups(), ["$Default", "mine"]);
  assert.is((await iotHubResource.getEventHubConsumerGroup(...at, "mine")).name, "mine");
  await iotHubResource.deleteEventHubConsumerGroup(...at, "mine");
  assert.equal(await groups(), ["$Default"]);
  assert.is(await statusOf(iotHubResource.getEventHubConsumerGroup(...at, "mine")), 404);
  assert.is(await statusOf(iotHubResource.deleteEventHubConsumerGroup(...at, "$Default")), 400);
  assert.is(lab.hub.consumerGroups.find("mine"), undefined);
});

test("a policy has two keys, and either signs tokens", async ({ lab }) => {
  const { iotHubResource } = management();
  const { primaryKey, secondaryKey } = await iotHubResource.getKeysForKeyName(
    ...(["g", "contoso", "service"] as const),
  );
  assert.ok(primaryKey && secondaryKey && primaryKey !== secondaryKey);
  for (const key of [primaryKey, secondaryKey]) {
    const client = azureIothub.Client.fromConnectionString(
      `HostName=${lab.hub.hostName};SharedAccessKeyName=service;SharedAccessKey=${key}`,
    );
    await client.open();
    await client.close();
  }
  assert.is(await statusOf(iotHubResource.getKeysForKeyName("g", "contoso", "nobody")), 404);
});

test("the hub is found in its subscription, with its endpoint and quota", async ({ lab }) => {
  const { iotHubResource } = management();
  const [hub] = await iotHubResource
    .listBySubscription()
    .byPage()
    .next()
    .then(({ value }) => value);
  assert.is(hub.name, "contoso");
  const { events } = hub.properties.eventHubEndpoints;
  assert.equal([events.path, events.endpoint], ["contoso", `sb://${EVENT_HUB_NAME}/`]);
  lab.hub.devices.create({ deviceId: "a" });
  const quotas: [string | undefined, number | undefined][] = [];
  for await (const { name, currentValue } of iotHubResource.listQuotaMetrics("g", "contoso")) {
    quotas.push([name, currentValue]);
  }
  assert.equal(quotas, [
    ["TotalMessages", 0],
    ["TotalDeviceCount", 1],
  ]);
});

test("a request without a bearer token is 401", async () => {
  const answer = await rest(HUB_PATH, "", "GET", { host: HOST });
  assert.is(answer.status, 401);
  assert.is(JSON.parse(answer.text).error.code, "AuthenticationFailed");
});

test.run();
