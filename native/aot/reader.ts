import { invalid, unsupported } from "./errors.ts";

/** Reads the binary format from front to back; every fault is an AotError with its byte offset. */
export interface Reader {
  /** Offset of the next byte in the file. */
  readonly at: number;
  readonly end: number;
  byte(): number;
  /** Unsigned LEB128 of at most 32 bits. */
  u32(): number;
  /** Signed LEB128 of at most 32 bits. */
  i32(): number;
  /** Signed LEB128 of at most 64 bits. */
  i64(): bigint;
  bytes(length: number): Uint8Array;
  name(): string;
  /** A count of things that take at least one byte each, so that no count is believed blindly. */
  count(what: string, most: number): number;
  /** A reader of the next `length` bytes; this one goes on behind them. */
  part(length: number): Reader;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function createReader(file: Uint8Array, from = 0, end = file.length): Reader {
  let at = from;

  function byte(): number {
    if (at >= end) throw invalid("it ends too early", at);
    return file[at++] ?? 0;
  }

  /** The last byte of a number may only have the bits that are left, or copies of the sign. */
  function leb(bits: number, signed: boolean): bigint {
    const started = at;
    let value = 0n;
    let shift = 0;
    for (;;) {
      const next = byte();
      value |= BigInt(next & 0x7f) << BigInt(shift);
      shift += 7;
      if (next & 0x80) {
        if (shift >= bits) throw invalid("a number is too long", started);
        continue;
      }
      const exact = signed ? BigInt.asIntN(shift, value) : value;
      const wrapped = signed ? BigInt.asIntN(bits, exact) : BigInt.asUintN(bits, exact);
      if (exact !== wrapped) throw invalid("a number is too large", started);
      return wrapped;
    }
  }

  function u32(): number {
    // Nearly all numbers have one byte.
    const first = file[at] ?? 0x80;
    if (at < end && first < 0x80) {
      at++;
      return first;
    }
    return Number(leb(32, false));
  }

  function bytes(length: number): Uint8Array {
    if (length > end - at) throw invalid("it ends too early", at);
    at += length;
    return file.subarray(at - length, at);
  }

  return {
    get at() {
      return at;
    },
    end,
    byte,
    u32,
    i32: () => Number(leb(32, true)),
    i64: () => leb(64, true),
    bytes,
    name() {
      const started = at;
      const text = bytes(u32());
      try {
        return utf8.decode(text);
      } catch {
        throw invalid("a name is no UTF-8", started);
      }
    },
    count(what, most) {
      const started = at;
      const value = u32();
      if (value > end - at) throw invalid(`it announces ${value} ${what}`, started);
      if (value > most) throw unsupported(`more than ${most} ${what}`, started);
      return value;
    },
    part(length) {
      const started = at;
      bytes(length);
      return createReader(file, started, started + length);
    },
  };
}
