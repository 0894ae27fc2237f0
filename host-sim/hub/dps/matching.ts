import type { X509Certificate } from "node:crypto";
import { commonName, parseCertificate, thumbprint, verifyChain } from "../../pki/index.ts";
import { isObject } from "../json.ts";
import type { Credentials } from "../mqtt/authenticate.ts";
import type { RefusalReason } from "../refusals.ts";
import { problemWithToken } from "../service/sas.ts";
import { certificatesOf, derivedKey, type KeyPairText } from "./attestation.ts";
import type { Dps } from "./dps.ts";
import type { Enrollment, Kind } from "./enrollments.ts";
import { DpsError } from "./errors.ts";

const REGISTRATION_ID = /^[a-z0-9\-._:]{0,127}[a-z0-9-]$/;

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
 * The device's own payload of a registration's body.
 * @throws DpsError BadRequest for a body that is none, or names another registration
 */
export function registrationPayload(body: unknown, registrationId: string): unknown {
  if (!isObject(body)) {
    throw new DpsError("BadRequest", "A registration is a JSON object", "protocol-error");
  }
  const { registrationId: named, payload } = body;
  if (named === undefined || String(named).toLowerCase() === registrationId) return payload;
  const message = `The body is for ${named}, the registration id is ${registrationId}`;
  throw new DpsError("BadRequest", message, "protocol-error");
}

/**
 * The enrollment that lets a device in: its own, even a disabled one; otherwise the group of the
 * nearest certificate above its leaf.
 * @throws DpsError Unauthorized
 */
export function findEnrollment(dps: Dps, credentials: RegistrationCredentials): Found {
  const { registrationId } = credentials;
  if (!REGISTRATION_ID.test(registrationId)) {
    throw new DpsError("BadRequest", `The registration id ${registrationId} has other characters`);
  }
  const own = dps.enrollments.find(registrationId);
  if (own) {
    requireOwn(dps, own, credentials);
    return { kind: "individual", enrollment: own };
  }
  const enrollment = credentials.leaf
    ? groupByChain(dps, credentials, credentials.leaf)
    : groupByKey(dps, credentials);
  return { kind: "group", enrollment };
}

function requireOwn(dps: Dps, { attestation }: Enrollment, given: RegistrationCredentials): void {
  if (attestation.type === "symmetricKey") {
    const problem = problemWithKeys(dps, given, attestation.symmetricKey);
    if (problem) throw unauthorized(problem, "bad-token");
    return;
  }
  const { leaf, presented } = given;
  if (!leaf) throw unauthorized("The device showed no certificate.", "no-certificate");
  requireName(leaf, given);
  requireInTime(leaf, dps.clock.now());
  if ("caReferences" in attestation) {
    const anchors = attestation.caReferences.flatMap((name) => authoritiesOf(dps, name, true));
    const chain = verifyChain({ leaf, presented, anchors, time: dps.clock.now() });
    if (!chain.ok) throw unauthorized(chain.detail, chain.reason);
    return;
  }
  const prints = certificatesOf(attestation).map((pem) => thumbprint(parseCertificate(pem)));
  if (prints.includes(thumbprint(leaf))) return;
  const detail = "The device's certificate is not the one of its enrollment.";
  throw unauthorized(detail, "thumbprint-mismatch");
}

function requireName(leaf: X509Certificate, { registrationId }: RegistrationCredentials): void {
  const name = commonName(leaf);
  if (name.toLowerCase() === registrationId) return;
  const detail = `The certificate is for ${name}, not ${registrationId}.`;
  throw unauthorized(detail, "name-mismatch");
}

function requireInTime(leaf: X509Certificate, time: number): void {
  if (time > Date.parse(leaf.validTo)) {
    throw unauthorized(`The certificate expired on ${leaf.validTo}.`, "expired");
  }
  if (time < Date.parse(leaf.validFrom)) {
    throw unauthorized(`The certificate is not valid before ${leaf.validFrom}.`, "not-yet-valid");
  }
}

/** The group of the nearest certificate above the leaf. @throws DpsError why there is none */
function groupByChain(dps: Dps, given: RegistrationCredentials, leaf: X509Certificate): Enrollment {
  requireName(leaf, given);
  const time = dps.clock.now();
  const under = (anchor: X509Certificate) =>
    verifyChain({ leaf, presented: given.presented, anchors: [anchor], time });
  const tried = dps.groups
    .list()
    .flatMap((group) => anchorsOf(dps, group, true).map((anchor) => ({ group, anchor })))
    .map(({ group, anchor }) => ({ group, chain: under(anchor) }));
  const hits = tried
    .flatMap(({ group, chain }) => (chain.ok ? [{ group, distance: chain.chain.length }] : []))
    .sort((a, b) => a.distance - b.distance);
  if (hits[0]) return hits[0].group;
  for (const { chain } of tried) {
    if (!chain.ok && chain.reason !== "unknown-authority") {
      throw unauthorized(chain.detail, chain.reason);
    }
  }
  const unproven = dps.groups.list().flatMap((group) => anchorsOf(dps, group, false));
  if (unproven.some((anchor) => under(anchor).ok)) {
    const detail = "Its CA is registered, but possession was never proved.";
    throw unauthorized(detail, "authority-not-verified");
  }
  const issuer = leaf.issuer.replaceAll("\n", ", ");
  throw unauthorized(`No enrollment group has the CA of the certificate: ${issuer}.`);
}

/** @param verified whether CAs that are named count as proved, or those that are not proved */
function anchorsOf(dps: Dps, { attestation }: Enrollment, verified: boolean): X509Certificate[] {
  if ("caReferences" in attestation) {
    return attestation.caReferences.flatMap((name) => authoritiesOf(dps, name, verified));
  }
  return verified ? certificatesOf(attestation).map((pem) => parseCertificate(pem)) : [];
}

/** A CA of the provisioning service; none or one. */
function authoritiesOf({ certificates }: Dps, name: string, verified: boolean): X509Certificate[] {
  return certificates
    .list()
    .filter((entry) => entry.name === name && entry.isVerified === verified)
    .map((entry) => parseCertificate(entry.pem));
}

/** The group whose key the token's is derived from. @throws DpsError why there is none */
function groupByKey(dps: Dps, given: RegistrationCredentials): Enrollment {
  if (given.token === "") {
    throw unauthorized("There is no certificate and no token.", "no-certificate");
  }
  let problem: string | undefined;
  for (const group of dps.groups.list()) {
    if (group.attestation.type !== "symmetricKey") continue;
    const { primaryKey, secondaryKey } = group.attestation.symmetricKey;
    problem = problemWithKeys(dps, given, {
      primaryKey: derivedKey(primaryKey, given.registrationId),
      secondaryKey: derivedKey(secondaryKey, given.registrationId),
    });
    if (problem === undefined) return group;
  }
  if (problem !== undefined) throw unauthorized(`The token: ${problem}`, "bad-token");
  throw unauthorized("No enrollment is for a device with a token.");
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

function unauthorized(message: string, reason?: RefusalReason): DpsError {
  return new DpsError("Unauthorized", message, reason);
}
