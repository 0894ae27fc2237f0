import { LabError } from "../errors.ts";
import {
  createSigner,
  createTrustStore,
  fromCloudForm,
  readImage,
  type Section,
  type Signer,
  type TrustStore,
  toCloudForm,
  verifyImage,
} from "../imagepackage/index.ts";
import { sealImage } from "../imagepackage/signature.ts";
import {
  createCertificate,
  generateKeyPair,
  parseCertificate,
  privateKeyPem,
  thumbprint,
} from "../pki/index.ts";

import { DAY_MS, type ServiceContext, values } from "./context.ts";

/** Key and certificate of an image signer, in PEM. */
export interface SigningKey {
  readonly certificate: string;
  readonly privateKey: string;
}

/** An uploaded package, signed for devices. */
export interface SignedImage {
  readonly componentId: string;
  readonly imageId: string;
  readonly imageType: number;
  readonly name: string;
  /** Bytes of flash that it takes. */
  readonly installedBytes: number;
  /** What devices download. */
  readonly cloudForm: Uint8Array;
}

export interface ImageIdentity {
  readonly componentId: string;
  readonly imageId: string;
  readonly name: string;
  readonly imageType: number;
}

export type ImageSigning = ReturnType<typeof createImageSigning>;

/** As long as Microsoft's own certificate for development lives. */
const LIFETIME_MS = 20 * 365 * DAY_MS;
const PREFIX = "security-service/signing/";
const SIGNER_NAMES = {
  production: "Spherule lab production signing",
  development: "Spherule lab development signing",
} as const;

/**
 * The lab's two image signing keys: "development", with which packages are packed, and "production",
 * with which the service signs what devices accept. Real devices accept neither.
 */
export function createImageSigning({ store, clock }: ServiceContext) {
  function keyOf(kind: keyof typeof SIGNER_NAMES): SigningKey {
    const stored = store.get<SigningKey>(PREFIX + kind);
    if (stored) return stored;
    const made = newSigningKey(SIGNER_NAMES[kind], clock.now());
    store.put(PREFIX + kind, made);
    return made;
  }
  const production = keyOf("production");
  const signer: Signer = createSigner(production.privateKey, production.certificate);

  function accepted(): TrustStore {
    const others = values<string>(store, `${PREFIX}accepted/`);
    return createTrustStore([
      { name: SIGNER_NAMES.production, certificate: production.certificate },
      { name: SIGNER_NAMES.development, certificate: keyOf("development").certificate },
      ...others.map((certificate) => ({ name: "a developer", certificate })),
    ]);
  }

  return {
    /** Devices always trust it. PEM. */
    productionCertificate: production.certificate,
    /** With which the lab's own packages are packed. */
    developmentKey: (): SigningKey => keyOf("development"),
    /** Lets packages of another development key be uploaded. @param certificate PEM */
    accept(certificate: string): void {
      const name = thumbprint(parseCertificate(certificate)).toLowerCase();
      store.put(`${PREFIX}accepted/${name}`, certificate);
    },
    /**
     * Checks a package and signs it for devices.
     * @param now milliseconds since the Unix epoch
     * @throws LabError image-untrusted and those of a damaged package
     */
    sign(bytes: Uint8Array, now: number): SignedImage {
      const { componentId, imageId, imageType, name } = readImage(bytes);
      const { verdict, signer: known, thumbprint: print } = verifyImage(bytes, accepted());
      if (verdict !== "valid") throw untrusted(verdict, known ?? print);
      const cloudForm = toCloudForm(bytes, { signer, signingTime: Math.floor(now / 1000) });
      const installedBytes = fromCloudForm(cloudForm).length;
      return { componentId, imageId, imageType, name, installedBytes, cloudForm };
    },
    /** An image of the service itself around any payload. */
    build(identity: ImageIdentity, payload: Uint8Array, now: number): Uint8Array {
      const { name, ...ids } = identity;
      const sections: Section[] = [
        { kind: "Identity", ...ids },
        { kind: "Signature", thumbprint: signer.thumbprint, signingType: signer.signingType },
        { kind: "Debug", buildTime: Math.floor(now / 1000), name },
        { kind: "AbiDepends", abis: [] },
      ];
      return sealImage(payload, sections, signer);
    },
  };
}

/** A self-signed certificate with its key, as image signers have. */
export function newSigningKey(commonName: string, now: number): SigningKey {
  const key = generateKeyPair("P-256");
  const subject = { CN: commonName };
  const certificate = createCertificate({
    subject,
    issuer: subject,
    publicKey: key.publicKey,
    issuerKey: key,
    notBefore: now,
    notAfter: now + LIFETIME_MS,
  });
  return { certificate, privateKey: privateKeyPem(key.privateKey) };
}

function untrusted(verdict: string, who: string): LabError {
  return new LabError(
    "image-untrusted",
    verdict === "invalid"
      ? `The package is damaged or was changed: its signature by ${who} does not hold.`
      : `The package is signed by ${who}, whom this service does not know.`,
    "Pack it with the lab's development key.",
  );
}
