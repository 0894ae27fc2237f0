// deadline: 40 s
import { createServer } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import azureProvisioning from "azure-iot-provisioning-device";
import provisioningHttp from "azure-iot-provisioning-device-http";
import provisioningMqtt from "azure-iot-provisioning-device-mqtt";
import azureSymmetric from "azure-iot-security-symmetric-key";
import type { IClientOptions } from "mqtt";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../../host-sim/clock/index.ts";
import { derivedKey } from "../../../host-sim/hub/dps/attestation.ts";
import { createDps } from "../../../host-sim/hub/dps/dps.ts";
import { createHub } from "../../../host-sim/hub/hub.ts";
import type { JsonObject } from "../../../host-sim/hub/json.ts";
import { createSasToken } from "../../../host-sim/hub/service/sas.ts";
import { silentLogger } from "../../../host-sim/log.ts";
import { parseCertificate } from "../../../host-sim/pki/index.ts";
import { openMemoryStore } from "../../../host-sim/store/index.ts";
import { type Assigned, addGroup, register, service } from "./provisioning-support.ts";
import {
  bodyOf,
  CA,
  DPS_DEVICE_NAME,
  DPS_NAME,
  errorOf,
  makeAuthority,
  makeLeaf,
  nextMessage,
  type RedirectedHub,
  rest,
  startHub,
  startRedirectedHub,
  type TestHub,
} from "./support.ts";

const { ProvisioningDeviceClient } = azureProvisioning;
const test = suite<{ lab: RedirectedHub }>("registrations: proofs, refusals, bad input");

test.before.each(async (context) => {
  context.lab = await startRedirectedHub();
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

const lastRefusal = ({ hub }: Pick<TestHub, "hub">) => hub.refusals.list().at(-1);
const KEY = Buffer.from("a key for enrollments").toString("base64");
const keys = (primaryKey: string, secondaryKey = primaryKey) => ({
  attestation: { type: "symmetricKey", symmetricKey: { primaryKey, secondaryKey } },
});

async function registerWithKey(lab: RedirectedHub, id: string, key: string, http = false) {
  const client = ProvisioningDeviceClient.create(
    DPS_DEVICE_NAME,
    lab.dps.idScope,
    (http ? new provisioningHttp.Http() : new provisioningMqtt.Mqtt()) as never,
    new azureSymmetric.SymmetricKeySecurityClient(id, key) as never,
  );
  return (await client.register()) as unknown as Assigned;
}

for (const http of [false, true]) {
  test(`an own enrollment by symmetric key over ${http ? "HTTPS" : "MQTT"}`, async ({ lab }) => {
    const second = Buffer.from("another key for them").toString("base64");
    lab.dps.enrollments.put("sensor", keys(KEY, second), undefined);
    assert.is((await registerWithKey(lab, "sensor", KEY, http)).deviceId, "sensor");
    assert.is((await registerWithKey(lab, "sensor", second, http)).deviceId, "sensor");
    const { authentication } = lab.hub.devices.get("sensor");
    assert.equal(authentication, {
      type: "sas",
      symmetricKey: { primaryKey: KEY, secondaryKey: second },
    });
    await errorOf(registerWithKey(lab, "sensor", "QUJDRA==", http));
    assert.is(lastRefusal(lab)?.reason, "bad-token");
    assert.match(lastRefusal(lab)?.detail ?? "", "signature is wrong");
  });
}

test("a group by key takes devices of its second key too, whatever its own name", async ({
  lab,
}) => {
  const second = Buffer.from("another key for them").toString("base64");
  lab.dps.groups.put("sensor", keys(KEY, second), undefined);
  const own = derivedKey(second, "sensor");
  assert.is((await registerWithKey(lab, "sensor", own)).deviceId, "sensor");
  const { authentication } = lab.hub.devices.get("sensor");
  assert.ok(authentication.type === "sas");
  assert.is(authentication.symmetricKey.secondaryKey, own);
});

test("an own enrollment by a verified CA of the service", async ({ lab }) => {
  lab.dps.certificates.add("tenant", lab.authority.certificate, true);
  const attestation = { type: "x509", x509: { caReferences: { primary: "tenant" } } };
  lab.dps.enrollments.put("d1", { attestation }, undefined);
  assert.is((await register(lab, { id: "d1" })).deviceId, "d1");
  const other = makeLeaf(makeAuthority(lab.clock, "Other"), "d1", lab.clock.now());
  await errorOf(register(lab, { id: "d1", certificate: other }));
  assert.is(lastRefusal(lab)?.reason, "unknown-authority");
});

for (const http of [false, true]) {
  const over = http ? "HTTPS" : "MQTT";
  const reasonOf = async (lab: RedirectedHub, certificate: { cert: string; key: string }) => {
    await errorOf(register(lab, { id: "d1", certificate, http }));
    return lastRefusal(lab)?.reason;
  };

  test(`the exact reason of a refusal is kept over ${over}`, async ({ lab }) => {
    const now = lab.clock.now();
    assert.is(await reasonOf(lab, makeLeaf(lab.authority, "d1", now)), "not-enrolled");
    addGroup(lab);
    const leaf = (days: number) => makeLeaf(lab.authority, "d1", now + days * 86_400_000);
    assert.is(await reasonOf(lab, leaf(-2)), "expired");
    assert.is(await reasonOf(lab, leaf(1)), "not-yet-valid");
    assert.is(await reasonOf(lab, makeLeaf(lab.authority, "d2", now)), "name-mismatch");
    const clientCertificates = { primary: { certificate: leaf(0).cert } };
    const body = { attestation: { type: "x509", x509: { clientCertificates } } };
    lab.dps.enrollments.put("d1", body, undefined);
    assert.is(await reasonOf(lab, leaf(0)), "thumbprint-mismatch");
    assert.is(lastRefusal(lab)?.deviceId, "d1");
    assert.match(lastRefusal(lab)?.address ?? "", /^127\.0\.0\.1:\d+$/);
  });

  test(`a group's CA whose possession was not proved is told over ${over}`, async ({ lab }) => {
    lab.dps.certificates.add("tenant", lab.authority.certificate);
    const attestation = { type: "x509", x509: { caReferences: { primary: "tenant" } } };
    lab.dps.groups.put("g", { attestation }, undefined);
    const leaf = makeLeaf(lab.authority, "d1", lab.clock.now());
    assert.is(await reasonOf(lab, leaf), "authority-not-verified");
  });

  test(`a wrong id scope is told over ${over}`, async ({ lab }) => {
    addGroup(lab);
    await errorOf(register(lab, { scope: "0ne00000000", http }));
    assert.is(lastRefusal(lab)?.reason, "wrong-scope");
  });
}

/** A bare HTTPS request as the device `id`; without a certificate when there is none. */
function ask(
  lab: RedirectedHub,
  method: string,
  path: string,
  { id, body }: { id?: string; body?: string } = {},
) {
  const certificate = id === undefined ? {} : makeLeaf(lab.authority, id, lab.clock.now());
  return new Promise<{ status: number; body: JsonObject; retryAfter: string | undefined }>(
    (resolve, reject) => {
      const outgoing = httpsRequest({
        ...{ host: DPS_DEVICE_NAME, method, agent: false, ca: CA, ...certificate },
        path: `/${lab.dps.idScope}/registrations/${path}?api-version=2021-06-01`,
      });
      outgoing.on("error", reject);
      outgoing.on("response", async (incoming) => {
        let text = "";
        for await (const chunk of incoming) text += chunk;
        const { statusCode: status = 0, headers } = incoming;
        resolve({ status, body: JSON.parse(text), retryAfter: headers["retry-after"] });
      });
      outgoing.end(body);
    },
  );
}

test("over HTTPS each step wants the device's proof, and its own operation", async ({ lab }) => {
  addGroup(lab);
  const begun = await ask(lab, "PUT", "d1/register", { id: "d1" });
  assert.equal([begun.status, begun.body.status, begun.retryAfter], [202, "assigning", "0"]);
  const operation = `operations/${begun.body.operationId}`;
  await ask(lab, "PUT", "d2/register", { id: "d2" });
  assert.is((await ask(lab, "GET", `d1/${operation}`)).status, 401);
  assert.is((await ask(lab, "GET", `d2/${operation}`, { id: "d2" })).status, 401);
  assert.is((await ask(lab, "GET", "d1/operations/none", { id: "d1" })).status, 404);
  const done = await ask(lab, "GET", `d1/${operation}`, { id: "d1" });
  assert.is((done.body.registrationState as JsonObject).status, "assigned");
  assert.is((await ask(lab, "POST", "d1")).status, 401);
  assert.is((await ask(lab, "POST", "d1", { id: "d2" })).status, 401);
  const looked = await ask(lab, "POST", "d1", { id: "d1" });
  assert.equal([looked.status, looked.body.deviceId], [200, "d1"]);
  assert.is((await ask(lab, "POST", "d3", { id: "d3" })).status, 404);
});

test("bodies and ids that are none are bad requests over HTTPS", async ({ lab }) => {
  addGroup(lab);
  for (const body of ["{", "[]", '{"registrationId":"other"}']) {
    const answer = await ask(lab, "PUT", "d1/register", { id: "d1", body });
    assert.equal([answer.status, answer.body.errorCode], [400, 400004], body);
    assert.ok(answer.body.trackingId);
  }
  assert.is((await ask(lab, "PUT", "a%20b/register", { id: "a b" })).status, 400);
  assert.equal(lab.hub.devices.list(), []);
});

function mqttOptions(lab: TestHub, id: string, more: IClientOptions = {}): IClientOptions {
  return {
    ...lab.device(id),
    ...{ servername: DPS_DEVICE_NAME, clientId: id },
    username: `${lab.dps.idScope}/registrations/${id}/api-version=2019-03-31&ClientVersion=x`,
    ...more,
  };
}

test("bad input over MQTT is answered, and the next request served", async ({ lab }) => {
  addGroup(lab);
  const client = await lab.dial(mqttOptions(lab, "d1"));
  const granted = await client.subscribeAsync("$dps/registrations/res/#", { qos: 2 });
  assert.is(granted[0]?.qos, 1);
  const send = async (what: string, payload: string) => {
    const answer = nextMessage(client, "$dps/registrations/res/");
    client.publish(`$dps/registrations/${what}`, payload);
    const { topic, text } = await answer;
    return [topic, JSON.parse(text)] as const;
  };
  const at = "PUT/iotdps-register/?$rid=";
  for (const payload of ["{", "1", '{"registrationId":"d2"}']) {
    const [topic, { errorCode, message }] = await send(`${at}1`, payload);
    assert.equal([topic, errorCode], ["$dps/registrations/res/400/?$rid=1", 400004]);
    assert.ok(message);
  }
  const poll = "GET/iotdps-get-operationstatus/?$rid=2&operationId=none";
  assert.is((await send(poll, " "))[0], "$dps/registrations/res/404/?$rid=2");
  const [topic, { operationId, status }] = await send(`${at}3`, "");
  assert.is(topic, "$dps/registrations/res/202/?$rid=3&retry-after=0");
  assert.match(operationId, /^5\.[0-9a-f]{16}\.[0-9a-f-]{36}$/);
  assert.is(status, "assigning");
});

for (const [what, topic, qos, reason] of [
  ["a topic of its own making", "devices/d1/messages/events/", 0, "forbidden-topic"],
  ["QoS 2", "$dps/registrations/PUT/iotdps-register/?$rid=1", 2, "forbidden-qos"],
] as const) {
  test(`publishing with ${what} closes a registration's connection`, async ({ lab }) => {
    const client = await lab.dial(mqttOptions(lab, "d1"));
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.publish(topic, "{}", { qos });
    await closed;
    assert.is(lastRefusal(lab)?.reason, reason);
  });
}

test("a registration speaks MQTT 3.1.1 only", async ({ lab }) => {
  const old = mqttOptions(lab, "d1", { protocolId: "MQIsdp", protocolVersion: 3 });
  assert.is(((await errorOf(lab.dial(old))) as Error & { code?: number }).code, 1);
  assert.is(lastRefusal(lab)?.reason, "bad-protocol");
});

for (const [keepalive, seconds] of [
  [60, 90],
  [0, 1767],
] as const) {
  test(`a silent registration is let go after ${seconds} s`, async () => {
    const transportClock = new SteppedClock(0);
    const lab = await startHub(undefined, {}, transportClock);
    const client = await lab.dial(mqttOptions(lab, "d1", { keepalive }));
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    transportClock.advance(seconds * 1000);
    await closed;
    assert.is(lastRefusal(lab)?.reason, "keep-alive");
    await lab.stop();
  });
}

const owner = (lab: RedirectedHub, change: { expiry?: number; resource?: string } = {}) => {
  const { expiry = 60, resource = DPS_NAME } = change;
  const seconds = Math.floor(lab.clock.now() / 1000) + expiry;
  return createSasToken(resource, lab.dps.key, seconds, "provisioningserviceowner");
};

for (const [what, change, detail] of [
  ["an expired token", { expiry: -1 }, "expired"],
  ["a token for another service", { resource: "other.example.net" }, "another resource"],
] as const) {
  test(`${what} of an owner is 401, and its reason is kept`, async ({ lab }) => {
    const path = "/enrollments/d1?api-version=2021-10-01";
    const answer = await rest(path, owner(lab, change), "GET", { host: DPS_NAME });
    assert.is(answer.status, 401);
    assert.is(lastRefusal(lab)?.reason, "bad-token");
    assert.match(lastRefusal(lab)?.detail ?? "", detail);
  });
}

test("an enrollment that cannot be is refused, each for its reason", async ({ lab }) => {
  const put = async (body: unknown, id = "d1") => {
    const path = `/enrollments/${id}?api-version=2021-10-01`;
    const answer = await rest(path, owner(lab), "PUT", { body, host: DPS_NAME });
    return `${answer.status} ${JSON.parse(answer.text).message}`;
  };
  const x509 = { clientCertificates: { primary: { certificate: "AAAA" } } };
  assert.match(await put("{"), /^400 The body is no JSON/);
  assert.match(await put([]), /^400/);
  assert.match(await put({ attestation: { type: "tpm", tpm: {} } }), /^501 TPM attestation/);
  assert.match(await put({ attestation: { type: "x509", x509 } }), /^400 .*X\.509/);
  assert.match(await put(keys("short")), /^400 .*16 to 64 bytes/);
  assert.match(await put({ ...keys(KEY), allocationPolicy: "nearest" }), /^400 .*nearest/);
  assert.match(await put({ ...keys(KEY), allocationPolicy: "custom" }), /^400 .*webhookUrl/);
  const two = { ...keys(KEY), iotHubs: [lab.hub.hostName, "other.azure-devices.net"] };
  assert.match(await put(two), /^400 .*other\.azure-devices\.net is not linked/);
  assert.match(await put(keys(KEY), "ends-with."), /^400/);
  assert.equal(lab.dps.enrollments.list(), []);
});

test("enrollments are queried with a condition, page by page", async ({ lab }) => {
  for (const id of ["d1", "d2", "d3"]) {
    const provisioningStatus = id === "d2" ? "disabled" : "enabled";
    lab.dps.enrollments.put(id, { ...keys(KEY), provisioningStatus }, undefined);
  }
  const ask = async (query: string, size = 10) => {
    // Without the token the SDK begins anew with each page.
    const asked = service(lab).createIndividualEnrollmentQuery({ query }, size) as unknown as {
      readonly hasMoreResults: boolean;
      readonly continuationToken: string | undefined;
      next(token: string | undefined): Promise<unknown>;
    };
    const ids: string[] = [];
    do {
      const rows = await bodyOf<{ registrationId: string }[]>(asked.next(asked.continuationToken));
      ids.push(rows.map(({ registrationId }) => registrationId).join("+"));
    } while (asked.hasMoreResults);
    return ids.join(" ");
  };
  assert.is(await ask("SELECT * FROM enrollments", 2), "d1+d2 d3");
  assert.is(await ask("SELECT * FROM enrollments WHERE provisioningStatus = 'disabled'"), "d2");
  for (const query of ["SELECT registrationId FROM enrollments", "SELECT * WHERE ="]) {
    await errorOf(ask(query));
  }
});

test("a registration is deleted with its etag", async ({ lab }) => {
  addGroup(lab);
  await register(lab, { id: "d1" });
  const client = service(lab);
  const state = await bodyOf<Record<string, string>>(client.getDeviceRegistrationState("d1"));
  await register(lab, { id: "d1" });
  const stale = client.deleteDeviceRegistrationState(state as never);
  assert.is((await errorOf(stale)).name, "InvalidEtagError");
  assert.ok(lab.dps.registrations.find("d1"));
});

test("the registrations of a group are listed", async ({ lab }) => {
  addGroup(lab);
  for (const id of ["d1", "d2"]) await register(lab, { id });
  const asked = service(lab).createEnrollmentGroupDeviceRegistrationStateQuery(
    { query: "*" },
    "group",
    10,
  );
  const rows = await bodyOf<Assigned[]>(asked.next() as Promise<unknown>);
  assert.equal(
    rows.map(({ deviceId }) => deviceId),
    ["d1", "d2"],
  );
});

test("the attestation mechanism of certificates tells what they say", async ({ lab }) => {
  addGroup(lab);
  const { x509 } = await bodyOf<{
    x509: { signingCertificates: { primary: { info: { sha1Thumbprint: string } } } };
  }>(service(lab).getEnrollmentGroupAttestationMechanism("group"));
  const { info } = x509.signingCertificates.primary;
  assert.match(info.sha1Thumbprint, /^[0-9A-F]{40}$/);
});

test("a bulk request tells which enrollments failed", async ({ lab }) => {
  lab.dps.enrollments.put("d1", keys(KEY), undefined);
  const enrollments = ["d1", "d2"].map((registrationId) => ({ registrationId, ...keys(KEY) }));
  const body = { mode: "create", enrollments: [...enrollments, "none"] };
  const path = "/enrollments?api-version=2021-10-01";
  const answer = await rest(path, owner(lab), "POST", { body, host: DPS_NAME });
  const { isSuccessful, errors } = JSON.parse(answer.text);
  assert.is(isSuccessful, false);
  assert.equal(
    errors.map((each: JsonObject) => [each.registrationId, each.errorCode]),
    [
      ["d1", 409201],
      ["", 400004],
    ],
  );
  assert.ok(lab.dps.enrollments.find("d2"));
});

for (const [what, respond, message] of [
  ["no JSON", "hello", "no JSON object"],
  ["a hub that is not linked", '{"iotHubHostName":"other"}', "chose other"],
] as const) {
  test(`an allocation webhook that answers ${what} fails the registration`, async ({ lab }) => {
    const webhook = createServer((_request, response) => response.end(respond));
    await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
    const { port } = webhook.address() as AddressInfo;
    const webhookUrl = `http://127.0.0.1:${port}/`;
    const customAllocationDefinition = { webhookUrl, apiVersion: "x" };
    addGroup(lab, { allocationPolicy: "custom", customAllocationDefinition });
    const error = (await errorOf(register(lab, { id: "d1" }))) as Error & {
      result?: { registrationState?: { errorMessage?: string; errorCode?: number } };
    };
    const { errorMessage = "", errorCode } = error.result?.registrationState ?? {};
    assert.match(errorMessage, message);
    assert.is(errorCode, 400004);
    assert.equal(lab.hub.devices.list(), []);
    webhook.closeAllConnections();
    await new Promise((resolve) => webhook.close(resolve));
  });
}

test("a device that moves to a hub where its name exists leaves the hub before", async ({
  lab,
}) => {
  const { store, clock } = lab.hub;
  const second = createHub({
    ...{ hostName: "second.azure-devices.net", clock, logger: silentLogger },
    store: openMemoryStore(),
  });
  const options = { hostName: "x", store, clock, logger: silentLogger };
  const dps = createDps({ ...options, hubs: [lab.hub, second] });
  const leaf = parseCertificate(makeLeaf(lab.authority, "d", clock.now()).cert);
  const signingCertificates = { primary: { certificate: lab.authority.certificate } };
  const at = (hub: string) => ({
    ...{ attestation: { type: "x509", x509: { signingCertificates } }, iotHubs: [hub] },
  });
  const assign = async (hub: string) => {
    dps.groups.put("g", at(hub), dps.groups.find("g") && "*");
    dps.register({ leaf, presented: [], token: "", registrationId: "d" }, undefined);
    await new Promise(setImmediate);
  };
  await assign(lab.hub.hostName);
  lab.hub.twins.patch("d", { tags: { k: 1 } });
  second.devices.create({ deviceId: "d" });
  await assign(second.hostName);
  assert.is(lab.hub.devices.find("d"), undefined);
  assert.equal(second.twins.get("d").tags, { k: 1 });
  assert.is(second.devices.get("d").authentication.type, "selfSigned");
  assert.is(dps.registrations.find("d")?.substatus, "deviceDataMigrated");
  await second.stop();
});

test.run();
