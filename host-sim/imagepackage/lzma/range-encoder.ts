export type RangeEncoder = ReturnType<typeof createRangeEncoder>;

const TOP = 0x1000000;
const CARRY = 0x100000000;

/** Binary arithmetic encoding, the mirror of range-decoder.ts. */
export function createRangeEncoder(capacity: number) {
  let output = new Uint8Array(capacity);
  let size = 0;
  let low = 0;
  let range = 0xffffffff;
  let cache = 0;
  /** Bytes that a carry may still change: one, and all 0xFF after it. */
  let pending = 1;

  function put(byte: number): void {
    if (size === output.length) {
      const larger = new Uint8Array(2 * output.length);
      larger.set(output);
      output = larger;
    }
    output[size] = byte;
    size += 1;
  }

  function shift(): void {
    if (low < 0xff000000 || low >= CARRY) {
      const carry = low >= CARRY ? 1 : 0;
      put((cache + carry) & 0xff);
      for (; pending > 1; pending--) put((0xff + carry) & 0xff);
      pending = 0;
      cache = Math.floor(low / TOP) & 0xff;
    }
    pending += 1;
    low = (low % TOP) * 256;
  }

  function bit(model: Uint16Array, index: number, one: number): void {
    const probability = model[index] ?? 0;
    const bound = (range >>> 11) * probability;
    if (one) {
      low += bound;
      range -= bound;
      model[index] = probability - (probability >>> 5);
    } else {
      range = bound;
      model[index] = probability + ((2048 - probability) >>> 5);
    }
    if (range < TOP) {
      range = (range << 8) >>> 0;
      shift();
    }
  }

  return {
    bit,
    direct(value: number, count: number): void {
      for (let index = count - 1; index >= 0; index--) {
        range >>>= 1;
        if (Math.floor(value / 2 ** index) % 2 === 1) low += range;
        if (range < TOP) {
          range = (range << 8) >>> 0;
          shift();
        }
      }
    },
    tree(model: Uint16Array, base: number, bits: number, value: number): void {
      let node = 1;
      for (let index = bits - 1; index >= 0; index--) {
        const one = (value >> index) & 1;
        bit(model, base + node, one);
        node = (node << 1) | one;
      }
    },
    reverseTree(model: Uint16Array, base: number, bits: number, value: number): void {
      let node = 1;
      for (let index = 0; index < bits; index++) {
        const one = (value >> index) & 1;
        bit(model, base + node, one);
        node = (node << 1) | one;
      }
    },
    finish(): Uint8Array {
      for (let index = 0; index < 5; index++) shift();
      return output.subarray(0, size);
    },
  };
}
