import { createMatchFinder } from "./match-finder.ts";
import {
  ALIGN_BITS,
  after,
  afterCopy,
  createModel,
  END_MARKER,
  FIRST_DIRECT_SLOT,
  HEADER_SIZE,
  type LengthModel,
  lengthClass,
  type Model,
  SHORTEST_COPY,
  SLOT_BITS,
} from "./model.ts";
import { createRangeEncoder, type RangeEncoder } from "./range-encoder.ts";

/** lc 0, lp 0, pb 2: what the Security Service uses. */
const PROPERTIES = 0x5a;
const DICTIONARY = 4096;
const POSITION_MASK = 3;

interface Encoding {
  readonly bytes: Uint8Array;
  readonly model: Model;
  readonly range: RangeEncoder;
  at: number;
  state: number;
  reps: [number, number, number, number];
}

/** A copy from one of the last four distances (`rep`) or from a new one. */
interface Copy {
  readonly length: number;
  readonly distance: number;
  readonly rep: number;
}

/**
 * Encodes an LZMA "alone" stream with unknown size and an end mark. It takes the longest copy that
 * it sees, so the result is some percent larger than liblzma's; any decoder reads it.
 */
export function encodeLzma(bytes: Uint8Array): Uint8Array {
  const encoding: Encoding = {
    bytes,
    model: createModel(0),
    range: createRangeEncoder(Math.max(64, bytes.length >> 1)),
    at: 0,
    state: 0,
    reps: [0, 0, 0, 0],
  };
  const finder = createMatchFinder(bytes, DICTIONARY);
  while (encoding.at < bytes.length) {
    const copy = chooseCopy(encoding, finder);
    const end = encoding.at + (copy?.length ?? 1);
    if (copy) encodeCopy(encoding, copy);
    else encodeLiteral(encoding);
    for (; encoding.at < end; encoding.at++) finder.add(encoding.at);
  }
  encodeMatch(encoding, { length: SHORTEST_COPY, distance: END_MARKER, rep: -1 });
  return withHeader(encoding.range.finish());
}

function withHeader(body: Uint8Array): Uint8Array {
  const stream = Buffer.alloc(HEADER_SIZE + body.length, 0xff);
  stream[0] = PROPERTIES;
  stream.writeUInt32LE(DICTIONARY, 1);
  stream.set(body, HEADER_SIZE);
  return stream;
}

function chooseCopy(
  encoding: Encoding,
  finder: ReturnType<typeof createMatchFinder>,
): Copy | undefined {
  const { at, reps } = encoding;
  let best: Copy = { length: 0, distance: 0, rep: -1 };
  for (const [rep, distance] of reps.entries()) {
    const length = distance < at ? finder.common(at - distance - 1, at) : 0;
    if (length >= SHORTEST_COPY && length > best.length) best = { length, distance, rep };
  }
  const match = finder.find(at);
  // A new distance costs some ten bits more, about one byte of content.
  if (match.length > best.length + 1) return { ...match, rep: -1 };
  return best.length > 0 ? best : undefined;
}

const positionOf = ({ at }: Encoding): number => at & POSITION_MASK;

function encodeLiteral(encoding: Encoding): void {
  const { bytes, model, range, at, state, reps } = encoding;
  range.bit(model.isMatch, (state << 4) + positionOf(encoding), 0);
  const byte = bytes[at] ?? 0;
  let symbol = 1;
  let shift = 7;
  if (afterCopy(state)) {
    const wouldCopy = bytes[at - reps[0] - 1] ?? 0;
    for (; shift >= 0; shift--) {
      const expected = (wouldCopy >> shift) & 1;
      const bit = (byte >> shift) & 1;
      range.bit(model.literals, ((1 + expected) << 8) + symbol, bit);
      symbol = (symbol << 1) | bit;
      if (bit !== expected) {
        shift -= 1;
        break;
      }
    }
  }
  for (; shift >= 0; shift--) {
    const bit = (byte >> shift) & 1;
    range.bit(model.literals, symbol, bit);
    symbol = (symbol << 1) | bit;
  }
  encoding.state = after.literal(state);
}

function encodeCopy(encoding: Encoding, copy: Copy): void {
  if (copy.rep < 0) encodeMatch(encoding, copy);
  else encodeRep(encoding, copy);
}

function encodeMatch(encoding: Encoding, { length, distance }: Copy): void {
  const { model, range, state, reps } = encoding;
  const position = positionOf(encoding);
  range.bit(model.isMatch, (state << 4) + position, 1);
  range.bit(model.isRep, state, 0);
  encodeLength(range, model.matchLength, position, length);
  encodeDistance(range, model, length, distance);
  encoding.reps = [distance, reps[0], reps[1], reps[2]];
  encoding.state = after.match(state);
}

function encodeRep(encoding: Encoding, { length, distance, rep }: Copy): void {
  const { model, range, state, reps } = encoding;
  const position = positionOf(encoding);
  range.bit(model.isMatch, (state << 4) + position, 1);
  range.bit(model.isRep, state, 1);
  range.bit(model.isRepG0, state, rep > 0 ? 1 : 0);
  if (rep === 0) range.bit(model.isRep0Long, (state << 4) + position, 1);
  if (rep > 0) range.bit(model.isRepG1, state, rep > 1 ? 1 : 0);
  if (rep > 1) range.bit(model.isRepG2, state, rep > 2 ? 1 : 0);
  encodeLength(range, model.repLength, position, length);
  const others = reps.filter((_, index) => index !== rep);
  encoding.reps = [distance, others[0] ?? 0, others[1] ?? 0, others[2] ?? 0];
  encoding.state = after.rep(state);
}

function encodeLength(
  range: RangeEncoder,
  model: LengthModel,
  position: number,
  length: number,
): void {
  const value = length - SHORTEST_COPY;
  range.bit(model.choice, 0, value < 8 ? 0 : 1);
  if (value >= 8) range.bit(model.choice, 1, value < 16 ? 0 : 1);
  if (value < 8) range.tree(model.low, position << 3, 3, value);
  else if (value < 16) range.tree(model.mid, position << 3, 3, value - 8);
  else range.tree(model.high, 0, 8, value - 16);
}

/** @param distance less one */
function encodeDistance(range: RangeEncoder, model: Model, length: number, distance: number): void {
  const slot = slotOf(distance);
  range.tree(model.slots, lengthClass(length) << SLOT_BITS, SLOT_BITS, slot);
  if (slot < 4) return;
  const bits = (slot >> 1) - 1;
  const high = (2 | (slot & 1)) * 2 ** bits;
  const rest = distance - high;
  if (slot < FIRST_DIRECT_SLOT) {
    range.reverseTree(model.special, high - slot, bits, rest);
    return;
  }
  range.direct(Math.floor(rest / (1 << ALIGN_BITS)), bits - ALIGN_BITS);
  range.reverseTree(model.align, 0, ALIGN_BITS, rest % (1 << ALIGN_BITS));
}

/** Twice the highest bit's number, plus the bit below it. */
function slotOf(distance: number): number {
  if (distance < 4) return distance;
  const top = 31 - Math.clz32(distance);
  return 2 * top + ((distance >>> (top - 1)) & 1);
}
