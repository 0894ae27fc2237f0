import { LONGEST_COPY } from "./model.ts";

export interface Match {
  /** 0 when there is none. */
  readonly length: number;
  /** Less one. */
  readonly distance: number;
}

const HASH_BITS = 15;
/** How many earlier places with the same hash are looked at. */
const DEPTH = 48;
const SHORTEST = 3;
const NONE: Match = { length: 0, distance: 0 };

/** Finds the longest earlier copy of what comes next, within a window. */
export function createMatchFinder(bytes: Uint8Array, window: number) {
  const heads = new Int32Array(1 << HASH_BITS).fill(-1);
  const earlier = new Int32Array(bytes.length);

  function hash(at: number): number {
    const three = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    return Math.imul(three, 0x9e3779b1) >>> (32 - HASH_BITS);
  }

  /** How many bytes are equal at two places. */
  function common(from: number, at: number): number {
    const most = Math.min(LONGEST_COPY, bytes.length - at);
    let length = 0;
    while (length < most && bytes[from + length] === bytes[at + length]) length += 1;
    return length;
  }

  function find(at: number): Match {
    if (at + SHORTEST > bytes.length) return NONE;
    let best = NONE;
    let place = heads[hash(at)] ?? -1;
    for (let step = 0; step < DEPTH && place >= 0 && at - place <= window; step++) {
      const length = common(place, at);
      if (length >= SHORTEST && length > best.length) best = { length, distance: at - place - 1 };
      place = earlier[place] ?? -1;
    }
    return best;
  }

  return {
    common,
    find,
    /** Makes a place known to later searches; each once, in order. */
    add(at: number): void {
      if (at + SHORTEST > bytes.length) return;
      const slot = hash(at);
      earlier[at] = heads[slot] ?? -1;
      heads[slot] = at;
    },
  };
}
