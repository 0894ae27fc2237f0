import { bitsOf } from "./decode.ts";
import type { DataSegment, Module } from "./module.ts";

/** Bytes that are copied into memory at the start. */
export interface Blob {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** So many zeros in a row cost less than a copy of its own. */
const GAP = 32;

/** Joins the active data segments to few blobs, later ones over earlier ones; zeros are left out. */
export function mergeData(module: Module): Blob[] {
  return joinSegments(module).flatMap(withoutZeros);
}

/** Memory is zero at the start: long rows of zeros need no copy and no place in flash. */
function withoutZeros({ at, bytes }: Blob): Blob[] {
  const parts: Blob[] = [];
  let first = -1;
  let last = -1;
  const cut = () => {
    if (first >= 0) parts.push({ at: at + first, bytes: bytes.subarray(first, last + 1) });
  };
  bytes.forEach((byte, index) => {
    if (byte === 0) return;
    if (first < 0 || index - last > GAP) {
      cut();
      first = index;
    }
    last = index;
  });
  cut();
  return parts;
}

/** The first byte behind all active segments, zeros included. */
export function dataEnd(module: Module): number {
  return module.data.reduce((end, segment) => {
    return segment.offset ? Math.max(end, startOf(module, segment) + segment.bytes.length) : end;
  }, 0);
}

/** Where AssemblyScript says that its heap begins, and from where its own stack grows down. */
const MARKS = /(^|\/)__(data_end|heap_base|stack_pointer)$/;

/**
 * Bytes that the app cannot do without: its static data, and what AssemblyScript keeps before its heap.
 * Of a module without names only the data are known.
 */
export function bytesNeeded(module: Module): number {
  const exported = new Map(
    module.exports.flatMap(({ kind, index, name }) => (kind === "global" ? [[index, name]] : [])),
  );
  return module.globals.reduce((most, { type, name, initial }, index) => {
    const isMark = type === "i32" && (MARKS.test(name) || MARKS.test(exported.get(index) ?? ""));
    return isMark ? Math.max(most, Number(bitsOf(module, initial))) : most;
  }, dataEnd(module));
}

function joinSegments(module: Module): Blob[] {
  const pieces = module.data
    .filter(({ bytes }) => bytes.length > 0)
    .flatMap((segment) => (segment.offset ? [{ at: startOf(module, segment), segment }] : []));
  const areas: { at: number; end: number; pieces: typeof pieces }[] = [];
  for (const piece of [...pieces].sort((a, b) => a.at - b.at)) {
    const area = areas.at(-1);
    const end = piece.at + piece.segment.bytes.length;
    if (area && piece.at <= area.end + GAP) {
      area.pieces.push(piece);
      area.end = Math.max(area.end, end);
    } else {
      areas.push({ at: piece.at, end, pieces: [piece] });
    }
  }
  return areas.map(({ at, end, pieces: inside }) => {
    const bytes = new Uint8Array(end - at);
    // The order in the module decides where segments overlap.
    const ordered = inside.sort((a, b) => a.segment.at - b.segment.at);
    for (const piece of ordered) bytes.set(piece.segment.bytes, piece.at - at);
    return { at, bytes };
  });
}

function startOf(module: Module, { offset }: DataSegment): number {
  return offset ? Number(BigInt.asUintN(32, bitsOf(module, offset))) : 0;
}

/** The bytes as a C initializer. */
export function byteList(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 24) {
    lines.push(`  ${[...bytes.subarray(at, at + 24)].join(",")},`);
  }
  return `{\n${lines.join("\n")}\n}`;
}
