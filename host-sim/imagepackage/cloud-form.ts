import { roundUp } from "./bytes.ts";
import { readFrame } from "./frame.ts";
import { decompressedImage } from "./image.ts";
import { encodeLzma } from "./lzma/encoder.ts";
import { LZMA, type Section, sectionOf } from "./metadata.ts";
import { type Signer, sealImage } from "./signature.ts";

export interface CloudFormOptions {
  /** The Security Service's production key. */
  readonly signer: Signer;
  /** Time of signing in seconds since the Unix epoch; the image inside keeps its build time. */
  readonly signingTime: number;
}

/**
 * What the Security Service makes of an uploaded package and devices get over the air: the payload
 * signed anew, that whole image compressed, and signed once more.
 * @throws LabError of `readImage`
 */
export function toCloudForm(bytes: Uint8Array, options: CloudFormOptions): Uint8Array {
  const { payload, sections } = readFrame(decompressedImage(bytes));
  const lasting = sections.filter(({ kind }) => kind !== "TemporaryImage");
  const inner = sealImage(payload, lasting, options.signer);
  const stream = encodeLzma(inner);
  const padded = Buffer.alloc(roundUp(stream.length, 4));
  padded.set(stream);
  return sealImage(padded, outerSections(lasting, inner.length, options), options.signer);
}

/**
 * The image inside: complete, uncompressed, signed. An image that is not compressed is its own.
 * @throws LabError of `readImage`
 */
export function fromCloudForm(bytes: Uint8Array): Uint8Array {
  return decompressedImage(bytes);
}

/** The order is: identity, signature, debug with the time of signing, compression, the rest. */
function outerSections(
  inner: readonly Section[],
  size: number,
  { signingTime }: CloudFormOptions,
): Section[] {
  const compression: Section = { kind: "Compression", uncompressedSize: size, type: LZMA };
  const at = inner.findIndex(({ kind }) => kind === "Debug") + 1;
  const debug = sectionOf(inner, "Debug");
  const outer = inner.map((section) =>
    section === debug ? { ...debug, buildTime: signingTime } : section,
  );
  return [...outer.slice(0, at), compression, ...outer.slice(at)];
}
