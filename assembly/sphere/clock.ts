import * as host from "./host/timers";

/** Wall-clock time in milliseconds since the Unix epoch; jumps when the clock is set. */
export function now(): i64 {
  return host.now();
}

/** Milliseconds since some fixed moment; for measuring, because it never jumps. */
export function monotonic(): i64 {
  return host.monotonic();
}

/** Length of what `writeIso` writes. */
export const ISO_LENGTH: i32 = 24;

/** Writes `2026-06-01T12:00:00.000Z` in ASCII to `at`. */
export function writeIso(at: usize, time: i64): void {
  const days = floorDivide(time, 86_400_000);
  const inDay = i32(time - days * 86_400_000);
  writeDate(at, i32(days));
  store<u8>(at + 10, 0x54); // T
  digits(at + 11, inDay / 3_600_000, 2);
  store<u8>(at + 13, 0x3a); // :
  digits(at + 14, (inDay / 60_000) % 60, 2);
  store<u8>(at + 16, 0x3a);
  digits(at + 17, (inDay / 1000) % 60, 2);
  store<u8>(at + 19, 0x2e); // .
  digits(at + 20, inDay % 1000, 3);
  store<u8>(at + 23, 0x5a); // Z
}

/** Days since 1970 to year, month and day: years that begin in March have the odd day at the end. */
function writeDate(at: usize, days: i32): void {
  const shifted = days + 719_468;
  const era = shifted / 146_097;
  const day = shifted - era * 146_097;
  const year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
  const ofYear = day - (365 * year + year / 4 - year / 100);
  const march = (5 * ofYear + 2) / 153;
  const month = march < 10 ? march + 3 : march - 9;
  digits(at, year + era * 400 + (month <= 2 ? 1 : 0), 4);
  store<u8>(at + 4, 0x2d); // -
  digits(at + 5, month, 2);
  store<u8>(at + 7, 0x2d);
  digits(at + 8, ofYear - (153 * march + 2) / 5 + 1, 2);
}

function digits(at: usize, value: i32, count: i32): void {
  let rest = value;
  for (let index = count - 1; index >= 0; index--) {
    store<u8>(at + index, 0x30 + (rest % 10));
    rest /= 10;
  }
}

function floorDivide(value: i64, by: i64): i64 {
  return (value < 0 ? value - by + 1 : value) / by;
}
