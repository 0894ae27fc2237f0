import {
  createHash,
  createPrivateKey,
  type KeyObject,
  sign,
  verify,
  X509Certificate,
} from "node:crypto";
import { LabError, messageOf } from "../errors.ts";
import { type Frame, readFrame } from "./frame.ts";
import { type Section, sectionOf, writeMetadata } from "./metadata.ts";

/** Who signs images. */
export interface Signer {
  /** SHA-1 of the certificate in DER, 40 hex digits in lower case. */
  readonly thumbprint: string;
  /** 1 for P-256, 2 for P-384. */
  readonly signingType: 1 | 2;
  /** @returns r and s, each as long as the curve's numbers, big-endian */
  sign(bytes: Uint8Array): Uint8Array;
}

/** Whom a device or a user trusts, by thumbprint in lower case. */
export type TrustStore = ReadonlyMap<string, { readonly name: string; readonly key: KeyObject }>;

export type Verdict = "valid" | "invalid" | "unknown signer";

export interface Verification {
  readonly verdict: Verdict;
  readonly thumbprint: string;
  /** Who it is: the name in the trust store, or of a signer that is publicly known. */
  readonly signer?: string;
}

/** Publicly known by their packages; Spherule has neither key. */
const KNOWN_SIGNERS: Readonly<Record<string, string>> = {
  a8d5cc6958f48710140d7a26160fc1cfc31f5df0: "Microsoft's Azure Sphere SDK (development)",
  "0808d85a5659654e9e569fe58952bcdab70dc54d": "Microsoft's Azure Sphere Security Service",
};

/** Whether a thumbprint is that of a signer whom real devices know. */
export const isKnownSigner = (thumbprint: string): boolean => thumbprint in KNOWN_SIGNERS;

const hashOf = (key: KeyObject): "sha256" | "sha384" =>
  key.asymmetricKeyDetails?.namedCurve === "secp384r1" ? "sha384" : "sha256";

/**
 * A signer from PEM texts.
 * @throws LabError certificate-invalid
 */
export function createSigner(privateKeyPem: string, certificatePem: string): Signer {
  const certificate = readCertificate(certificatePem);
  const key = readPrivateKey(privateKeyPem);
  if (!certificate.checkPrivateKey(key)) {
    throw new LabError(
      "certificate-invalid",
      "The private key is not the key of the certificate.",
      "Give the two files that belong together.",
    );
  }
  const hash = hashOf(key);
  return {
    thumbprint: thumbprintOf(certificate),
    signingType: hash === "sha256" ? 1 : 2,
    sign: (bytes) => sign(hash, bytes, { key, dsaEncoding: "ieee-p1363" }),
  };
}

/** @throws LabError certificate-invalid */
export function createTrustStore(
  trusted: readonly { readonly name: string; readonly certificate: string }[],
): TrustStore {
  return new Map(
    trusted.map(({ name, certificate: pem }) => {
      const certificate = readCertificate(pem);
      return [thumbprintOf(certificate), { name, key: certificate.publicKey }];
    }),
  );
}

/** Puts the signature under payload and sections; the sections name the signer. */
export function sealImage(
  payload: Uint8Array,
  sections: readonly Section[],
  signer: Signer,
): Uint8Array {
  const signed = Buffer.concat([payload, writeMetadata(withSigner(sections, signer))]);
  return Buffer.concat([signed, signer.sign(signed)]);
}

function withSigner(sections: readonly Section[], { thumbprint, signingType }: Signer): Section[] {
  return sections.map((section) =>
    section.kind === "Signature" ? { kind: "Signature", thumbprint, signingType } : section,
  );
}

/**
 * Signs an image anew: thumbprint and signature are replaced, all else stays.
 * @throws LabError of `readFrame`, image-section-missing
 */
export function signImage(bytes: Uint8Array, signer: Signer): Uint8Array {
  const { payload, sections } = readFrame(bytes);
  if (!sectionOf(sections, "Signature")) throw missingSignature();
  return sealImage(payload, sections, signer);
}

/** Checks the signature of one image, not of an image inside it. @see verifyImage */
export function verifyFrame(frame: Frame, trusted: TrustStore): Verification {
  const section = sectionOf(frame.sections, "Signature");
  if (!section) throw missingSignature();
  const { thumbprint } = section;
  const signer = trusted.get(thumbprint);
  if (!signer) {
    return { verdict: "unknown signer", thumbprint, signer: KNOWN_SIGNERS[thumbprint] };
  }
  const key = { key: signer.key, dsaEncoding: "ieee-p1363" as const };
  const valid = verify(hashOf(signer.key), frame.signed, key, frame.signature);
  return { verdict: valid ? "valid" : "invalid", thumbprint, signer: signer.name };
}

function missingSignature(): LabError {
  return new LabError(
    "image-section-missing",
    "The metadata has no Signature section.",
    "The file is damaged; pack it again.",
  );
}

const thumbprintOf = (certificate: X509Certificate): string =>
  createHash("sha1").update(certificate.raw).digest("hex");

function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new LabError(
      "certificate-invalid",
      `The signer's certificate cannot be read: ${messageOf(error)}.`,
      "Give an X.509 certificate in PEM.",
    );
  }
}

function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new LabError(
      "certificate-invalid",
      `The signer's private key cannot be read: ${messageOf(error)}.`,
      "Give a private key in PEM.",
    );
  }
}
