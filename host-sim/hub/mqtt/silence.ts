import type { Clock, TimerHandle } from "../../clock/index.ts";

/** The service ends a silent connection after 1.5 times the keep-alive, at most after this. */
const LONGEST_SILENCE_MS = 1_767_000;

export interface SilenceWatch {
  /** A packet has come. */
  heard(): void;
  stop(): void;
}

/**
 * Waits for a connection to fall silent; a timer is set once a span of silence, not once a packet.
 * @param keepAlive seconds, as the CONNECT has them; 0 for the longest span
 * @param onSilent gets the span in seconds
 */
export function watchSilence(
  clock: Clock,
  keepAlive: number,
  onSilent: (seconds: number) => void,
): SilenceWatch {
  const asked = keepAlive * 1500;
  const limit = asked === 0 ? LONGEST_SILENCE_MS : Math.min(asked, LONGEST_SILENCE_MS);
  let last = clock.monotonic();
  let timer: TimerHandle;
  const wait = () => {
    timer = clock.setTimer(last + limit - clock.monotonic(), () => {
      if (last + limit > clock.monotonic()) wait();
      else onSilent(limit / 1000);
    });
  };
  wait();
  return {
    heard() {
      last = clock.monotonic();
    },
    stop: () => clock.clearTimer(timer),
  };
}
