import { createCertificate, type Name } from "./certificate.ts";
import { generateKeyPair, type KeyPair, keyPairFromPem, privateKeyPem } from "./keys.ts";

/** A key with its certificate, able to sign others. */
export interface Authority {
  readonly subject: Name;
  readonly certificate: string;
  readonly key: KeyPair;
}

/** An authority as text, for the store. */
export interface StoredAuthority {
  readonly subject: Name;
  readonly certificate: string;
  readonly privateKey: string;
}

export const storeAuthority = (authority: Authority): StoredAuthority => ({
  subject: authority.subject,
  certificate: authority.certificate,
  privateKey: privateKeyPem(authority.key.privateKey),
});

export const loadAuthority = (stored: StoredAuthority): Authority => ({
  subject: stored.subject,
  certificate: stored.certificate,
  key: keyPairFromPem(stored.privateKey),
});

/**
 * The lab's servers are checked by clients on the wall clock (OpenSSL knows no other), while the lab's
 * clock may stand anywhere: their certificates are valid on both.
 */
export const ALWAYS_VALID = { notBefore: Date.UTC(2020, 0, 1), notAfter: Date.UTC(2060, 0, 1) };

/** The root that signs the certificates of all of the lab's servers; users export it as CA file. */
export function createServerRoot(): Authority {
  const subject = { O: "Spherule lab", CN: "Spherule lab server root" };
  const key = generateKeyPair("P-256");
  const certificate = createCertificate({
    subject,
    issuer: subject,
    publicKey: key.publicKey,
    issuerKey: key,
    ...ALWAYS_VALID,
    authority: { pathLength: 0 },
  });
  return { subject, certificate, key };
}

/** Key and certificate of one server, ready for `node:tls`. */
export interface ServerCredentials {
  readonly key: string;
  readonly cert: string;
}

/** Issues a server certificate for the names and IPv4 addresses that clients will dial. */
export function issueServerCertificate(
  root: Authority,
  names: { readonly dns: readonly string[]; readonly ip?: readonly string[] },
): ServerCredentials {
  const key = generateKeyPair("P-256");
  const cert = createCertificate({
    subject: { CN: names.dns[0] ?? "localhost" },
    issuer: root.subject,
    publicKey: key.publicKey,
    issuerKey: root.key,
    ...ALWAYS_VALID,
    usage: "server",
    names,
  });
  return { key: privateKeyPem(key.privateKey), cert };
}
