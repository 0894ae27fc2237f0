import { MAX_TIMERS } from "../../../assembly/sphere/host/abi.ts";
import { EINVAL } from "../../../assembly/sphere/host/errors.ts";
import type { Clock, TimerHandle } from "../../clock/index.ts";

interface Armed {
  due: number;
  readonly periodMs: number;
  handle: TimerHandle;
}

/** The timers of one run of the app. Periods do not drift: each tick is due one period after the last. */
export function createTimers(clock: Clock, onTimer: (id: number) => void) {
  const armed = new Map<number, Armed>();

  function tick(id: number): void {
    const timer = armed.get(id);
    if (!timer) return;
    if (timer.periodMs === 0) {
      armed.delete(id);
    } else {
      // A tick that was missed altogether is not made up for, as with a Linux timer descriptor.
      const late = Math.max(0, clock.monotonic() - timer.due);
      timer.due += timer.periodMs * (1 + Math.floor(late / timer.periodMs));
      timer.handle = clock.setTimer(timer.due - clock.monotonic(), () => tick(id));
    }
    onTimer(id);
  }

  const isTimer = (id: number) => Number.isInteger(id) && id >= 0 && id < MAX_TIMERS;

  return {
    start(id: number, delayMs: number, periodMs: number): number {
      if (!isTimer(id) || delayMs < 1 || periodMs < 0) return EINVAL;
      clock.clearTimer(armed.get(id)?.handle);
      const due = clock.monotonic() + delayMs;
      armed.set(id, { due, periodMs, handle: clock.setTimer(delayMs, () => tick(id)) });
      return 0;
    },
    stop(id: number): number {
      if (!isTimer(id)) return EINVAL;
      clock.clearTimer(armed.get(id)?.handle);
      armed.delete(id);
      return 0;
    },
    end(): void {
      for (const timer of armed.values()) clock.clearTimer(timer.handle);
      armed.clear();
    },
  };
}
