import type { Clock, TimerHandle } from "./clock.ts";

interface Timer {
  readonly due: number;
  readonly order: TimerHandle;
  readonly run: () => void;
}

/** A clock that moves only when it is told to: same calls, same order, on every run. */
export class SteppedClock implements Clock {
  readonly #epoch: number;
  #elapsed = 0;
  #offset = 0;
  #nextHandle = 1;
  readonly #timers = new Map<TimerHandle, Timer>();

  /** @param start lab time at the beginning, milliseconds since the Unix epoch */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#epoch = start;
  }

  now(): number {
    return this.#epoch + this.#elapsed + this.#offset;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  setTimer(delayMs: number, run: () => void): TimerHandle {
    const order = this.#nextHandle++;
    this.#timers.set(order, { due: this.#elapsed + Math.max(0, delayMs), order, run });
    return order;
  }

  clearTimer(handle: TimerHandle | undefined): void {
    if (handle !== undefined) this.#timers.delete(handle);
  }

  /** Milliseconds until the next timer, or undefined when none is set. */
  untilNext(): number | undefined {
    const next = this.#next();
    return next && next.due - this.#elapsed;
  }

  /** Lets `ms` pass, firing the timers that fall due, earliest first, equal ones in setting order. */
  advance(ms: number): void {
    const end = this.#elapsed + ms;
    for (let next = this.#next(); next && next.due <= end; next = this.#next()) {
      this.#elapsed = Math.max(this.#elapsed, next.due);
      this.#timers.delete(next.order);
      next.run();
    }
    this.#elapsed = end;
  }

  /** As `advance`, and after each timer lets the promises and sockets that it moved settle. */
  async run(ms: number, settle: () => Promise<void> = nextTurn): Promise<void> {
    const end = this.#elapsed + ms;
    await settle();
    for (let next = this.#next(); next && next.due <= end; next = this.#next()) {
      this.#elapsed = Math.max(this.#elapsed, next.due);
      this.#timers.delete(next.order);
      next.run();
      await settle();
    }
    this.#elapsed = end;
  }

  /** Sets the wall time that `now` shows, forwards or backwards; timers are not touched. */
  setTime(epochMs: number): void {
    this.#offset += epochMs - this.now();
  }

  #next(): Timer | undefined {
    let best: Timer | undefined;
    for (const timer of this.#timers.values()) {
      if (!best || timer.due < best.due || (timer.due === best.due && timer.order < best.order)) {
        best = timer;
      }
    }
    return best;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
