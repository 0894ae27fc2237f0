import { MAX_TIMERS } from "./host/abi";
import * as host from "./host/timers";

type Tick = () => void;

const handlers = new StaticArray<Tick | null>(MAX_TIMERS);
/** Bit n is set when timer n runs once only. */
let once: u32 = 0;

/** Calls `run` every `periodMs` milliseconds, first after one period. @returns the timer */
export function every(periodMs: i32, run: Tick): i32 {
  return start(periodMs, periodMs, run);
}

/** Calls `run` once after `delayMs` milliseconds. @returns the timer */
export function after(delayMs: i32, run: Tick): i32 {
  const timer = start(delayMs, 0, run);
  once |= (<u32>1) << timer;
  return timer;
}

/** Gives a timer that `every` made another period, which starts now. */
export function reschedule(timer: i32, periodMs: i32): void {
  if (handlers[timer] === null) throw new Error("reschedule: the timer was cancelled");
  if (host.start(timer, periodMs, periodMs) < 0) throw new Error("A period is at least 1 ms");
}

/** Ends a timer; ending it again does nothing. */
export function cancel(timer: i32): void {
  host.stop(timer);
  handlers[timer] = null;
  once &= ~((<u32>1) << timer);
}

/** The runtime's entry. */
export function fire(timer: i32): void {
  const run = handlers[timer];
  if (run === null) return;
  if (once & ((<u32>1) << timer)) cancel(timer);
  run();
}

function start(delayMs: i32, periodMs: i32, run: Tick): i32 {
  for (let timer = 0; timer < MAX_TIMERS; timer++) {
    if (handlers[timer] !== null) continue;
    if (host.start(timer, delayMs, periodMs) < 0) throw new Error("A delay is at least 1 ms");
    handlers[timer] = run;
    return timer;
  }
  throw new Error("All 32 timers are in use");
}
