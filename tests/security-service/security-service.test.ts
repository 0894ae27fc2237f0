import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import type { LabError } from "../../host-sim/errors.ts";
import { silentLogger } from "../../host-sim/log.ts";
import {
  commonName,
  generateKeyPair,
  parseCertificate,
  splitPem,
  verifyChain,
} from "../../host-sim/pki/index.ts";
import {
  answerChallenge,
  createSecurityService,
  DAA_LIFETIME_MS,
  manufactureDevice,
} from "../../host-sim/security-service/index.ts";
import { openMemoryStore } from "../../host-sim/store/index.ts";

const test = suite("security service");

function setUp() {
  const clock = new SteppedClock();
  const store = openMemoryStore();
  const service = createSecurityService({ store, clock, logger: silentLogger });
  const { tenantId } = service.createTenant("contoso");
  return { clock, store, service, tenantId, device: manufactureDevice() };
}

function attest(service: ReturnType<typeof setUp>["service"], device = manufactureDevice()) {
  const { publicKey } = generateKeyPair();
  const nonce = service.nonce();
  const signature = answerChallenge(device.attestationKey, nonce, publicKey);
  return service.attest({ deviceId: device.deviceId, nonce, publicKey, signature });
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return "none";
  } catch (error) {
    return (error as LabError).code;
  }
}

test("a device id has 128 lower-case hex digits", () => {
  assert.match(manufactureDevice().deviceId, /^[0-9a-f]{128}$/);
});

test("a claimed device gets a leaf of 24 hours with its id, signed by the tenant", () => {
  const { clock, service, tenantId, device } = setUp();
  service.claim(tenantId, device.deviceId);
  const { certificate, notAfter } = attest(service, device);
  const [leaf, ...presented] = splitPem(certificate).map((pem) => parseCertificate(pem));
  assert.ok(leaf);
  if (!leaf) return;
  assert.is(commonName(leaf), device.deviceId);
  assert.is(notAfter - clock.now(), DAA_LIFETIME_MS);
  const anchors = [parseCertificate(service.certificates(tenantId)[0]?.pem ?? "")];
  assert.ok(verifyChain({ leaf, presented, anchors, time: clock.now() }).ok);
  const later = verifyChain({
    leaf,
    presented,
    anchors,
    time: clock.now() + DAA_LIFETIME_MS + 1000,
  });
  assert.is(later.ok ? "accepted" : later.reason, "expired");
});

test("the tenant CA's subject is the one that Azure Sphere uses", () => {
  const { service, tenantId } = setUp();
  const [entry] = service.certificates(tenantId);
  assert.is(
    parseCertificate(entry?.pem ?? "").subject.replaceAll("\n", ", "),
    `C=US, ST=Washington, L=Redmond, O=Microsoft Corporation, CN=Microsoft Azure Sphere ${tenantId}`,
  );
});

test("an unclaimed device gets no certificate", () => {
  const { service } = setUp();
  assert.is(
    codeOf(() => attest(service)),
    "device-unclaimed",
  );
});

test("a claim is for ever", () => {
  const { service, tenantId, device } = setUp();
  service.claim(tenantId, device.deviceId);
  service.claim(tenantId, device.deviceId);
  const other = service.createTenant("fabrikam");
  assert.is(
    codeOf(() => service.claim(other.tenantId, device.deviceId)),
    "device-claimed",
  );
});

test("another chip cannot attest under a borrowed id", () => {
  const { service, tenantId, device } = setUp();
  service.claim(tenantId, device.deviceId);
  const thief = { ...manufactureDevice(), deviceId: device.deviceId };
  assert.is(
    codeOf(() => attest(service, thief)),
    "attestation-failed",
  );
});

test("a nonce counts once and not after a minute", () => {
  const { clock, service, tenantId, device } = setUp();
  service.claim(tenantId, device.deviceId);
  const { publicKey } = generateKeyPair();
  const answer = (nonce: string) => ({
    deviceId: device.deviceId,
    nonce,
    publicKey,
    signature: answerChallenge(device.attestationKey, nonce, publicKey),
  });
  const once = answer(service.nonce());
  service.attest(once);
  assert.is(
    codeOf(() => service.attest(once)),
    "attestation-failed",
  );
  const late = answer(service.nonce());
  clock.advance(61_000);
  assert.is(
    codeOf(() => service.attest(late)),
    "attestation-failed",
  );
});

test("a proof of possession carries the code and the tenant's signature", () => {
  const { service, tenantId } = setUp();
  const proof = parseCertificate(service.proofOfPossession(tenantId, "AB12"));
  assert.is(commonName(proof), "AB12");
  const authority = parseCertificate(service.certificates(tenantId)[0]?.pem ?? "");
  assert.ok(proof.verify(authority.publicKey));
});

test("after a roll-over the new generation signs and the old one is listed", () => {
  const { service, tenantId, device } = setUp();
  service.claim(tenantId, device.deviceId);
  service.rotateAuthority(tenantId);
  const list = service.certificates(tenantId);
  assert.equal(
    list.map((entry) => entry.status),
    ["Inactive", "Active"],
  );
  const leaf = parseCertificate(splitPem(attest(service, device).certificate)[0] ?? "");
  assert.ok(leaf.verify(parseCertificate(list[1]?.pem ?? "").publicKey));
});

test("everything survives a restart of the service", () => {
  const { clock, store, service, tenantId, device } = setUp();
  service.claim(tenantId, device.deviceId);
  const again = createSecurityService({ store, clock, logger: silentLogger });
  assert.equal(again.certificates(tenantId), service.certificates(tenantId));
  assert.is(again.tenantOf(device.deviceId), tenantId);
  attest(again, device);
});

test.run();
