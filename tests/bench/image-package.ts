import {
  applicationFiles,
  createSigner,
  createTrustStore,
  fromCloudForm,
  inspectImage,
  packImage,
  toCloudForm,
} from "../../host-sim/imagepackage/index.ts";
import { createCertificate, generateKeyPair, privateKeyPem } from "../../host-sim/pki/index.ts";

const SIZE = 500 * 1024;
const ROUNDS = 9;

/** Packs, looks into and converts a package of 500 KB. @returns the median milliseconds of each */
export function imagePackageTimes(): Record<"pack" | "inspect" | "toCloud" | "fromCloud", number> {
  const { signer, trusted } = newSigner();
  const files = applicationFiles({ binary: machineCode(SIZE - 40_000), wasm: machineCode(34_000) });
  const pack = () => packImage({ manifest: MANIFEST, files, apiSet: 16, buildTime: 0, signer });
  const image = pack();
  const cloud = toCloudForm(image, { signer, signingTime: 0 });
  return {
    pack: median(pack),
    inspect: median(() => inspectImage(image, trusted)),
    toCloud: median(() => toCloudForm(image, { signer, signingTime: 0 })),
    fromCloud: median(() => fromCloudForm(cloud)),
  };
}

const MANIFEST = JSON.stringify({
  SchemaVersion: 1,
  Name: "bench",
  ComponentId: "01234567-89ab-4cde-8f01-23456789abcd",
  EntryPoint: "/bin/app",
  CmdArgs: [],
  Capabilities: { Gpio: [8] },
  ApplicationType: "Default",
});

/** Bytes that repeat about as much as a program's. */
function machineCode(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let seed = 1;
  for (let at = 0; at < size; at++) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    const again = at > 400 && (seed >>> 16) % 3 > 0;
    bytes[at] = again ? (bytes[at - 200] ?? 0) : seed >>> 24;
  }
  return bytes;
}

function newSigner() {
  const key = generateKeyPair();
  const subject = { CN: "bench" };
  const certificate = createCertificate({
    subject,
    issuer: subject,
    publicKey: key.publicKey,
    issuerKey: key,
    notBefore: 0,
    notAfter: Date.UTC(2060, 0, 1),
  });
  const signer = createSigner(privateKeyPem(key.privateKey), certificate);
  return { signer, trusted: createTrustStore([{ name: "bench", certificate }]) };
}

function median(run: () => unknown): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const started = performance.now();
    run();
    return performance.now() - started;
  });
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
}
