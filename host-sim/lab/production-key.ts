import { createTrustStore, type TrustStore } from "../imagepackage/index.ts";
import { ALWAYS_VALID, createSelfSigned, type SigningKey } from "../pki/index.ts";
import { madeOnce, type Store } from "../store/index.ts";

const NAME = "Spherule lab production signing";

/** The signer whose packages a device of its own always takes, made once for a state. */
export function productionKey(store: Store): SigningKey {
  const subject = { O: "Spherule lab", CN: NAME };
  return madeOnce(store, "lab/production-signer", () => createSelfSigned(subject, ALWAYS_VALID));
}

export function productionTrust(store: Store): TrustStore {
  return createTrustStore([{ name: NAME, certificate: productionKey(store).certificate }]);
}
