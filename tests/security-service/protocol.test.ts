import { type KeyObject, X509Certificate } from "node:crypto";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileApp } from "../../host-sim/compiler/compile.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { generateKeyPair, privateKeyPem, splitPem } from "../../host-sim/pki/index.ts";
import { answerChallenge, manufactureDevice } from "../../host-sim/security-service/index.ts";
import { deployApp, FIELD_TEST, makeDevice } from "./device.ts";
import { type Reply, send, startService, type TestService } from "./support.ts";

const test = suite<{ lab: TestService }>("what devices ask the Security Service over HTTPS");
test.before.each(async (context) => {
  context.lab = await startService();
});
test.after.each(({ lab }) => lab.stop());

const DAY = 86_400_000;
const error = ({ status, body }: Reply) => [status, body.error.code];
const spki = (key: KeyObject) => key.export({ type: "spki", format: "der" }).toString("base64");
const STATE = { osVersion: "24.03", installed: [] };

/** Attests as the device does; `change` may spoil the request. */
async function attest(
  lab: TestService,
  device = manufactureDevice(),
  change: (request: Record<string, string>) => object = (request) => request,
) {
  const key = generateKeyPair();
  const { body } = await send(`${lab.url}/device/v1/attestation/nonce`, "POST", {});
  const request = {
    deviceId: device.deviceId,
    nonce: body.nonce as string,
    publicKey: spki(key.publicKey),
    signature: answerChallenge(device.attestationKey, body.nonce, key.publicKey),
  };
  const reply = await send(`${lab.url}/device/v1/attestation`, "POST", change(request));
  return { reply, key: privateKeyPem(key.privateKey) };
}

const manifest = (lab: TestService, identity: { key: string; cert: string } | undefined) =>
  send(`${lab.url}/device/v1/update/manifest`, "POST", STATE, identity);

test("an unclaimed device gets the update certificate alone, a claimed one both", async ({
  lab,
}) => {
  const device = manufactureDevice();
  const before = (await attest(lab, device)).reply;
  assert.is(before.status, 200);
  assert.equal(Object.keys(before.body), ["update"]);
  lab.service.claim(lab.tenantId, device.deviceId);
  const { body } = (await attest(lab, device)).reply;
  assert.is(body.customer.tenantId, lab.tenantId);
  const leaf = new X509Certificate(splitPem(body.customer.certificate)[0] ?? "");
  assert.is(leaf.subject, `CN=${device.deviceId}`);
});

test("spoiled attestations are refused", async ({ lab }) => {
  const thief = manufactureDevice();
  const spoil = async (change: (request: Record<string, string>) => object) =>
    error((await attest(lab, manufactureDevice(), change)).reply);
  const failed = [401, "AttestationFailed"];
  assert.equal(await spoil((request) => ({ ...request, deviceId: thief.deviceId })), failed);
  assert.equal(await spoil((request) => ({ ...request, nonce: "00" })), failed);
  assert.equal(await spoil((request) => ({ ...request, deviceId: "zz" })), failed);
  assert.equal(await spoil((request) => ({ ...request, signature: "AAAA" })), failed);
  const unclear = [400, "InvalidRequestContent"];
  assert.equal(await spoil((request) => ({ ...request, publicKey: "AAAA" })), unclear);
  assert.equal(await spoil(() => [1]), unclear);
  const other = generateKeyPair("P-384");
  assert.equal(
    await spoil((request) => ({ ...request, publicKey: spki(other.publicKey) })),
    unclear,
  );
});

test("updates are asked for with the update certificate only", async ({ lab }) => {
  const device = lab.claimed();
  const { reply, key } = await attest(lab, device);
  const { update, customer } = reply.body;
  const answer = await manifest(lab, { key, cert: update.certificate });
  assert.is(answer.status, 200);
  assert.is(answer.body.osVersion, "24.03");
  assert.is(answer.body.deployment, null);
  const refused = [401, "CertificateRefused"];
  assert.equal(error(await manifest(lab, undefined)), refused);
  assert.equal(error(await manifest(lab, { key, cert: customer.certificate })), refused);
  const image = answer.body.os[0].path;
  assert.equal(error(await send(`${lab.url}${image}`, "GET")), refused);
  lab.clock.advance(DAY + 1000);
  const late = await manifest(lab, { key, cert: update.certificate });
  assert.equal(error(late), refused);
  assert.match(late.body.error.message, "expired");
  lab.clock.setTime(lab.clock.now() - 3 * DAY);
  const early = await manifest(lab, { key, cert: update.certificate });
  assert.equal(error(early), refused);
});

test("a certificate of which one bit was changed is never accepted", async ({ lab }) => {
  const device = lab.claimed();
  const { reply, key } = await attest(lab, device);
  const [leaf = ""] = splitPem(reply.body.update.certificate);
  const der = new X509Certificate(leaf).raw;
  await fc.assert(
    fc.asyncProperty(fc.nat(der.length - 1), fc.nat(7), async (at, bit) => {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      const cert = `-----BEGIN CERTIFICATE-----\n${changed.toString("base64")}\n-----END CERTIFICATE-----\n`;
      const status = await manifest(lab, { key, cert }).then(
        (answer) => answer.status,
        () => "no connection",
      );
      assert.is.not(status, 200);
    }),
    { numRuns: 60 },
  );
  assert.is((await manifest(lab, { key, cert: leaf })).status, 200);
});

test("states and reports that are none are refused, and leave no trace", async ({ lab }) => {
  const device = lab.claimed();
  const { reply, key } = await attest(lab, device);
  const identity = { key, cert: reply.body.update.certificate };
  const ask = (path: string, body: unknown) =>
    send(`${lab.url}/device/v1/${path}`, "POST", body, identity);
  const unclear = [400, "InvalidRequestContent"];
  for (const body of [{}, { osVersion: "24.03" }, { ...STATE, installed: [3] }, Buffer.from("{")]) {
    assert.equal(error(await ask("update/manifest", body)), unclear);
  }
  assert.equal(error(await ask("update/report", { ...STATE, events: [{}] })), unclear);
  assert.is(lab.service.devices.get(lab.tenantId, device.deviceId).lastUpdateRequestUtc, null);
  assert.is((await ask("nothing", STATE)).status, 404);
  const none = await send(`${lab.url}/device/v1/os-images/none`, "GET", undefined, identity);
  assert.equal(error(none), [404, "ResourceNotFound"]);
});

test("an app whose manifest names another tenant is told why it never gets a connection", async ({
  lab,
}) => {
  const device = makeDevice(lab, { group: FIELD_TEST });
  const { wasm } = await compileApp({ projectFolder: packageFolder(), target: "debug" });
  const other = "99999999-0000-4000-8000-000000000000";
  const hub = "contoso.azure-devices.net";
  deployApp(lab, {
    wasm,
    args: ["--Hostname", hub],
    capabilities: {
      Gpio: [12, 13, 8],
      AllowedConnections: [hub],
      DeviceAuthentication: other,
      MutableStorage: { SizeKB: 8 },
    },
  });
  await device.device.begin();
  await device.run(120_000);
  const reason =
    `no connection: DeviceAuthentication of the manifest names tenant ${other}, ` +
    `the device belongs to ${lab.tenantId}`;
  const log = device.log();
  assert.ok(log.includes(reason), log.join("\n"));
  assert.is(device.device.status().hubConnected, false);
  await device.stop();
});

test.run();
