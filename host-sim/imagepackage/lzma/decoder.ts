import { damaged, viewOf } from "../bytes.ts";
import {
  ALIGN_BITS,
  after,
  afterCopy,
  createModel,
  END_MARKER,
  FIRST_DIRECT_SLOT,
  HEADER_SIZE,
  type LengthModel,
  LITERAL_TREE,
  lengthClass,
  type Model,
  SHORTEST_COPY,
  SLOT_BITS,
} from "./model.ts";
import { createRangeDecoder, type RangeDecoder } from "./range-decoder.ts";

interface Header {
  readonly literalContext: number;
  readonly literalPosition: number;
  readonly position: number;
  readonly dictionary: number;
  /** Undefined: the stream has an end mark. */
  readonly size: number | undefined;
}

interface Decoding {
  readonly header: Header;
  readonly model: Model;
  readonly range: RangeDecoder;
  readonly output: Uint8Array;
  length: number;
  state: number;
  /** The last four distances less one. */
  reps: [number, number, number, number];
}

/**
 * Decodes an LZMA "alone" stream.
 * @param limit bytes of output at most; so many are allocated
 * @returns the content and the length of the stream
 * @throws LabError lzma-truncated, lzma-invalid, lzma-too-long
 */
export function decodeLzma(
  stream: Uint8Array,
  limit: number,
): { readonly content: Uint8Array; readonly consumed: number } {
  const header = readHeader(stream);
  const decoding: Decoding = {
    header,
    model: createModel(header.literalContext + header.literalPosition),
    range: createRangeDecoder(stream, HEADER_SIZE),
    output: new Uint8Array(limit),
    length: 0,
    state: 0,
    reps: [0, 0, 0, 0],
  };
  while (decoding.length !== header.size) if (!decodeSymbol(decoding)) break;
  // A stream of known size may have an end mark as well.
  const marked = decoding.length === header.size && !decoding.range.finished();
  const more = marked && decodeSymbol(decoding);
  if (more || !decoding.range.finished()) {
    throw damaged("lzma-invalid", "The LZMA stream does not end where its content ends.");
  }
  if (header.size !== undefined && decoding.length !== header.size) {
    throw damaged("lzma-invalid", "The LZMA stream ends before the size that it states.");
  }
  const content = decoding.output.subarray(0, decoding.length);
  return { content, consumed: decoding.range.position() };
}

function readHeader(stream: Uint8Array): Header {
  if (stream.length < HEADER_SIZE + 5) {
    throw damaged("lzma-truncated", `${stream.length} bytes are too short for an LZMA stream.`);
  }
  const properties = stream[0] ?? 0;
  const literalContext = properties % 9;
  const literalPosition = Math.floor(properties / 9) % 5;
  const position = Math.floor(properties / 45);
  if (position > 4 || literalContext + literalPosition > 4) {
    throw damaged("lzma-invalid", `${properties} is no properties byte of LZMA.`);
  }
  const view = viewOf(stream);
  const size = view.getBigUint64(5, true);
  return {
    literalContext,
    literalPosition,
    position,
    dictionary: Math.max(4096, view.getUint32(1, true)),
    size: size === 0xffffffffffffffffn ? undefined : Number(size),
  };
}

/** @returns false at the end mark */
function decodeSymbol(decoding: Decoding): boolean {
  const { model, range, state, header } = decoding;
  const positionState = decoding.length & ((1 << header.position) - 1);
  if (range.bit(model.isMatch, (state << 4) + positionState) === 0) {
    put(decoding, decodeLiteral(decoding));
    decoding.state = after.literal(state);
    return true;
  }
  if (range.bit(model.isRep, state) === 1) {
    const length = decodeRep(decoding, positionState);
    copy(decoding, length);
    return true;
  }
  const length = decodeLength(range, model.matchLength, positionState);
  const distance = decodeDistance(range, model, length);
  if (distance === END_MARKER) return false;
  decoding.reps = [distance, decoding.reps[0], decoding.reps[1], decoding.reps[2]];
  decoding.state = after.match(state);
  copy(decoding, length);
  return true;
}

function decodeLiteral({ model, range, output, length, state, header, reps }: Decoding): number {
  const before = length > 0 ? (output[length - 1] ?? 0) : 0;
  const low = length & ((1 << header.literalPosition) - 1);
  const context = (low << header.literalContext) + (before >> (8 - header.literalContext));
  const base = LITERAL_TREE * context;
  let symbol = 1;
  if (afterCopy(state)) {
    let wouldCopy = output[length - reps[0] - 1] ?? 0;
    while (symbol < 0x100) {
      const expected = (wouldCopy >> 7) & 1;
      wouldCopy <<= 1;
      const bit = range.bit(model.literals, base + ((1 + expected) << 8) + symbol);
      symbol = (symbol << 1) | bit;
      if (bit !== expected) break;
    }
  }
  while (symbol < 0x100) symbol = (symbol << 1) | range.bit(model.literals, base + symbol);
  return symbol & 0xff;
}

/** A copy from one of the last four distances, which comes to the front. @returns its length */
function decodeRep(decoding: Decoding, positionState: number): number {
  const { model, range, state } = decoding;
  const [first, second, third, fourth] = decoding.reps;
  if (range.bit(model.isRepG0, state) === 0) {
    if (range.bit(model.isRep0Long, (state << 4) + positionState) === 0) {
      decoding.state = after.shortRep(state);
      return 1;
    }
  } else if (range.bit(model.isRepG1, state) === 0) {
    decoding.reps = [second, first, third, fourth];
  } else if (range.bit(model.isRepG2, state) === 0) {
    decoding.reps = [third, first, second, fourth];
  } else {
    decoding.reps = [fourth, first, second, third];
  }
  decoding.state = after.rep(state);
  return decodeLength(range, model.repLength, positionState);
}

function decodeLength(range: RangeDecoder, model: LengthModel, positionState: number): number {
  if (range.bit(model.choice, 0) === 0) {
    return SHORTEST_COPY + range.tree(model.low, positionState << 3, 3);
  }
  if (range.bit(model.choice, 1) === 0) {
    return SHORTEST_COPY + 8 + range.tree(model.mid, positionState << 3, 3);
  }
  return SHORTEST_COPY + 16 + range.tree(model.high, 0, 8);
}

/** @returns the distance less one */
function decodeDistance(range: RangeDecoder, model: Model, length: number): number {
  const slot = range.tree(model.slots, lengthClass(length) << SLOT_BITS, SLOT_BITS);
  if (slot < 4) return slot;
  const bits = (slot >> 1) - 1;
  const high = (2 | (slot & 1)) * 2 ** bits;
  if (slot < FIRST_DIRECT_SLOT) return high + range.reverseTree(model.special, high - slot, bits);
  const middle = range.direct(bits - ALIGN_BITS) * (1 << ALIGN_BITS);
  return high + middle + range.reverseTree(model.align, 0, ALIGN_BITS);
}

function copy(decoding: Decoding, length: number): void {
  const distance = decoding.reps[0] + 1;
  if (distance > decoding.length || distance > decoding.header.dictionary) {
    throw damaged("lzma-invalid", "The LZMA stream copies from before its beginning.");
  }
  for (let index = 0; index < length; index++) {
    put(decoding, decoding.output[decoding.length - distance] ?? 0);
  }
}

function put(decoding: Decoding, byte: number): void {
  if (decoding.length >= decoding.output.length) {
    throw damaged(
      "lzma-too-long",
      `The LZMA stream has more content than the ${decoding.output.length} bytes it should have.`,
    );
  }
  decoding.output[decoding.length] = byte;
  decoding.length += 1;
}
