import { dtoa_buffered } from "util/number";
import { ISO_LENGTH, now, writeIso } from "./clock";
import { codePointAt, storeUtf8, utf8Length } from "./text";

/** Room for the longest number in UTF-16. */
const NUMBER: usize = memory.data(64);

/**
 * Writes one JSON object into a buffer that was given to it. Nothing is allocated. What does not fit
 * is left out and `overflow` says so; the sender then refuses the whole.
 */
@final
export class JsonWriter {
  private at: usize;
  overflow: bool = false;

  constructor(
    readonly start: usize,
    private capacity: i32,
  ) {
    this.at = start;
  }

  get length(): i32 {
    return i32(this.at - this.start);
  }

  /** Begins anew with nothing written. */
  clear(): void {
    this.at = this.start;
    this.overflow = false;
  }

  number(value: f64): void {
    // JSON knows neither NaN nor infinities.
    if (!isFinite(value)) {
      this.raw("null");
      return;
    }
    let count = dtoa_buffered(NUMBER, value);
    if (count > 2 && endsWithPointZero(count)) count -= 2;
    for (let index: u32 = 0; index < count; index++) this.byte(load<u16>(NUMBER + 2 * index));
  }

  bool(value: bool): void {
    this.raw(value ? "true" : "false");
  }

  /** The lab's or device's time now, ISO 8601 in UTC. */
  time(): void {
    if (this.room(ISO_LENGTH + 2)) {
      store<u8>(this.at, 0x22);
      writeIso(this.at + 1, now());
      store<u8>(this.at + 1 + ISO_LENGTH, 0x22);
      this.at += ISO_LENGTH + 2;
    }
  }

  text(value: string): void {
    this.byte(0x22);
    for (let index = 0; index < value.length; index++) {
      const point = codePointAt(value, index);
      if (point > 0xffff) index++;
      this.escaped(point);
    }
    this.byte(0x22);
  }

  /** Name and colon, after a comma where one is needed. */
  key(name: string): void {
    if (this.at > this.start && load<u8>(this.at - 1) !== 0x7b) this.byte(0x2c);
    this.text(name);
    this.byte(0x3a);
  }

  /** ASCII text as it is. */
  raw(text: string): void {
    for (let index = 0; index < text.length; index++) this.byte(text.charCodeAt(index));
  }

  /** Bytes that are JSON already. */
  copy(from: usize, length: i32): void {
    if (!this.room(length)) return;
    memory.copy(this.at, from, length);
    this.at += length;
  }

  byte(value: i32): void {
    if (!this.room(1)) return;
    store<u8>(this.at, value);
    this.at++;
  }

  private escaped(point: i32): void {
    if (point === 0x22 || point === 0x5c) {
      this.byte(0x5c);
      this.byte(point);
    } else if (point < 0x20) {
      this.raw("\\u00");
      this.byte(hexDigit(point >> 4));
      this.byte(hexDigit(point & 15));
    } else if (this.room(utf8Length(point))) {
      this.at = storeUtf8(this.at, point);
    }
  }

  private room(count: i32): bool {
    if (!this.overflow && this.at + count <= this.start + this.capacity) return true;
    this.overflow = true;
    return false;
  }
}

/** Upper case, as percent-encoding wants it. */
export function hexDigit(value: i32): i32 {
  return value < 10 ? 0x30 + value : 0x37 + value;
}

/** The formatter writes whole numbers as `21.0`. */
function endsWithPointZero(count: u32): bool {
  const end = NUMBER + 2 * count;
  return load<u16>(end - 2) === 0x30 && load<u16>(end - 4) === 0x2e;
}
