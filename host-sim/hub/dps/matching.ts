import type { X509Certificate } from "node:crypto";
import { commonName, parseCertificate, thumbprint, verifyChain } from "../../pki/index.ts";
import type { Credentials } from "../mqtt/authenticate.ts";
import { problemWithToken } from "../service/sas.ts";
import { certificatesOf, derivedKey, type KeyPairText } from "./attestation.ts";
import type { Dps } from "./dps.ts";
import type { Enrollment, Kind } from "./enrollments.ts";
import { DpsError } from "./errors.ts";

/** Who asks to be registered, and what it shows. */
export interface RegistrationCredentials extends Credentials {
  /** In lower case: registration ids know no case. */
  readonly registrationId: string;
}

export interface Found {
  readonly kind: Kind;
  readonly enrollment: Enrollment;
}

/**
 * The enrollment that lets a device in: its own, even a disabled one; otherwise the group of the
 * nearest certificate above its leaf.
 * @throws DpsError Unauthorized
 */
export function findEnrollment(dps: Dps, credentials: RegistrationCredentials): Found {
  const own = dps.enrollments.find(credentials.registrationId);
  if (own) {
    requireOwn(dps, own, credentials);
    return { kind: "individual", enrollment: own };
  }
  const group = credentials.leaf
    ? groupByChain(dps, credentials, credentials.leaf)
    : dps.groups.list().find((each) => holdsGroupKey(dps, each, credentials));
  if (group) return { kind: "group", enrollment: group };
  throw unauthorized("No enrollment fits what the device shows.");
}

function requireOwn(dps: Dps, { attestation }: Enrollment, given: RegistrationCredentials): void {
  if (attestation.type === "symmetricKey") {
    const problem = problemWithKeys(dps, given, attestation.symmetricKey);
    if (problem) throw unauthorized(problem);
    return;
  }
  if (!given.leaf) throw unauthorized("The device showed no certificate.");
  requireInTime(given.leaf, dps.clock.now());
  if ("caReferences" in attestation) {
    const anchors = attestation.caReferences.map((name) => authorityOf(dps, name));
    const chain = { leaf: given.leaf, presented: given.presented, time: dps.clock.now() };
    if (verifyChain({ ...chain, anchors: anchors.filter((each) => each !== undefined) }).ok) return;
    throw unauthorized("The device's chain does not end at the enrollment's CA.");
  }
  const prints = certificatesOf(attestation).map((pem) => thumbprint(parseCertificate(pem)));
  if (prints.includes(thumbprint(given.leaf))) return;
  throw unauthorized("The device's certificate is not the one of its enrollment.");
}

function requireInTime(leaf: X509Certificate, time: number): void {
  if (time > Date.parse(leaf.validTo))
    throw unauthorized(`The certificate expired on ${leaf.validTo}.`);
  if (time < Date.parse(leaf.validFrom)) {
    throw unauthorized(`The certificate is not valid before ${leaf.validFrom}.`);
  }
}

function groupByChain(
  dps: Dps,
  given: RegistrationCredentials,
  leaf: X509Certificate,
): Enrollment | undefined {
  if (commonName(leaf).toLowerCase() !== given.registrationId) {
    throw unauthorized(`The certificate is for ${commonName(leaf)}, not ${given.registrationId}.`);
  }
  const time = dps.clock.now();
  const hits = dps.groups
    .list()
    .flatMap((group) => anchorsOf(dps, group).map((anchor) => ({ group, anchor })))
    .flatMap(({ group, anchor }) => {
      const chain = verifyChain({ leaf, presented: given.presented, anchors: [anchor], time });
      return chain.ok ? [{ group, distance: chain.chain.length }] : [];
    })
    .sort((a, b) => a.distance - b.distance);
  return hits[0]?.group;
}

function anchorsOf(dps: Dps, { attestation }: Enrollment): X509Certificate[] {
  if ("caReferences" in attestation) {
    return attestation.caReferences
      .map((name) => authorityOf(dps, name))
      .filter((each) => each !== undefined);
  }
  return certificatesOf(attestation).map((pem) => parseCertificate(pem));
}

/** A CA of the provisioning service counts when its possession was proved. */
function authorityOf({ certificates }: Dps, name: string): X509Certificate | undefined {
  const found = certificates.list().find((entry) => entry.name === name && entry.isVerified);
  return found && parseCertificate(found.pem);
}

function holdsGroupKey(
  dps: Dps,
  { attestation }: Enrollment,
  given: RegistrationCredentials,
): boolean {
  if (attestation.type !== "symmetricKey") return false;
  const { primaryKey, secondaryKey } = attestation.symmetricKey;
  const keys = {
    primaryKey: derivedKey(primaryKey, given.registrationId),
    secondaryKey: derivedKey(secondaryKey, given.registrationId),
  };
  return problemWithKeys(dps, given, keys) === undefined;
}

function problemWithKeys(
  { idScope, clock }: Dps,
  { token, registrationId }: RegistrationCredentials,
  { primaryKey, secondaryKey }: KeyPairText,
): string | undefined {
  const resource = `${idScope}/registrations/${registrationId}`.toLowerCase();
  return problemWithToken({
    token,
    keysOf: () => [primaryKey, secondaryKey],
    covers: (given) => given.toLowerCase() === resource,
    time: clock.now(),
  });
}

function unauthorized(message: string): DpsError {
  return new DpsError("Unauthorized", message);
}
