import { createTrustStore, type TrustStore } from "../imagepackage/index.ts";
import { createCertificate, generateKeyPair, privateKeyPem } from "../pki/index.ts";
import type { Store } from "../store/index.ts";

/** Key and certificate of an image signer, in PEM. */
export interface SigningKey {
  readonly certificate: string;
  readonly privateKey: string;
}

const KEY = "lab/production-signer";
const NAME = "Spherule lab production signing";
const VALIDITY = { notBefore: Date.UTC(2020, 0, 1), notAfter: Date.UTC(2060, 0, 1) };

/** The signer whose packages the lab's device always takes, made once for a state. */
export function productionKey(store: Store): SigningKey {
  const stored = store.get<SigningKey>(KEY) ?? newKey();
  store.put(KEY, stored);
  return stored;
}

export function productionTrust(store: Store): TrustStore {
  return createTrustStore([{ name: NAME, certificate: productionKey(store).certificate }]);
}

function newKey(): SigningKey {
  const key = generateKeyPair();
  const subject = { O: "Spherule lab", CN: NAME };
  const certificate = createCertificate({
    ...{ subject, issuer: subject, publicKey: key.publicKey, issuerKey: key },
    ...VALIDITY,
  });
  return { certificate, privateKey: privateKeyPem(key.privateKey) };
}
