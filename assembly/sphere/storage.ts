import * as host from "./host/storage";

/** The outbox of unsent telemetry has the rest of the file. */
const APP_SHARE: i32 = 4;

/** Bytes of mutable storage for the app: a quarter of `MutableStorage.SizeKB`; 0 without it. */
export function capacity(): i32 {
  const all = host.capacity();
  return all < 0 ? 0 : all / APP_SHARE;
}

/**
 * Reads from `offset` into `target`.
 * @returns the bytes read, fewer at the end of what was written; an error is negative
 */
export function read(offset: i32, target: StaticArray<u8>): i32 {
  const room = capacity() - offset;
  return host.read(offset, changetype<usize>(target), min(target.length, max(room, 0)));
}

/**
 * Writes `source` at `offset`; it outlives restarts, updates and a loss of power after the return.
 * @returns false when it does not fit or the manifest has no `MutableStorage`
 */
export function write(offset: i32, source: StaticArray<u8>): bool {
  if (offset < 0 || offset + source.length > capacity()) return false;
  return host.write(offset, changetype<usize>(source), source.length) === source.length;
}
