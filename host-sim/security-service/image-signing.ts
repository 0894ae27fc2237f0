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
import { createSelfSigned, type SigningKey } from "../pki/index.ts";
import { madeOnce } from "../store/index.ts";

import { DAY_MS, type ServiceContext } from "./context.ts";
import { createDebugServer } from "./debug-server.ts";

/** An uploaded package, signed for devices. */
export interface SignedImage {
  readonly componentId: string;
  readonly imageId: string;
  readonly imageType: number;
  readonly name: string;
  /** An application that is not for a real-time core. */
  readonly highLevel: boolean;
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
const KEY = "security-service/signing/production";
const NAME = "Spherule lab production signing";
/** The type of application images. */
const APPLICATION = 10;

/**
 * The lab's production key, with which the service signs what devices accept. Packages come signed
 * with a development key. Real devices accept neither.
 */
export function createImageSigning({ store, clock, developers }: ServiceContext) {
  const production = madeOnce(store, KEY, () => newSigningKey(NAME, clock.now()));
  const signer: Signer = createSigner(production.privateKey, production.certificate);
  const own = createTrustStore([{ name: NAME, certificate: production.certificate }]);
  const accepted = (): TrustStore => new Map([...(developers?.() ?? []), ...own]);

  return {
    /** Devices always trust it. PEM. */
    productionCertificate: production.certificate,
    /**
     * Checks a package and signs it for devices.
     * @param now milliseconds since the Unix epoch
     * @throws LabError image-untrusted and those of a damaged package
     */
    sign(bytes: Uint8Array, now: number): SignedImage {
      const { componentId, imageId, imageType, name, apiSet } = readImage(bytes);
      const highLevel = imageType === APPLICATION && apiSet !== undefined;
      const { verdict, signer: known, thumbprint: print } = verifyImage(bytes, accepted());
      if (verdict !== "valid") throw untrusted(verdict, known ?? print);
      const cloudForm = toCloudForm(bytes, { signer, signingTime: Math.floor(now / 1000) });
      const installedBytes = fromCloudForm(cloudForm).length;
      return { componentId, imageId, imageType, name, highLevel, installedBytes, cloudForm };
    },
    /** The debug server's package. */
    debugServer: (): Uint8Array => createDebugServer(signer),
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

/** A signer's key, valid from now on. */
export function newSigningKey(commonName: string, now: number): SigningKey {
  return createSelfSigned({ CN: commonName }, { notBefore: now, notAfter: now + LIFETIME_MS });
}

function untrusted(verdict: string, who: string): LabError {
  return new LabError(
    "image-untrusted",
    verdict === "invalid"
      ? `The package is damaged or was changed: its signature by ${who} does not hold.`
      : `The package is signed by ${who}, whom this service does not know.`,
    "Pack it with `spherule package`, which signs with the lab's development key.",
  );
}
