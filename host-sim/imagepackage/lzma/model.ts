/**
 * What LZMA's encoder and decoder share: the adaptive probabilities and the automaton of twelve
 * states that remembers whether the last symbols were literals or copies.
 */
export interface Model {
  readonly isMatch: Uint16Array;
  readonly isRep: Uint16Array;
  readonly isRepG0: Uint16Array;
  readonly isRepG1: Uint16Array;
  readonly isRepG2: Uint16Array;
  readonly isRep0Long: Uint16Array;
  /** 6 bits for each of four classes of length. */
  readonly slots: Uint16Array;
  /** The lower bits of distances below 128. */
  readonly special: Uint16Array;
  readonly align: Uint16Array;
  readonly literals: Uint16Array;
  readonly matchLength: LengthModel;
  readonly repLength: LengthModel;
}

export interface LengthModel {
  readonly choice: Uint16Array;
  /** 3 bits for each position state. */
  readonly low: Uint16Array;
  readonly mid: Uint16Array;
  readonly high: Uint16Array;
}

export const SHORTEST_COPY = 2;
export const LONGEST_COPY = 273;
export const SLOT_BITS = 6;
export const ALIGN_BITS = 4;
/** From here on the middle bits of a distance are not modelled. */
export const FIRST_DIRECT_SLOT = 14;
/** The distance that ends a stream. */
export const END_MARKER = 0xffffffff;
export const HEADER_SIZE = 13;
export const LITERAL_TREE = 0x300;
const EVEN = 1024;

/** @param literalBits lc + lp of the stream */
export function createModel(literalBits: number): Model {
  const even = (size: number) => new Uint16Array(size).fill(EVEN);
  const length = (): LengthModel => ({
    choice: even(2),
    low: even(16 << 3),
    mid: even(16 << 3),
    high: even(256),
  });
  return {
    isMatch: even(12 << 4),
    isRep: even(12),
    isRepG0: even(12),
    isRepG1: even(12),
    isRepG2: even(12),
    isRep0Long: even(12 << 4),
    slots: even(4 << SLOT_BITS),
    special: even(115),
    align: even(1 << ALIGN_BITS),
    literals: even(LITERAL_TREE << literalBits),
    matchLength: length(),
    repLength: length(),
  };
}

/** The automaton: after each kind of symbol comes one of twelve states. */
export const after = {
  literal: (state: number): number => (state < 4 ? 0 : state < 10 ? state - 3 : state - 6),
  match: (state: number): number => (state < 7 ? 7 : 10),
  rep: (state: number): number => (state < 7 ? 8 : 11),
  shortRep: (state: number): number => (state < 7 ? 9 : 11),
};

/** Whether the last symbol was a copy; then the next literal is coded against the byte it would copy. */
export const afterCopy = (state: number): boolean => state >= 7;

/** Which of the four slot trees a length uses. */
export const lengthClass = (length: number): number => Math.min(length - SHORTEST_COPY, 3);
