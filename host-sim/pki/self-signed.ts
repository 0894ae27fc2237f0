import { createCertificate, type Name } from "./certificate.ts";
import { generateKeyPair, privateKeyPem } from "./keys.ts";

/** Key and certificate of a signer that nobody stands above, in PEM. */
export interface SigningKey {
  readonly certificate: string;
  readonly privateKey: string;
}

/** A self-signed certificate with its key, as image signers have; times in ms since the epoch. */
export function createSelfSigned(
  subject: Name,
  validity: { readonly notBefore: number; readonly notAfter: number },
): SigningKey {
  const key = generateKeyPair("P-256");
  const { publicKey } = key;
  const certificate = createCertificate({
    ...{ subject, issuer: subject, publicKey, issuerKey: key },
    ...validity,
  });
  return { certificate, privateKey: privateKeyPem(key.privateKey) };
}
