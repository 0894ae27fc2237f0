// deadline: 40 s
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import azureProvisioning from "azure-iot-provisioning-device";
import provisioningMqtt from "azure-iot-provisioning-device-mqtt";
import provisioningService from "azure-iot-provisioning-service";
import azureSymmetric from "azure-iot-security-symmetric-key";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { derivedKey } from "../../../host-sim/hub/dps/attestation.ts";
import { createDps } from "../../../host-sim/hub/dps/dps.ts";
import { createHub } from "../../../host-sim/hub/hub.ts";
import { silentLogger } from "../../../host-sim/log.ts";
import {
  createCertificate,
  generateKeyPair,
  parseCertificate,
} from "../../../host-sim/pki/index.ts";
import { openMemoryStore } from "../../../host-sim/store/index.ts";
import {
  type Assigned,
  addGroup,
  DEVICE,
  groupBody,
  register,
  service,
} from "./provisioning-support.ts";
import {
  bodyOf,
  DPS_DEVICE_NAME,
  errorOf,
  makeAuthority,
  makeLeaf,
  type RedirectedHub,
  startRedirectedHub,
} from "./support.ts";

const { ProvisioningDeviceClient } = azureProvisioning;
const { ProvisioningServiceClient } = provisioningService;
const test = suite<{ lab: RedirectedHub }>("provisioning with the official SDKs");

test.before.each(async (context) => {
  context.lab = await startRedirectedHub();
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

test("a device of an enrollment group is assigned over MQTT, with a 128-digit id", async ({
  lab,
}) => {
  addGroup(lab);
  const assigned = await register(lab);
  assert.is(assigned.assignedHub, lab.hub.hostName);
  assert.is(assigned.deviceId, DEVICE);
  assert.is(lab.hub.devices.get(DEVICE).authentication.type, "selfSigned");
});

test("a device of an enrollment group is assigned over HTTPS", async ({ lab }) => {
  addGroup(lab);
  assert.is((await register(lab, { http: true })).deviceId, DEVICE);
});

test("the assigned identity lets the device in with the same certificate", async ({ lab }) => {
  addGroup(lab);
  const certificate = makeLeaf(lab.authority, DEVICE, lab.clock.now());
  await register(lab, { certificate });
  const client = await lab.dial({ ...lab.device(DEVICE), ...certificate });
  assert.ok(client.connected);
});

test("registering again renews the thumbprint", async ({ lab }) => {
  addGroup(lab);
  await register(lab);
  const before = lab.hub.devices.get(DEVICE).authentication;
  await register(lab);
  assert.not.equal(lab.hub.devices.get(DEVICE).authentication, before);
});

test("the initial twin is applied once", async ({ lab }) => {
  addGroup(lab, { initialTwin: { tags: { site: "x" }, properties: { desired: { n: 1 } } } });
  await register(lab);
  lab.hub.twins.patch(DEVICE, { desired: { n: 2 } });
  await register(lab);
  assert.equal(lab.hub.twins.get(DEVICE).tags, { site: "x" });
  assert.is(lab.hub.twins.get(DEVICE).desired.values.n, 2);
});

test("a device of an unknown CA is refused", async ({ lab }) => {
  addGroup(lab);
  const certificate = makeLeaf(makeAuthority(lab.clock, "Other CA"), DEVICE, lab.clock.now());
  await errorOf(register(lab, { certificate }));
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "not-enrolled");
});

test("a wrong id scope is refused", async ({ lab }) => {
  addGroup(lab);
  await errorOf(register(lab, { scope: "0ne00000000" }));
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "wrong-scope");
});

test("a certificate for another registration id is refused", async ({ lab }) => {
  addGroup(lab);
  const certificate = makeLeaf(lab.authority, "other", lab.clock.now());
  await errorOf(register(lab, { certificate }));
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "name-mismatch");
});

test("an expired certificate is refused", async ({ lab }) => {
  addGroup(lab);
  const certificate = makeLeaf(lab.authority, DEVICE, lab.clock.now() - 2 * 86_400_000);
  await errorOf(register(lab, { certificate }));
});

test("a disabled group tells the device that it is disabled", async ({ lab }) => {
  addGroup(lab, { provisioningStatus: "disabled" });
  const error = await errorOf(register(lab));
  assert.match(error.message, "disabled");
});

test("an own enrollment wins over the group, even when disabled", async ({ lab }) => {
  addGroup(lab);
  const certificate = makeLeaf(lab.authority, DEVICE, lab.clock.now());
  const x509 = { clientCertificates: { primary: { certificate: certificate.cert } } };
  const body = { attestation: { type: "x509", x509 }, provisioningStatus: "disabled" };
  lab.dps.enrollments.put(DEVICE, body, undefined);
  await errorOf(register(lab, { certificate }));
  assert.is(lab.hub.devices.find(DEVICE), undefined);
});

test("an own enrollment may name the device otherwise", async ({ lab }) => {
  const certificate = makeLeaf(lab.authority, DEVICE, lab.clock.now());
  const x509 = { clientCertificates: { primary: { certificate: certificate.cert } } };
  lab.dps.enrollments.put(
    DEVICE,
    { attestation: { type: "x509", x509 }, deviceId: "kitchen" },
    undefined,
  );
  assert.is((await register(lab, { certificate })).deviceId, "kitchen");
});

test("an own enrollment refuses another certificate of the same name", async ({ lab }) => {
  const x509 = {
    clientCertificates: {
      primary: { certificate: makeLeaf(lab.authority, DEVICE, lab.clock.now()).cert },
    },
  };
  lab.dps.enrollments.put(DEVICE, { attestation: { type: "x509", x509 } }, undefined);
  await errorOf(register(lab));
});

test("the group of the nearest certificate decides", async ({ lab }) => {
  const key = generateKeyPair();
  const subject = { CN: "Intermediate" };
  const certificate = createCertificate({
    subject,
    issuer: lab.authority.subject,
    publicKey: key.publicKey,
    issuerKey: lab.authority.key,
    notBefore: lab.clock.now(),
    notAfter: lab.clock.now() + 86_400_000,
    authority: {},
  });
  const leaf = makeLeaf({ subject, certificate, key }, DEVICE, lab.clock.now());
  addGroup(lab, { initialTwin: { tags: { from: "root" } } });
  const near = { signingCertificates: { primary: { certificate } } };
  const initialTwin = { tags: { from: "intermediate" } };
  lab.dps.groups.put("near", { attestation: { type: "x509", x509: near }, initialTwin }, undefined);
  await register(lab, { certificate: { ...leaf, cert: leaf.cert + certificate } });
  assert.equal(lab.hub.twins.get(DEVICE).tags, { from: "intermediate" });
});

test("a verified CA of the service serves groups by its name", async ({ lab }) => {
  lab.dps.certificates.add("tenant", lab.authority.certificate);
  const x509 = { caReferences: { primary: "tenant" } };
  lab.dps.groups.put("g", { attestation: { type: "x509", x509 } }, undefined);
  await errorOf(register(lab));
  const code = lab.dps.certificates.generateVerificationCode("tenant");
  lab.dps.certificates.verify("tenant", makeLeaf(lab.authority, code, lab.clock.now()).cert);
  assert.is((await register(lab)).deviceId, DEVICE);
});

test("a device with a key derived from its group's key is assigned", async ({ lab }) => {
  const primaryKey = Buffer.from("group key of the lab").toString("base64");
  const attestation = {
    type: "symmetricKey",
    symmetricKey: { primaryKey, secondaryKey: primaryKey },
  };
  lab.dps.groups.put("keys", { attestation }, undefined);
  const security = new azureSymmetric.SymmetricKeySecurityClient(
    "sensor-1",
    derivedKey(primaryKey, "sensor-1"),
  );
  const client = ProvisioningDeviceClient.create(
    DPS_DEVICE_NAME,
    lab.dps.idScope,
    new provisioningMqtt.Mqtt() as never,
    security as never,
  );
  const assigned = (await client.register()) as unknown as Assigned;
  assert.is(assigned.deviceId, "sensor-1");
  assert.is(lab.hub.devices.get("sensor-1").authentication.type, "sas");
});

test("a custom allocation gets the device's payload and answers with its own", async ({ lab }) => {
  let asked: { deviceRuntimeContext?: { payload?: unknown } } = {};
  const webhook = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      asked = JSON.parse(text);
      response.end(JSON.stringify({ iotHubHostName: lab.hub.hostName, payload: { floor: 3 } }));
    });
  });
  await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
  const { port } = webhook.address() as AddressInfo;
  addGroup(lab, {
    allocationPolicy: "custom",
    customAllocationDefinition: { webhookUrl: `http://127.0.0.1:${port}/`, apiVersion: "x" },
  });
  const assigned = await register(lab, { payload: { modelId: "dtmi:x;1" } });
  assert.equal(asked.deviceRuntimeContext?.payload, { modelId: "dtmi:x;1" });
  assert.equal(assigned.payload, { floor: 3 });
  webhook.closeAllConnections();
  await new Promise((resolve) => webhook.close(resolve));
});

/** A provisioning service with two hubs, and one device's registration with it. */
function twoHubs(lab: RedirectedHub) {
  const { store, clock } = lab.hub;
  const second = createHub({
    ...{ hostName: "second.azure-devices.net", clock, logger: silentLogger },
    store: openMemoryStore(),
  });
  const options = { hostName: "x", store, clock, logger: silentLogger };
  const dps = createDps({ ...options, hubs: [lab.hub, second] });
  return { dps, second };
}

async function assignOnce(dps: ReturnType<typeof createDps>, lab: RedirectedHub, id: string) {
  const leaf = parseCertificate(makeLeaf(lab.authority, id, lab.clock.now()).cert);
  const credentials = { leaf, presented: [], token: "", registrationId: id };
  const { operationId } = dps.register(credentials, undefined).body as { operationId: string };
  await new Promise((resolve) => setImmediate(resolve));
  const state = dps.operation(credentials, operationId).body.registrationState;
  return state as unknown as Assigned;
}

test("any process of the service may be asked for a registration, for an hour", async ({ lab }) => {
  const { store, clock } = lab.hub;
  const other = createDps({
    ...{ hostName: "x", store, clock, logger: silentLogger },
    hubs: [lab.hub],
  });
  lab.dps.groups.put("g", groupBody(lab) as never, undefined);
  const ask = (id: string) => {
    const leaf = parseCertificate(makeLeaf(lab.authority, id, lab.clock.now()).cert);
    const credentials = { leaf, presented: [], token: "", registrationId: id };
    const { operationId } = lab.dps.register(credentials, undefined).body as Record<string, string>;
    return () => other.operation(credentials, String(operationId));
  };
  const operation = ask("d");
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(operation().body.status, "assigned");
  lab.clock.advance(3_600_001);
  ask("e");
  assert.throws(operation, /There is no operation/);
});

test("devices are spread over two hubs, each always to the same", async ({ lab }) => {
  const { dps, second } = twoHubs(lab);
  dps.groups.put("g", groupBody(lab) as never, undefined);
  const hubs = new Set<string>();
  for (let n = 0; n < 12; n++) {
    const first = await assignOnce(dps, lab, `d${n}`);
    hubs.add(first.assignedHub);
    assert.is((await assignOnce(dps, lab, `d${n}`)).assignedHub, first.assignedHub);
  }
  assert.is(hubs.size, 2);
  second.stop();
});

for (const [migrateDeviceData, substatus, tags] of [
  [true, "deviceDataMigrated", { k: 1 }],
  [false, "deviceDataReset", {}],
] as const) {
  test(`re-provisioning to another hub: ${substatus}`, async ({ lab }) => {
    const { dps, second } = twoHubs(lab);
    const at = (hub: string) =>
      groupBody(lab, { iotHubs: [hub], reprovisionPolicy: { migrateDeviceData } }) as never;
    dps.groups.put("g", at(lab.hub.hostName), undefined);
    await assignOnce(dps, lab, "d");
    lab.hub.twins.patch("d", { tags: { k: 1 } });
    dps.groups.put("g", at(second.hostName), "*");
    const moved = await assignOnce(dps, lab, "d");
    assert.is(moved.substatus, substatus);
    assert.equal(second.twins.get("d").tags, tags);
    assert.is(lab.hub.devices.find("d"), undefined);
    second.stop();
  });
}

test("without updateHubAssignment a device stays where it is", async ({ lab }) => {
  const { dps, second } = twoHubs(lab);
  const at = (hub: string) =>
    groupBody(lab, { iotHubs: [hub], reprovisionPolicy: { updateHubAssignment: false } }) as never;
  dps.groups.put("g", at(lab.hub.hostName), undefined);
  await assignOnce(dps, lab, "d");
  dps.groups.put("g", at(second.hostName), "*");
  assert.is((await assignOnce(dps, lab, "d")).assignedHub, lab.hub.hostName);
  second.stop();
});

test("the service client makes, reads, changes and deletes a group", async ({ lab }) => {
  const client = service(lab);
  const body = { enrollmentGroupId: "g1", ...groupBody(lab) } as never;
  const made = await bodyOf<{ etag: string }>(client.createOrUpdateEnrollmentGroup(body));
  assert.ok(made.etag);
  const read = await bodyOf<Record<string, never>>(client.getEnrollmentGroup("g1"));
  const changed = { ...read, provisioningStatus: "disabled" } as never;
  await client.createOrUpdateEnrollmentGroup(changed);
  assert.is(lab.dps.groups.get("g1").enabled, false);
  await client.deleteEnrollmentGroup("g1");
  assert.is(lab.dps.groups.find("g1"), undefined);
});

test("the service client makes and lists individual enrollments", async ({ lab }) => {
  const client = service(lab);
  const { cert } = makeLeaf(lab.authority, "d1", lab.clock.now());
  const x509 = { clientCertificates: { primary: { certificate: cert } } };
  const body = { registrationId: "d1", attestation: { type: "x509", x509 } } as never;
  await client.createOrUpdateIndividualEnrollment(body);
  const query = client.createIndividualEnrollmentQuery({ query: "*" }, 10);
  const rows = await bodyOf<{ registrationId: string }[]>(query.next() as Promise<unknown>);
  assert.equal(
    rows.map((each) => each.registrationId),
    ["d1"],
  );
});

test("the service client runs bulk operations", async ({ lab }) => {
  const enrollments = ["d1", "d2"].map((registrationId) => ({
    registrationId,
    attestation: { type: "symmetricKey", symmetricKey: {} },
  }));
  // The SDK's promise form of this call never ends.
  const answer = await new Promise<{ isSuccessful?: boolean } | undefined>((resolve, reject) =>
    service(lab).runBulkEnrollmentOperation(
      { mode: "create", enrollments } as never,
      (error, result) => (error ? reject(error) : resolve(result as never)),
    ),
  );
  assert.is(answer?.isSuccessful, true);
  assert.is(lab.dps.enrollments.list().length, 2);
});

test("an enrollment that exists is not overwritten without its etag", async ({ lab }) => {
  addGroup(lab);
  const body = { enrollmentGroupId: "group", ...groupBody(lab) } as never;
  await errorOf(service(lab).createOrUpdateEnrollmentGroup(body));
});

test("a change that leaves the attestation out is refused as a bad request", ({ lab }) => {
  addGroup(lab);
  assert.throws(() => lab.dps.groups.put("group", {}, "*"), /An enrollment has an attestation/);
});

test("the service client reads and deletes a registration", async ({ lab }) => {
  addGroup(lab);
  await register(lab, { id: "d1" });
  const client = service(lab);
  const state = await bodyOf<Assigned>(client.getDeviceRegistrationState("d1"));
  assert.is(state.assignedHub, lab.hub.hostName);
  await client.deleteDeviceRegistrationState("d1");
  await errorOf(client.getDeviceRegistrationState("d1"));
});

test("the keys of an enrollment are only given by its attestation mechanism", async ({ lab }) => {
  const attestation = { type: "symmetricKey", symmetricKey: {} };
  lab.dps.enrollments.put("d1", { attestation }, undefined);
  const client = service(lab);
  const shown = await bodyOf<object>(client.getIndividualEnrollment("d1"));
  assert.not.match(JSON.stringify(shown), "primaryKey");
  const mechanism = await bodyOf<{ symmetricKey: { primaryKey: string } }>(
    client.getIndividualEnrollmentAttestationMechanism("d1"),
  );
  assert.ok(mechanism.symmetricKey.primaryKey);
});

test("a service client with a wrong key is UnauthorizedError", async ({ lab }) => {
  const text = lab.dps.connectionString.replace(/SharedAccessKey=.*/, "SharedAccessKey=QUJD");
  const error = await errorOf(
    ProvisioningServiceClient.fromConnectionString(text).getEnrollmentGroup("g"),
  );
  assert.is(error.name, "UnauthorizedError");
});

test.run();
