/** A pending timer; pass it to `clearTimer`. */
export type TimerHandle = number;

/** The lab's only source of time. Nothing else in host-sim reads the wall clock. */
export interface Clock {
  /** Lab time in milliseconds since the Unix epoch. May jump when somebody sets the clock. */
  now(): number;
  /** Milliseconds that never jump backwards: time since the clock was made, at the clock's pace. */
  monotonic(): number;
  /** Calls `run` once after `delayMs` of lab time. */
  setTimer(delayMs: number, run: () => void): TimerHandle;
  clearTimer(handle: TimerHandle | undefined): void;
}

/** Resolves after `delayMs` of lab time, or rejects with the signal's reason. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clock.clearTimer(timer);
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
