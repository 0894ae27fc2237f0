import { damaged, hex, LARGEST_INPUT, viewOf } from "./bytes.ts";
import { METADATA_FRAME, METADATA_MAGIC, type Section } from "./metadata.ts";
import { readMetadata } from "./metadata-reader.ts";

/** The three parts of an image, as views into it. */
export interface Frame {
  readonly payload: Uint8Array;
  readonly sections: readonly Section[];
  readonly metadata: Uint8Array;
  /** Payload and metadata: what the signature is over. */
  readonly signed: Uint8Array;
  /** 64 bytes, or 96 of the 384-bit type. */
  readonly signature: Uint8Array;
}

/** Signatures of P-256 and of P-384. */
const SIGNATURE_SIZES = [64, 96] as const;
/** Metadata is a few hundred bytes; farther back one does not look for a lost one. */
const SEARCHED = 4096;

/**
 * Takes an image apart from its end: signature, metadata, payload.
 * @throws LabError image-too-short, image-too-large, image-metadata-…, image-section-…
 */
export function readFrame(bytes: Uint8Array): Frame {
  if (bytes.length > LARGEST_INPUT) {
    throw damaged("image-too-large", `${bytes.length} bytes are more than any image has.`);
  }
  if (bytes.length < SIGNATURE_SIZES[0] + METADATA_FRAME) {
    throw damaged("image-too-short", `${bytes.length} bytes are too short for an image package.`);
  }
  for (const size of SIGNATURE_SIZES) {
    const start = metadataStart(bytes, size);
    if (start === undefined) continue;
    const end = bytes.length - size;
    const metadata = bytes.subarray(start, end);
    return {
      payload: bytes.subarray(0, start),
      sections: readMetadata(metadata),
      metadata,
      signed: bytes.subarray(0, end),
      signature: bytes.subarray(end),
    };
  }
  throw explain(bytes);
}

/** Where the metadata begins if the signature has this size, by the length before it. */
function metadataStart(bytes: Uint8Array, signatureSize: number): number | undefined {
  const end = bytes.length - signatureSize;
  if (end < METADATA_FRAME) return undefined;
  const view = viewOf(bytes);
  const length = view.getUint32(end - 4, true);
  if (length < METADATA_FRAME || length > end) return undefined;
  return view.getUint32(end - length, true) === METADATA_MAGIC ? end - length : undefined;
}

/** A wrong length and a broken magic look alike; a magic nearby tells them apart. */
function explain(bytes: Uint8Array) {
  const end = bytes.length - SIGNATURE_SIZES[0];
  const stated = viewOf(bytes).getUint32(end - 4, true);
  const tail = Buffer.from(bytes.subarray(Math.max(0, end - SEARCHED), end));
  const found = tail.lastIndexOf("4X4M", undefined, "latin1");
  if (found < 0) {
    return damaged("image-metadata-magic", "No metadata (4X4M) is before the signature.");
  }
  const length = tail.length - found;
  return damaged(
    "image-metadata-length",
    `The metadata at ${hex(end - length)} have ${length} bytes; their last word says ${stated}.`,
  );
}
