import { isFilesystem, type PlacedFile, readFilesystem } from "./asxipfs-reader.ts";
import { isDeviceTree } from "./board-configuration.ts";
import { damaged, firstNonZero, LARGEST_INPUT } from "./bytes.ts";
import { type Frame, readFrame } from "./frame.ts";
import { decodeLzma } from "./lzma/decoder.ts";
import { LZMA, type Section, sectionOf } from "./metadata.ts";
import { type TrustStore, type Verification, verifyFrame } from "./signature.ts";

/** What an image carries. */
export type Content =
  | { readonly kind: "application"; readonly files: readonly PlacedFile[] }
  | { readonly kind: "board-configuration"; readonly deviceTree: Uint8Array }
  /** Another complete image, compressed: what the Security Service hands out. */
  | { readonly kind: "compressed"; readonly inner: Image }
  | { readonly kind: "other" };

/** An image package, read. Byte arrays are views into the bytes that were read. */
export interface Image {
  /** Of the whole package. */
  readonly size: number;
  /** GUIDs in lower case. */
  readonly componentId: string;
  readonly imageId: string;
  /** A key of IMAGE_TYPES; 10 for applications. */
  readonly imageType: number;
  /** As in the metadata: the first 31 bytes of the manifest's name. */
  readonly name: string;
  /** Seconds since the Unix epoch. */
  readonly buildTime: number;
  /** API set of a high-level application. */
  readonly apiSet?: number;
  /** Signed by a developer's tool and not by the Security Service. */
  readonly underDevelopment: boolean;
  readonly sections: readonly Section[];
  readonly payload: Uint8Array;
  readonly content: Content;
  /** Of an application, decompressed if need be; empty for any other image. */
  readonly files: readonly PlacedFile[];
}

/**
 * Reads an image package in any form. Never allocates more than 16 MiB.
 * @throws LabError image-…, asxipfs-…, lzma-…
 */
export function readImage(bytes: Uint8Array): Image {
  return imageOf(readFrame(bytes), bytes.length, true);
}

/**
 * Checks the signature, and that of the image inside a compressed one: the worse verdict counts.
 * @throws LabError as `readImage`
 */
export function verifyImage(bytes: Uint8Array, trusted: TrustStore): Verification {
  const frame = readFrame(bytes);
  const outer = verifyFrame(frame, trusted);
  if (outer.verdict !== "valid" || !sectionOf(frame.sections, "Compression")) return outer;
  return verifyFrame(readFrame(decompress(frame)), trusted);
}

/** The image inside a compressed one; the image itself when it is not compressed. */
export function decompressedImage(bytes: Uint8Array): Uint8Array {
  const frame = readFrame(bytes);
  return sectionOf(frame.sections, "Compression") ? decompress(frame) : bytes;
}

function imageOf(frame: Frame, size: number, mayBeCompressed: boolean): Image {
  const { sections, payload } = frame;
  const identity = required(sectionOf(sections, "Identity"), "Identity");
  const debug = required(sectionOf(sections, "Debug"), "Debug");
  required(sectionOf(sections, "Signature"), "Signature");
  const content = contentOf(frame, mayBeCompressed);
  const flags = sectionOf(sections, "TemporaryImage")?.flags ?? 0;
  return {
    size,
    componentId: identity.componentId,
    imageId: identity.imageId,
    imageType: identity.imageType,
    name: debug.name,
    buildTime: debug.buildTime,
    apiSet: sectionOf(sections, "AbiDepends")?.abis[0]?.version,
    underDevelopment: (flags & 2) !== 0,
    sections,
    payload,
    content,
    files: filesOf(content),
  };
}

function required<Value>(section: Value | undefined, name: string): Value {
  if (section !== undefined) return section;
  throw damaged("image-section-missing", `The metadata has no ${name} section.`);
}

function contentOf(frame: Frame, mayBeCompressed: boolean): Content {
  const { payload, sections } = frame;
  if (sectionOf(sections, "Compression")) {
    if (!mayBeCompressed) {
      throw damaged("image-compression", "A compressed image is inside of a compressed image.");
    }
    const bytes = decompress(frame);
    return { kind: "compressed", inner: imageOf(readFrame(bytes), bytes.length, false) };
  }
  if (isFilesystem(payload)) return { kind: "application", files: readFilesystem(payload) };
  if (isDeviceTree(payload)) return { kind: "board-configuration", deviceTree: payload };
  return { kind: "other" };
}

const filesOf = (content: Content): readonly PlacedFile[] => {
  if (content.kind === "compressed") return content.inner.files;
  return content.kind === "application" ? content.files : [];
};

function decompress({ payload, sections }: Frame): Uint8Array {
  const compression = required(sectionOf(sections, "Compression"), "Compression");
  if (compression.type !== LZMA) {
    throw damaged("image-compression", `Compression ${compression.type} is unknown; 1 is LZMA.`);
  }
  const { uncompressedSize } = compression;
  if (uncompressedSize > LARGEST_INPUT) {
    throw damaged("image-too-large", `${uncompressedSize} bytes are more than any image has.`);
  }
  const { content, consumed } = decodeLzma(payload, uncompressedSize);
  const padding = payload.length - consumed;
  if (padding > 3 || firstNonZero(payload, consumed, payload.length) >= 0) {
    throw damaged("lzma-invalid", "More than padding comes after the LZMA stream.");
  }
  if (content.length !== uncompressedSize) {
    throw damaged(
      "image-uncompressed-size",
      `The metadata promises ${uncompressedSize} bytes; ${content.length} were compressed.`,
    );
  }
  return content;
}
