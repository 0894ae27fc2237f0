import { hexDigit, JsonWriter } from "./json-writer";
import { codePointAt, decode, storeUtf8 } from "./text";

const POINT: usize = memory.data(4);

/** Adds `name=value` to a bag, percent-encoded. */
export function writeProperty(bag: JsonWriter, name: string, value: string): void {
  if (bag.length > 0) bag.byte(0x26);
  encode(bag, name);
  bag.byte(0x3d);
  encode(bag, value);
}

/** The value of a property in `name=value&…`, or null when there is none. */
export function readProperty(at: usize, length: i32, name: string): string | null {
  const end = at + length;
  let from = at;
  while (from < end) {
    let to = from;
    while (to < end && load<u8>(to) !== 0x26) to++;
    let equals = from;
    while (equals < to && load<u8>(equals) !== 0x3d) equals++;
    if (decodePercent(from, equals) === name) return decodePercent(min(equals + 1, to), to);
    from = to + 1;
  }
  return null;
}

function encode(bag: JsonWriter, text: string): void {
  for (let index = 0; index < text.length; index++) {
    const point = codePointAt(text, index);
    if (point > 0xffff) index++;
    const end = storeUtf8(POINT, point);
    for (let at = POINT; at < end; at++) encodeByte(bag, load<u8>(at));
  }
}

function encodeByte(bag: JsonWriter, byte: i32): void {
  if (isUnreserved(byte)) {
    bag.byte(byte);
    return;
  }
  bag.byte(0x25);
  bag.byte(hexDigit(byte >> 4));
  bag.byte(hexDigit(byte & 15));
}

function isUnreserved(byte: i32): bool {
  const letter = byte | 0x20;
  if (letter >= 0x61 && letter <= 0x7a) return true;
  if (byte >= 0x30 && byte <= 0x39) return true;
  return byte === 0x2d || byte === 0x2e || byte === 0x5f || byte === 0x7e;
}

function decodePercent(start: usize, end: usize): string {
  const bytes = new StaticArray<u8>(i32(end - start));
  const base = changetype<usize>(bytes);
  let count: i32 = 0;
  for (let at = start; at < end; at++) {
    let byte = <i32>load<u8>(at);
    if (byte === 0x25 && at + 2 < end) {
      byte = (hexOf(load<u8>(at + 1)) << 4) | hexOf(load<u8>(at + 2));
      at += 2;
    }
    store<u8>(base + count, byte);
    count++;
  }
  return decode(base, count);
}

function hexOf(digit: i32): i32 {
  return digit < 0x40 ? digit & 15 : (digit & 15) + 9;
}
