import type { ImageTrust } from "../device/images.ts";
import { createTrustStore } from "../imagepackage/index.ts";
import { createCertificate, generateKeyPair, privateKeyPem } from "../pki/index.ts";
import type { Store } from "../store/index.ts";

/** Key and certificate of an image signer, in PEM. */
export interface SigningKey {
  readonly certificate: string;
  readonly privateKey: string;
}

/** The two signers whose packages the lab's device takes. */
export interface ImageSigners {
  readonly development: SigningKey;
  readonly production: SigningKey;
}

const VALIDITY = { notBefore: Date.UTC(2020, 0, 1), notAfter: Date.UTC(2060, 0, 1) };

/** The lab's own signers, made once for a state. Real devices trust neither. */
export function imageSigners(store: Store): ImageSigners {
  const signer = (name: string) => {
    const key = `lab/image-signers/${name}`;
    const stored = store.get<SigningKey>(key) ?? newSigner(`Spherule lab ${name} signing`);
    store.put(key, stored);
    return stored;
  };
  return { development: signer("development"), production: signer("production") };
}

function newSigner(commonName: string): SigningKey {
  const key = generateKeyPair();
  const subject = { CN: commonName };
  const certificate = createCertificate({
    ...{ subject, issuer: subject, publicKey: key.publicKey, issuerKey: key },
    ...VALIDITY,
  });
  return { certificate, privateKey: privateKeyPem(key.privateKey) };
}

/**
 * What the device is told to trust.
 * @param developers further development certificates, PEM
 * @throws LabError certificate-invalid
 */
export function imageTrust(
  { development, production }: ImageSigners,
  developers: readonly string[] = [],
): ImageTrust {
  return {
    production: createTrustStore([{ name: "production", certificate: production.certificate }]),
    development: createTrustStore(
      [development.certificate, ...developers].map((certificate) => ({
        ...{ name: "development", certificate },
      })),
    ),
  };
}
