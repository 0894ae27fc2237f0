import { createHash } from "node:crypto";
import * as assert from "uvu/assert";
import { LabError } from "../../host-sim/errors.ts";
import { checksum } from "../../host-sim/imagepackage/asxipfs-reader.ts";
import {
  createSigner,
  createTrustStore,
  type PackRequest,
  packImage,
  type Signer,
} from "../../host-sim/imagepackage/index.ts";
import { createCertificate, generateKeyPair, privateKeyPem } from "../../host-sim/pki/index.ts";

/** Bytes that count from 0 to 250 and begin again. */
export const pattern = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, index) => index % 251);

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash("sha256").update(bytes).digest("hex");

export const text = (value: string): Uint8Array => Buffer.from(value, "utf8");

/** A signer of known thumbprint whose signatures are zeros, for vectors. */
export const zeroSigner = (thumbprint: string): Signer => ({
  thumbprint,
  signingType: 1,
  sign: () => new Uint8Array(64),
});

export const DEVELOPMENT = zeroSigner("00112233445566778899aabbccddeeff01234567");
export const PRODUCTION = zeroSigner("ffeeddccbbaa9988776655443322110001234567");
export const IMAGE_ID = "fedcba98-7654-4321-8fed-cba987654321";
export const BUILD_TIME = 1_700_000_000;

/** Key and certificate of a signer, fresh. */
export function newKey(name: string, curve: "P-256" | "P-384" = "P-256") {
  const key = generateKeyPair(curve);
  const subject = { CN: name };
  const certificate = createCertificate({
    subject,
    issuer: subject,
    publicKey: key.publicKey,
    issuerKey: key,
    notBefore: 0,
    notAfter: Date.UTC(2060, 0, 1),
  });
  return {
    signer: createSigner(privateKeyPem(key.privateKey), certificate),
    trust: createTrustStore([{ name, certificate }]),
    privateKey: privateKeyPem(key.privateKey),
    certificate,
  };
}

export const MANIFEST_ONE =
  '{"SchemaVersion":1,"Name":"VectorOne","ComponentId":"01234567-89ab-4cde-8f01-23456789abcd",' +
  '"EntryPoint":"/bin/app","CmdArgs":[],"Capabilities":{},"ApplicationType":"Default",' +
  '"TargetApplicationRuntimeVersion":16}';

/** A package of two files; fields of the request may be replaced. */
export function packOne(changes: Partial<PackRequest> = {}): Uint8Array {
  return packImage({
    manifest: MANIFEST_ONE,
    files: [{ path: "bin/app", content: pattern(5000) }],
    signer: DEVELOPMENT,
    imageId: IMAGE_ID,
    buildTime: BUILD_TIME,
    apiSet: 16,
    ...changes,
  });
}

/** Bytes from lines of hexadecimal digits. */
export const fromHex = (digits: string): Buffer => Buffer.from(digits.replace(/\s/g, ""), "hex");

/** A copy of an image with a change in its file system, whose checksum is made to fit. */
export function changed(
  image: Uint8Array,
  change: (bytes: Buffer) => void,
  filesystemSize = Buffer.from(image).readUInt32LE(4),
): Buffer {
  const bytes = Buffer.from(image);
  change(bytes);
  const filesystem = bytes.subarray(0, filesystemSize);
  filesystem.writeUInt32LE(checksum(filesystem), 32);
  return bytes;
}

/** Fails unless `run` throws a LabError of this code, with a hint. */
export function refused(code: string, run: () => unknown): LabError {
  try {
    run();
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    assert.is(error.code, code, error.message);
    assert.ok(error.hint.length > 10);
    return error;
  }
  assert.unreachable(`nothing was thrown in place of ${code}`);
  throw new Error("unreachable");
}
