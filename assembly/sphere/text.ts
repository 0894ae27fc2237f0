/** UTF-8 and UTF-16 without allocation where the length is bounded. */

/** Reads the code point at `index` of a text; a lone surrogate becomes U+FFFD. */
export function codePointAt(text: string, index: i32): i32 {
  const unit = text.charCodeAt(index);
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  const low = index + 1 < text.length ? text.charCodeAt(index + 1) : 0;
  const paired = unit < 0xdc00 && low >= 0xdc00 && low <= 0xdfff;
  return paired ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
}

/** Bytes that a code point takes in UTF-8. */
export function utf8Length(point: i32): i32 {
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  return point < 0x10000 ? 3 : 4;
}

/** Stores a code point as UTF-8; the caller has seen to the room. @returns the address after it */
export function storeUtf8(at: usize, point: i32): usize {
  const count = utf8Length(point);
  if (count === 1) {
    store<u8>(at, point);
    return at + 1;
  }
  const lead = 0xf00 >> count;
  store<u8>(at, (lead & 0xff) | (point >> (6 * (count - 1))));
  for (let left = count - 2; left >= 0; left--) {
    store<u8>(at + (count - 1 - left), 0x80 | ((point >> (6 * left)) & 0x3f));
  }
  return at + count;
}

/** Decodes `length` bytes of UTF-8. */
export function decode(at: usize, length: i32): string {
  return String.UTF8.decodeUnsafe(at, length);
}
