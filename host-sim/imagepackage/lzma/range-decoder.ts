import { damaged } from "../bytes.ts";

export type RangeDecoder = ReturnType<typeof createRangeDecoder>;

const TOP = 0x1000000;

/**
 * Binary arithmetic decoding, LZMA's way.
 * @param at where the five first bytes are
 */
export function createRangeDecoder(bytes: Uint8Array, at: number) {
  let next = at;
  let range = 0xffffffff;
  let code = 0;

  function byte(): number {
    const value = bytes[next];
    if (value === undefined) {
      throw damaged("lzma-truncated", `The LZMA stream ends at byte ${next}, before its end mark.`);
    }
    next += 1;
    return value;
  }

  if (byte() !== 0) throw damaged("lzma-invalid", "The LZMA stream does not begin with a zero.");
  for (let index = 0; index < 4; index++) code = ((code << 8) | byte()) >>> 0;

  function normalize(): void {
    if (range >= TOP) return;
    range = (range << 8) >>> 0;
    code = ((code << 8) | byte()) >>> 0;
  }

  /** One bit with the probability at an index, which adapts. */
  function bit(model: Uint16Array, index: number): 0 | 1 {
    const probability = model[index] ?? 0;
    const bound = (range >>> 11) * probability;
    if (code < bound) {
      range = bound;
      model[index] = probability + ((2048 - probability) >>> 5);
      normalize();
      return 0;
    }
    range -= bound;
    code -= bound;
    model[index] = probability - (probability >>> 5);
    normalize();
    return 1;
  }

  return {
    bit,
    /** Bits without a model, highest first. */
    direct(count: number): number {
      let value = 0;
      for (let index = 0; index < count; index++) {
        range >>>= 1;
        const one = code >= range ? 1 : 0;
        if (one) code -= range;
        normalize();
        value = value * 2 + one;
      }
      return value;
    },
    /** A tree of bits, highest first. */
    tree(model: Uint16Array, base: number, bits: number): number {
      let node = 1;
      for (let index = 0; index < bits; index++) node = (node << 1) | bit(model, base + node);
      return node - (1 << bits);
    },
    /** A tree of bits, lowest first. */
    reverseTree(model: Uint16Array, base: number, bits: number): number {
      let node = 1;
      let value = 0;
      for (let index = 0; index < bits; index++) {
        const one = bit(model, base + node);
        node = (node << 1) | one;
        value |= one << index;
      }
      return value;
    },
    /** Whether the stream ended as an encoder ends it. */
    finished: (): boolean => code === 0,
    /** How many bytes were read. */
    position: (): number => next,
  };
}
