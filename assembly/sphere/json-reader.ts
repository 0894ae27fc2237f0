import { decode } from "./text";

/** Kinds of a `JsonValue`. */
export const JSON_MISSING: i32 = 0;
export const JSON_NULL: i32 = 1;
export const JSON_BOOL: i32 = 2;
export const JSON_NUMBER: i32 = 3;
export const JSON_TEXT: i32 = 4;
export const JSON_ARRAY: i32 = 5;
export const JSON_OBJECT: i32 = 6;

/** Deeper nesting is refused; IoT Hub itself allows ten levels in a twin. */
const MAX_DEPTH: i32 = 24;

/** A value inside JSON text that was found to be correct. It lives as long as the event. */
@final
export class JsonValue {
  constructor(
    readonly start: usize,
    readonly end: usize,
  ) {}

  get kind(): i32 {
    return this.start === this.end ? JSON_MISSING : kindOf(load<u8>(this.start));
  }

  /** Bytes of the text of this value. */
  get length(): i32 {
    return i32(this.end - this.start);
  }

  get isNull(): bool {
    return this.kind <= JSON_NULL;
  }

  get isBool(): bool {
    return this.kind === JSON_BOOL;
  }

  get isNumber(): bool {
    return this.kind === JSON_NUMBER;
  }

  get isText(): bool {
    return this.kind === JSON_TEXT;
  }

  /** False for anything but `true`. */
  bool(): bool {
    return this.kind === JSON_BOOL && load<u8>(this.start) === 0x74;
  }

  /** NaN for anything but a number. */
  number(): f64 {
    return this.isNumber ? parseNumber(this.start, this.end) : f64.NaN;
  }

  /** The text without quotes and escapes; for any other kind its JSON. */
  text(): string {
    if (!this.isText) return decode(this.start, this.length);
    return unescaped(this.start + 1, this.end - 1);
  }

  /** The member of an object; a value of kind JSON_MISSING when there is none. */
  get(name: string): JsonValue {
    let at = this.kind === JSON_OBJECT ? skipBlanks(this.start + 1, this.end) : this.end;
    while (at < this.end && load<u8>(at) === 0x22) {
      const keyEnd = skipText(at, this.end);
      const start = skipBlanks(skipBlanks(keyEnd, this.end) + 1, this.end);
      const end = skipValue(start, this.end, 0);
      if (unescaped(at + 1, keyEnd - 1) === name) return new JsonValue(start, end);
      at = nextItem(end, this.end);
    }
    return new JsonValue(this.end, this.end);
  }

  /** An array's item from 0; a value of kind JSON_MISSING behind the last. */
  item(index: i32): JsonValue {
    let at = this.kind === JSON_ARRAY ? skipBlanks(this.start + 1, this.end) : this.end;
    for (let count = 0; at < this.end && load<u8>(at) !== 0x5d; count++) {
      const end = skipValue(at, this.end, 0);
      if (count === index) return new JsonValue(at, end);
      at = nextItem(end, this.end);
    }
    return new JsonValue(this.end, this.end);
  }
}

/** Checks the whole text. @returns its value, or null when it is not correct JSON */
export function parseJson(at: usize, length: i32): JsonValue | null {
  const end = at + length;
  const start = skipBlanks(at, end);
  const valueEnd = skipValue(start, end, 0);
  if (valueEnd === 0 || skipBlanks(valueEnd, end) !== end) return null;
  return new JsonValue(start, valueEnd);
}

function kindOf(first: u8): i32 {
  if (first === 0x7b) return JSON_OBJECT;
  if (first === 0x5b) return JSON_ARRAY;
  if (first === 0x22) return JSON_TEXT;
  if (first === 0x74 || first === 0x66) return JSON_BOOL;
  return first === 0x6e ? JSON_NULL : JSON_NUMBER;
}

function skipBlanks(from: usize, end: usize): usize {
  let at = from;
  while (at < end && isBlank(load<u8>(at))) at++;
  return at;
}

function isBlank(byte: u8): bool {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** @returns the address after the comma behind a value, or of the closing bracket */
function nextItem(from: usize, end: usize): usize {
  const at = skipBlanks(from, end);
  return at < end && load<u8>(at) === 0x2c ? skipBlanks(at + 1, end) : at;
}

/** @returns the address after the value, or 0 when it is wrong */
function skipValue(at: usize, end: usize, depth: i32): usize {
  if (at >= end || depth > MAX_DEPTH) return 0;
  const first = load<u8>(at);
  if (first === 0x22) return skipText(at, end);
  if (first === 0x7b) return skipItems(at, end, 0x7d, depth);
  if (first === 0x5b) return skipItems(at, end, 0x5d, depth);
  if (first === 0x74) return skipWord(at, end, "true");
  if (first === 0x66) return skipWord(at, end, "false");
  if (first === 0x6e) return skipWord(at, end, "null");
  return skipNumber(at, end);
}

function skipItems(open: usize, end: usize, close: u8, depth: i32): usize {
  let at = skipBlanks(open + 1, end);
  if (at < end && load<u8>(at) === close) return at + 1;
  while (at < end) {
    if (close === 0x7d) {
      at = skipBlanks(skipText(at, end), end);
      if (at === 0 || at >= end || load<u8>(at) !== 0x3a) return 0;
      at = skipBlanks(at + 1, end);
    }
    at = skipValue(at, end, depth + 1);
    if (at === 0) return 0;
    at = skipBlanks(at, end);
    if (at >= end) return 0;
    if (load<u8>(at) === close) return at + 1;
    if (load<u8>(at) !== 0x2c) return 0;
    at = skipBlanks(at + 1, end);
  }
  return 0;
}

function skipText(from: usize, end: usize): usize {
  if (from >= end || load<u8>(from) !== 0x22) return 0;
  for (let at = from + 1; at < end; at++) {
    const byte = load<u8>(at);
    if (byte === 0x22) return at + 1;
    if (byte < 0x20) return 0;
    if (byte !== 0x5c) continue;
    at++;
    if (at >= end) return 0;
    const letter = load<u8>(at);
    if (letter === 0x75) {
      if (at + 4 >= end || hexValue(at + 1) < 0) return 0;
      at += 4;
    } else if (escapeOf(letter) < 0) return 0;
  }
  return 0;
}

function skipWord(at: usize, end: usize, word: string): usize {
  if (at + word.length > end) return 0;
  for (let index = 0; index < word.length; index++) {
    if (load<u8>(at + index) !== word.charCodeAt(index)) return 0;
  }
  return at + word.length;
}

function skipDigits(from: usize, end: usize): usize {
  let at = from;
  while (at < end && isDigit(load<u8>(at))) at++;
  return at;
}

function isDigit(byte: u8): bool {
  return byte >= 0x30 && byte <= 0x39;
}

function skipNumber(from: usize, end: usize): usize {
  let at = from;
  if (load<u8>(at) === 0x2d) at++;
  const whole = at;
  at = skipDigits(at, end);
  if (at === whole || (load<u8>(whole) === 0x30 && at > whole + 1)) return 0;
  if (at < end && load<u8>(at) === 0x2e) {
    const fraction = at + 1;
    at = skipDigits(fraction, end);
    if (at === fraction) return 0;
  }
  if (at < end && (load<u8>(at) | 0x20) === 0x65) {
    at++;
    if (at < end && (load<u8>(at) === 0x2b || load<u8>(at) === 0x2d)) at++;
    const exponent = at;
    at = skipDigits(exponent, end);
    if (at === exponent) return 0;
  }
  return at;
}

/**
 * The value of a correct number. Exact for up to 15 digits and powers of ten up to 22, which is
 * everything a sensor or a person writes; beyond that the last two bits may differ. (F64.parseFloat
 * allocates, and is wrong by a power of ten for some numbers with 16 digits.)
 */
function parseNumber(start: usize, end: usize): f64 {
  const negative = load<u8>(start) === 0x2d;
  let mantissa: u64 = 0;
  let exponent = 0;
  let afterPoint = false;
  let at = negative ? start + 1 : start;
  for (; at < end; at++) {
    const byte = load<u8>(at);
    if (byte === 0x2e) {
      afterPoint = true;
    } else if (!isDigit(byte)) {
      break;
    } else if (mantissa < 100_000_000_000_000_000) {
      mantissa = mantissa * 10 + (byte - 0x30);
      if (afterPoint) exponent--;
    } else if (!afterPoint) {
      exponent++;
    }
  }
  if (at < end) exponent += parseExponent(at + 1, end);
  const value = scaled(f64(mantissa), exponent);
  return negative ? -value : value;
}

function parseExponent(start: usize, end: usize): i32 {
  const sign = load<u8>(start);
  let value = 0;
  for (let at = start + (isDigit(sign) ? 0 : 1); at < end; at++) {
    // More than four digits are zero or infinity however they end.
    value = min(value * 10 + load<u8>(at) - 0x30, 9999);
  }
  return sign === 0x2d ? -value : value;
}

/** value · 10^exponent; 10^22 is the largest power of ten that a double holds exactly. */
function scaled(value: f64, exponent: i32): f64 {
  let result = value;
  let left = exponent;
  for (; left > 22 && isFinite(result); left -= 22) result *= 1e22;
  for (; left < -22 && result !== 0; left += 22) result /= 1e22;
  let power: f64 = 1;
  for (let count = min(abs(left), 22); count > 0; count--) power *= 10;
  return left < 0 ? result / power : result * power;
}

/** What a one-letter escape stands for, or -1. */
function escapeOf(letter: u8): i32 {
  if (letter === 0x22 || letter === 0x5c || letter === 0x2f) return letter;
  if (letter === 0x62) return 8;
  if (letter === 0x66) return 12;
  if (letter === 0x6e) return 10;
  if (letter === 0x72) return 13;
  return letter === 0x74 ? 9 : -1;
}

/** The value of four hex digits, or -1. */
function hexValue(at: usize): i32 {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    const byte: i32 = load<u8>(at + index);
    const letter = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) value = value * 16 + letter - 0x57;
    else return -1;
  }
  return value;
}

/** Decodes what lies between the quotes of a correct text. */
function unescaped(start: usize, end: usize): string {
  let result = "";
  let from = start;
  for (let at = start; at < end; at++) {
    if (load<u8>(at) !== 0x5c) continue;
    result += decode(from, i32(at - from));
    const letter = load<u8>(at + 1);
    result += String.fromCharCode(letter === 0x75 ? hexValue(at + 2) : escapeOf(letter));
    at += letter === 0x75 ? 5 : 1;
    from = at + 1;
  }
  const rest = decode(from, i32(end - from));
  return from === start ? rest : result + rest;
}
