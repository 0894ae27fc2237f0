import * as host from "./host/storage";
import { SMALL_MEMORY } from "./memory";
import { capacity as appShare } from "./storage";

/** Without `MutableStorage` unsent messages wait in memory and are lost with the app. */
const MEMORY_CAPACITY: i32 = SMALL_MEMORY ? 1024 : 4096;
const MEMORY: usize = memory.data(SMALL_MEMORY ? 1024 : 4096);

let start: i32 = -1;

/** Bytes for the outbox: what the app's share leaves of the mutable storage, or some memory. */
export function ringCapacity(): i32 {
  const all = host.capacity();
  if (all < 0) return MEMORY_CAPACITY;
  start = appShare();
  return all - start;
}

/** @returns the bytes read */
export function ringRead(offset: i32, target: usize, length: i32): i32 {
  if (start >= 0) return host.read(start + offset, target, length);
  memory.copy(target, MEMORY + offset, length);
  return length;
}

export function ringWrite(offset: i32, source: usize, length: i32): void {
  if (start < 0) {
    memory.copy(MEMORY + offset, source, length);
    return;
  }
  if (host.write(start + offset, source, length) !== length) {
    throw new Error("The outbox cannot write to the mutable storage");
  }
}
