import { createHmac, randomBytes } from "node:crypto";
import { certificateBytes, parseCertificate, thumbprint } from "../../pki/index.ts";
import { isSymmetricKey } from "../devices.ts";
import { isObject, type JsonObject } from "../json.ts";
import { DpsError } from "./errors.ts";

export interface KeyPairText {
  readonly primaryKey: string;
  readonly secondaryKey: string;
}

/** How a device proves itself; certificates are PEM, of primary and secondary in this order. */
export type Attestation =
  | { readonly type: "x509"; readonly clientCertificates: readonly string[] }
  | { readonly type: "x509"; readonly signingCertificates: readonly string[] }
  | { readonly type: "x509"; readonly caReferences: readonly string[] }
  | { readonly type: "symmetricKey"; readonly symmetricKey: KeyPairText };

/** @param kind what may prove an individual device, or a group of them */
export function attestationFrom(body: unknown, kind: "individual" | "group"): Attestation {
  if (!isObject(body)) throw bad("An enrollment has an attestation");
  if (body.type === "symmetricKey") {
    const keys = isObject(body.symmetricKey) ? body.symmetricKey : {};
    const key = (name: string) => {
      const given = keys[name] || randomBytes(64).toString("base64");
      if (isSymmetricKey(given)) return given;
      throw bad("A symmetric key is base64 of 16 to 64 bytes");
    };
    const symmetricKey = { primaryKey: key("primaryKey"), secondaryKey: key("secondaryKey") };
    return { type: "symmetricKey", symmetricKey };
  }
  if (body.type === "tpm") throw new DpsError("NotImplemented", "TPM attestation is left out");
  if (body.type !== "x509" || !isObject(body.x509)) {
    throw bad(`The attestation type ${body.type} is not known`);
  }
  const { clientCertificates, signingCertificates, caReferences } = body.x509;
  if (isObject(caReferences)) return { type: "x509", caReferences: pairOf(caReferences, String) };
  if (isObject(clientCertificates) && kind === "individual") {
    return { type: "x509", clientCertificates: pairOf(clientCertificates, certificateFrom) };
  }
  if (isObject(signingCertificates) && kind === "group") {
    return { type: "x509", signingCertificates: pairOf(signingCertificates, certificateFrom) };
  }
  throw bad("x509 has caReferences, or clientCertificates of a device, or signing ones of a group");
}

function pairOf(pair: JsonObject, read: (value: unknown) => string): string[] {
  const values = [pair.primary, pair.secondary].filter(
    (each) => each !== undefined && each !== null,
  );
  if (values.length === 0) throw bad("There is no primary certificate");
  return values.map(read);
}

function certificateFrom(value: unknown): string {
  const text = isObject(value) ? value.certificate : undefined;
  if (typeof text !== "string") throw bad("A certificate is a text in PEM or base64");
  try {
    return parseCertificate(certificateBytes(text)).toString();
  } catch {
    throw bad("This is no X.509 certificate");
  }
}

/** As the service's routes write it: of certificates only what they say, of keys nothing. */
export function attestationJson(attestation: Attestation): JsonObject {
  if (attestation.type === "symmetricKey") return { type: "symmetricKey" };
  if ("caReferences" in attestation) {
    const [primary = null, secondary = null] = attestation.caReferences;
    return { type: "x509", x509: { caReferences: { primary, secondary } } };
  }
  const name = "clientCertificates" in attestation ? "clientCertificates" : "signingCertificates";
  const [primary, secondary] = certificatesOf(attestation).map((pem) => ({ info: infoOf(pem) }));
  return {
    type: "x509",
    x509: { [name]: { primary: primary ?? null, secondary: secondary ?? null } },
  };
}

/** What only the attestation mechanism tells: of keys themselves too. */
export function withKeys(attestation: Attestation): JsonObject {
  if (attestation.type !== "symmetricKey") return attestationJson(attestation);
  return { type: "symmetricKey", symmetricKey: { ...attestation.symmetricKey } };
}

/** The certificates that the attestation itself carries, PEM. */
export function certificatesOf(attestation: Attestation): readonly string[] {
  if ("clientCertificates" in attestation) return attestation.clientCertificates;
  return "signingCertificates" in attestation ? attestation.signingCertificates : [];
}

function infoOf(pem: string): JsonObject {
  const certificate = parseCertificate(pem);
  return {
    subjectName: certificate.subject,
    sha1Thumbprint: thumbprint(certificate, "sha1"),
    sha256Thumbprint: thumbprint(certificate, "sha256"),
    issuerName: certificate.issuer,
    notBeforeUtc: new Date(certificate.validFrom).toISOString(),
    notAfterUtc: new Date(certificate.validTo).toISOString(),
    serialNumber: certificate.serialNumber,
    version: 3,
  };
}

/** The key of one device of a group: HMAC-SHA256 of its registration id with the group's key. */
export function derivedKey(groupKey: string, registrationId: string): string {
  return createHmac("sha256", Buffer.from(groupKey, "base64"))
    .update(registrationId)
    .digest("base64");
}

function bad(message: string): DpsError {
  return new DpsError("BadRequest", message);
}
