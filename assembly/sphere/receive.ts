import * as log from "./log";
import { SMALL_MEMORY } from "./memory";

/** What the app reads in one event: a twin, a method's payload, a message. Less in a small memory. */
export const RECEIVE_CAPACITY: i32 = SMALL_MEMORY ? 2048 : 8192;
export const RECEIVE: usize = memory.data(SMALL_MEMORY ? 2048 : 8192);

/** Whether `length` bytes were read whole; says so in the log when they were not. */
export function fits(length: i32, what: string): bool {
  if (length >= 0 && length <= RECEIVE_CAPACITY) return true;
  if (length > 0) {
    log.warn(`${what} of ${length} bytes was ignored: at most ${RECEIVE_CAPACITY} fit`);
  }
  return false;
}
