import { damaged, firstNonZero, guidAt, hex, viewOf } from "./bytes.ts";
import {
  type Abi,
  METADATA_FRAME,
  METADATA_MAGIC,
  SECTION_IDS,
  type Section,
  type SectionKind,
} from "./metadata.ts";

const KINDS = new Map(
  Object.entries(SECTION_IDS).map(([kind, id]) => [id as number, kind as SectionKind]),
);

/** The latest second that JavaScript's dates can tell. */
const LATEST = 8_640_000_000_000n;

/**
 * Reads a metadata block.
 * @param block from the magic to the length at the end
 * @throws LabError image-metadata-…, image-section-…
 */
export function readMetadata(block: Uint8Array): Section[] {
  const view = viewOf(block);
  if (block.length < METADATA_FRAME || view.getUint32(0, true) !== METADATA_MAGIC) {
    throw damaged("image-metadata-magic", "The metadata does not begin with 4X4M.");
  }
  const end = block.length - 4;
  if (view.getUint32(end, true) !== block.length) {
    throw damaged("image-metadata-length", "The last word is not the length of the metadata.");
  }
  const count = view.getUint32(4, true);
  const sections: Section[] = [];
  let at = 8;
  while (sections.length < count) {
    const next = sectionEnd(view, at, end);
    sections.push(readSection(block, at, next));
    at = next;
  }
  if (at !== end) {
    throw damaged(
      "image-metadata-count",
      `The metadata has ${end - at} bytes after its ${count} sections.`,
    );
  }
  checkRepeated(sections);
  return sections;
}

function sectionEnd(view: DataView, at: number, end: number): number {
  const size = at + 4 <= end ? view.getUint16(at + 2, true) : 0;
  if (at + 4 + size > end) {
    throw damaged(
      "image-section-overflow",
      `The section at ${hex(at)} of the metadata runs over the end of the metadata.`,
    );
  }
  if (size === 0) {
    throw damaged("image-section-empty", `The section at ${hex(at)} of the metadata is empty.`);
  }
  return at + 4 + size;
}

function readSection(block: Uint8Array, at: number, end: number): Section {
  const id = viewOf(block).getUint16(at, true);
  const body = block.subarray(at + 4, end);
  const kind = KINDS.get(id);
  if (kind === undefined) return { kind: "Opaque", id, body };
  return readers[kind as keyof typeof readers](body, viewOf(body));
}

type Reader = (body: Uint8Array, view: DataView) => Section;

const readers: Record<Exclude<SectionKind, "Opaque">, Reader> = {
  Identity(body, view) {
    checkSize("Identity", body, 36);
    return {
      kind: "Identity",
      // The upper half is reserved; a value there is a type that nobody knows.
      imageType: view.getUint32(0, true),
      componentId: guidAt(body, 4),
      imageId: guidAt(body, 20),
    };
  },
  Signature(body, view) {
    checkSize("Signature", body, 24);
    const thumbprint = Buffer.from(body.subarray(0, 20)).toString("hex");
    return { kind: "Signature", thumbprint, signingType: view.getUint32(20, true) };
  },
  Debug(body, view) {
    checkSize("Debug", body, 40);
    const seconds = view.getBigUint64(0, true);
    if (seconds > LATEST) throw damaged("image-section-value", "The build time is out of range.");
    return { kind: "Debug", buildTime: Number(seconds), name: readName(body.subarray(8)) };
  },
  TemporaryImage: (body, view) => ({
    kind: "TemporaryImage",
    flags: oneWord("TemporaryImage", body, view),
  }),
  ImagePolicy: (body, view) => ({
    kind: "ImagePolicy",
    flags: oneWord("ImagePolicy", body, view),
  }),
  AbiDepends: (body, view) => ({ kind: "AbiDepends", abis: readAbis(body, view) }),
  AbiProvides: (body, view) => ({ kind: "AbiProvides", abis: readAbis(body, view) }),
  Compression(body, view) {
    checkSize("Compression", body, 8);
    return {
      kind: "Compression",
      uncompressedSize: view.getUint32(0, true),
      type: view.getUint32(4, true),
    };
  },
  Revocation: (body, view) => ({
    kind: "Revocation",
    securityVersion: oneWord("Revocation", body, view),
  }),
  RequiredFlashOffset: (body, view) => ({
    kind: "RequiredFlashOffset",
    offset: oneWord("RequiredFlashOffset", body, view),
  }),
};

function oneWord(kind: string, body: Uint8Array, view: DataView): number {
  checkSize(kind, body, 4);
  return view.getUint32(0, true);
}

function readAbis(body: Uint8Array, view: DataView): Abi[] {
  const count = body.length >= 4 ? view.getUint32(0, true) : 0;
  checkSize("ABI", body, 4 + 8 * count);
  return Array.from({ length: count }, (_, index) => ({
    version: view.getUint32(4 + 8 * index, true),
    type: view.getUint32(8 + 8 * index, true),
  }));
}

function readName(field: Uint8Array): string {
  const length = field.indexOf(0);
  const bytes = Buffer.from(field.subarray(0, Math.max(length, 0)));
  const name = bytes.toString("utf8");
  const sound = length >= 0 && firstNonZero(field, length, field.length) < 0;
  if (sound && Buffer.from(name, "utf8").equals(bytes)) return name;
  throw damaged(
    "image-section-value",
    "The name in the metadata is no UTF-8 that ends with zeros.",
  );
}

function checkSize(kind: string, body: Uint8Array, size: number): void {
  if (body.length === size) return;
  throw damaged(
    "image-section-size",
    `The ${kind} section has ${body.length} bytes in place of ${size}.`,
  );
}

function checkRepeated(sections: readonly Section[]): void {
  const seen = new Set<string>();
  for (const { kind } of sections) {
    if (kind !== "Opaque" && seen.has(kind)) {
      throw damaged("image-section-repeated", `The metadata has two ${kind} sections.`);
    }
    seen.add(kind);
  }
}
