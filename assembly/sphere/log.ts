import * as host from "./host/log";
import { codePointAt, storeUtf8, utf8Length } from "./text";

/** A line of the device's debug log holds this many bytes; a longer text is cut. */
const CAPACITY: i32 = 512;
const LINE: usize = memory.data(512);

/** For the developer only. */
export function debug(text: string): void {
  write(0, text);
}

/** What the app does. */
export function info(text: string): void {
  write(1, text);
}

/** Something is wrong and the app goes on. */
export function warn(text: string): void {
  write(2, text);
}

/** Something failed. */
export function error(text: string): void {
  write(3, text);
}

function write(level: i32, text: string): void {
  let at = LINE;
  for (let index = 0; index < text.length; index++) {
    const point = codePointAt(text, index);
    if (at + utf8Length(point) > LINE + CAPACITY) break;
    at = storeUtf8(at, point);
    if (point > 0xffff) index++;
  }
  host.write(level, LINE, i32(at - LINE));
}
