import type { Clock, TimerHandle } from "../../clock/index.ts";
import type { Network } from "../network.ts";

export interface ScheduleOptions {
  readonly clock: Clock;
  readonly network: Network;
  /** Lab time between two good runs. */
  readonly everyMs: number;
  readonly run: () => void;
}

const FIRST_RETRY_MS = 10_000;
const LONGEST_RETRY_MS = 3_600_000;

/** When to look for updates: at the start, each day, when the network comes back, after a failure. */
export function createSchedule({ clock, network, everyMs, run }: ScheduleOptions) {
  let timer: TimerHandle | undefined;
  let retryMs = FIRST_RETRY_MS;
  let on = false;
  let stopWatching = () => {};

  function runIn(delayMs: number): void {
    clock.clearTimer(timer);
    if (on) timer = clock.setTimer(delayMs, run);
  }

  return {
    start(): void {
      on = true;
      stopWatching = network.onChange((up) => {
        if (up) runIn(0);
      });
      runIn(0);
    },
    stop(): void {
      on = false;
      stopWatching();
      clock.clearTimer(timer);
    },
    /** A run begins by itself or on demand; the planned one is not needed any more. */
    began: (): void => clock.clearTimer(timer),
    succeeded(): void {
      retryMs = FIRST_RETRY_MS;
      runIn(everyMs);
    },
    failed(): void {
      runIn(retryMs);
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
    },
  };
}
