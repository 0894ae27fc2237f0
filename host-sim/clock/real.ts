import type { Clock, TimerHandle } from "./clock.ts";

/** Node clamps longer delays to 1 ms, so longer ones are taken in steps. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** What a clock shows at a moment of the computer's own. */
export interface ClockReading {
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  readonly speed: number;
  /** The same on the computer's clock. */
  readonly wall: number;
}

/** What was done to a clock; another process's clock follows by it. */
export type ClockChange =
  | { readonly speed: number }
  | { readonly jumpMs: number }
  | { readonly time: number };

/**
 * Wall-clock time, run faster by `speed` and shifted by an offset that `jump` moves. Timers keep to
 * the clock's pace: `jump` fires what falls due in the jumped span, in order.
 */
export class RealClock implements Clock {
  readonly #startWall = performance.now();
  readonly #epochAtStart: number;
  #speed: number;
  #rebaseWall = 0;
  #rebaseLab = 0;
  #offset = 0;
  #nextHandle = 1;
  readonly #followers = new Set<(change: ClockChange) => void>();
  readonly #timers = new Map<TimerHandle, { due: number; run: () => void }>();
  #wake: NodeJS.Timeout | undefined;
  /** The timer that `#wake` waits for; the others need no look while it stands. */
  #awaited: { readonly handle: TimerHandle; readonly due: number } | undefined;

  constructor(options: { readonly speed?: number; readonly start?: number } = {}) {
    this.#speed = options.speed ?? 1;
    this.#epochAtStart = options.start ?? Date.now();
  }

  /** Another clock's time, as of a reading in another process of this computer. */
  static from({ time, speed, wall }: ClockReading): RealClock {
    return new RealClock({ speed, start: time + (Date.now() - wall) * speed });
  }

  reading(): ClockReading {
    return { time: this.now(), speed: this.#speed, wall: Date.now() };
  }

  now(): number {
    return Math.floor(this.#epochAtStart + this.monotonic() + this.#offset);
  }

  monotonic(): number {
    const wall = performance.now() - this.#startWall;
    return this.#rebaseLab + (wall - this.#rebaseWall) * this.#speed;
  }

  get speed(): number {
    return this.#speed;
  }

  /** Changes the pace: 1 is real time, 60 a minute a second, 0 stands still. */
  setSpeed(speed: number): void {
    this.#rebaseLab = this.monotonic();
    this.#rebaseWall = performance.now() - this.#startWall;
    this.#speed = speed;
    this.#schedule();
    this.#tell({ speed });
  }

  /** Lets `ms` of lab time pass at once; timers that fall due in it fire. */
  jump(ms: number): void {
    this.#rebaseLab += ms;
    this.#schedule();
    this.#tell({ jumpMs: ms });
  }

  /** Sets the wall time that `now` shows, forwards or backwards; timers are not touched. */
  setTime(epochMs: number): void {
    this.#offset += epochMs - this.now();
    this.#tell({ time: epochMs });
  }

  /** Calls `follower` for every change from now on; the answer ends it. */
  subscribe(follower: (change: ClockChange) => void): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** Does what was done to another clock. */
  follow(change: ClockChange): void {
    if ("speed" in change) this.setSpeed(change.speed);
    else if ("jumpMs" in change) this.jump(change.jumpMs);
    else this.setTime(change.time);
  }

  #tell(change: ClockChange): void {
    for (const follower of this.#followers) follower(change);
  }

  setTimer(delayMs: number, run: () => void): TimerHandle {
    const handle = this.#nextHandle++;
    const due = this.monotonic() + Math.max(0, delayMs);
    this.#timers.set(handle, { due, run });
    if (!this.#awaited || due < this.#awaited.due) this.#schedule();
    return handle;
  }

  clearTimer(handle: TimerHandle | undefined): void {
    if (handle === undefined || !this.#timers.delete(handle)) return;
    if (handle === this.#awaited?.handle) this.#schedule();
  }

  #earliest(): { handle: TimerHandle; due: number; run: () => void } | undefined {
    let best: { handle: TimerHandle; due: number; run: () => void } | undefined;
    for (const [handle, timer] of this.#timers) {
      if (!best || timer.due < best.due) best = { handle, ...timer };
    }
    return best;
  }

  #schedule(): void {
    clearTimeout(this.#wake);
    this.#wake = undefined;
    const next = this.#earliest();
    this.#awaited = next;
    if (!next || this.#speed === 0) return;
    const wallDelay = (next.due - this.monotonic()) / this.#speed;
    this.#wake = setTimeout(
      () => this.#fire(),
      Math.min(Math.max(0, Math.ceil(wallDelay)), LONGEST_DELAY_MS),
    );
  }

  #fire(): void {
    const next = this.#earliest();
    if (next && next.due <= this.monotonic()) {
      this.#timers.delete(next.handle);
      next.run();
    }
    this.#schedule();
  }
}
