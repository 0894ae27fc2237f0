import { createHash, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { isIPv4 } from "node:net";
import {
  bits,
  boolean,
  context,
  type DerNode,
  fromDer,
  identifier,
  integer,
  keyIdentifier,
  octets,
  printable,
  publicKeyInfo,
  sequence,
  set,
  time,
  toDer,
  utf8,
} from "./der.ts";

/** A distinguished name, in order, e.g. `{ C: "US", O: "Contoso", CN: "device" }`. */
export type Name = Readonly<Partial<Record<NamePart, string>>>;
type NamePart = "C" | "ST" | "L" | "O" | "OU" | "CN";

export interface CertificateRequest {
  readonly subject: Name;
  readonly issuer: Name;
  readonly publicKey: KeyObject;
  readonly issuerKey: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Present for an authority; `pathLength` limits the authorities below it. */
  readonly authority?: { readonly pathLength?: number };
  readonly usage?: "server" | "client";
  readonly names?: { readonly dns?: readonly string[]; readonly ip?: readonly string[] };
  /** Hex; 16 random bytes when absent. */
  readonly serialNumber?: string;
}

const NAME_IDS: Record<NamePart, string> = {
  C: "2.5.4.6",
  ST: "2.5.4.8",
  L: "2.5.4.7",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  CN: "2.5.4.3",
};

const ECDSA = { sha256: "1.2.840.10045.4.3.2", sha384: "1.2.840.10045.4.3.3" } as const;
const USAGE_IDS = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const;

/**
 * Makes an X.509 v3 certificate, signed with ECDSA (SHA-384 by a P-384 key, otherwise SHA-256).
 * A common name may be longer than X.520's 64 characters: device ids have 128.
 * @returns PEM
 */
export function createCertificate(request: CertificateRequest): string {
  const hash =
    request.issuerKey.privateKey.asymmetricKeyDetails?.namedCurve === "secp384r1"
      ? "sha384"
      : "sha256";
  const algorithm = sequence(identifier(ECDSA[hash]));
  const body = sequence(
    context(0, [integer("\u0002")]),
    integer(serialBytes(request.serialNumber)),
    algorithm,
    name(request.issuer),
    sequence(time(request.notBefore), time(request.notAfter)),
    name(request.subject),
    fromDer(publicKeyInfo(request.publicKey)),
    context(3, [sequence(...extensions(request))]),
  );
  const signature = sign(hash, toDer(body), request.issuerKey.privateKey);
  return pemOf(toDer(sequence(body, algorithm, bits(signature.toString("binary")))));
}

function serialBytes(hex = randomBytes(16).toString("hex")): string {
  return Buffer.from(hex, "hex").toString("binary");
}

function name(parts: Name): DerNode {
  const entries = Object.entries(parts) as [NamePart, string][];
  return sequence(
    ...entries.map(([part, text]) =>
      set(sequence(identifier(NAME_IDS[part]), part === "C" ? printable(text) : utf8(text))),
    ),
  );
}

function extensions(request: CertificateRequest): DerNode[] {
  const list = [
    extension("2.5.29.14", octets(keyIdentifier(request.publicKey))),
    extension("2.5.29.35", sequence(context(0, keyIdentifier(request.issuerKey.publicKey)))),
    extension("2.5.29.19", basicConstraints(request.authority), true),
    extension("2.5.29.15", keyUsage(request.authority !== undefined), true),
  ];
  if (request.usage) {
    list.push(extension("2.5.29.37", sequence(identifier(USAGE_IDS[request.usage]))));
  }
  if (request.names) list.push(extension("2.5.29.17", alternativeNames(request.names)));
  return list;
}

function extension(id: string, value: DerNode, critical = false): DerNode {
  const content = octets(toDer(value).toString("binary"));
  return critical
    ? sequence(identifier(id), boolean(true), content)
    : sequence(identifier(id), content);
}

function basicConstraints(authority: CertificateRequest["authority"]): DerNode {
  if (!authority) return sequence();
  const length = authority.pathLength;
  return length === undefined
    ? sequence(boolean(true))
    : sequence(boolean(true), integer(String.fromCharCode(length)));
}

/** keyCertSign and cRLSign for an authority, digitalSignature otherwise. */
function keyUsage(authority: boolean): DerNode {
  return authority ? bits("\u0006", 1) : bits("\u0080", 7);
}

function alternativeNames(names: NonNullable<CertificateRequest["names"]>): DerNode {
  const ip = (names.ip ?? [])
    .filter(isIPv4)
    .map((text) => context(7, String.fromCharCode(...text.split(".").map(Number))));
  return sequence(...(names.dns ?? []).map((text) => context(2, text)), ...ip);
}

function pemOf(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** The certificates of a PEM text, in order; empty when it has none. */
export function splitPem(text: string): string[] {
  return (
    text
      .match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
      ?.map((pem) => `${pem}\n`) ?? []
  );
}

/** Reads a certificate from PEM or DER. @throws whatever OpenSSL says */
export function parseCertificate(pemOrDer: string | Uint8Array): X509Certificate {
  return new X509Certificate(pemOrDer);
}

/** The subject's common name, or an empty text. */
export function commonName(certificate: X509Certificate): string {
  const line = certificate.subject?.split("\n").find((part) => part.startsWith("CN="));
  return line?.slice(3) ?? "";
}

/** Upper-case hex digest of the DER form, as Azure shows thumbprints. */
export function thumbprint(certificate: X509Certificate, hash: "sha1" | "sha256" = "sha1"): string {
  return createHash(hash).update(certificate.raw).digest("hex").toUpperCase();
}

/** A certificate as requests carry it: PEM, or base64 of PEM or DER. For `parseCertificate`. */
export function certificateBytes(text: string): string | Buffer {
  if (text.includes("-----BEGIN")) return text;
  const bytes = Buffer.from(text, "base64");
  const pem = bytes.toString("latin1");
  return pem.includes("-----BEGIN") ? pem : bytes;
}
