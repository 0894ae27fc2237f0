import { type Clock, sleep } from "../../clock/index.ts";
import {
  DEFERRED,
  FINAL,
  PENDING,
  READY_FOR_INSTALL,
  SYSTEM_UPDATE,
  type UpdateEvents,
  type UpdateInfo,
} from "./events.ts";

export interface ConsentRequest {
  readonly clock: Clock;
  readonly events: UpdateEvents;
  /** APP_UPDATE or SYSTEM_UPDATE. */
  readonly updateType: number;
  readonly signal: AbortSignal;
  /** Is told while the app has the update put off. */
  readonly onDeferred: (deferred: boolean) => void;
}

const MINUTE_MS = 60_000;
/** An update of the system can be put off for a day, one of the app for ten. */
const LONGEST_MINUTES = { system: 24 * 60, app: 240 * 60 } as const;
/** So long the app may think about it after Pending. */
const PENDING_MS = 10_000;
/** So long after Final comes SIGTERM. */
const FINAL_MS = 10_000;

/**
 * Tells the app that an update waits, lets it put the update off as long as the system allows, and
 * returns when the installation is due. An app that does not listen is not waited for.
 */
export async function awaitConsent(request: ConsentRequest): Promise<void> {
  const { clock, events, updateType, signal } = request;
  if (!events.heard(READY_FOR_INSTALL)) return;
  const longest = updateType === SYSTEM_UPDATE ? LONGEST_MINUTES.system : LONGEST_MINUTES.app;
  const end = clock.monotonic() + longest * MINUTE_MS;
  const left = () => Math.max(0, Math.floor((end - clock.monotonic()) / MINUTE_MS));
  const info = (): UpdateInfo => ({ maxDeferralMinutes: left(), updateType });
  while (left() > 0) {
    const decision = createDecision(left);
    events.setControl(decision.control);
    try {
      events.announce(READY_FOR_INSTALL, PENDING, info());
      if (!(await decision.within(clock, PENDING_MS, signal))) break;
      request.onDeferred(true);
      events.announce(READY_FOR_INSTALL, DEFERRED, info());
      await decision.end(clock, signal);
      if (decision.resumed) break;
    } finally {
      request.onDeferred(false);
      events.setControl(undefined);
    }
  }
  events.announce(READY_FOR_INSTALL, FINAL, { maxDeferralMinutes: 0, updateType });
  await sleep(clock, FINAL_MS, signal);
}

/** What the app decides about one Pending. @param left minutes that it may ask for at most */
function createDecision(left: () => number) {
  let minutes: number | undefined;
  let resumed = false;
  let wake = () => {};
  const control = {
    defer(asked: number): boolean {
      minutes = Math.min(asked, left());
      wake();
      return true;
    },
    resume(): boolean {
      resumed = true;
      wake();
      return true;
    },
  };

  /** Sleeps until the time is over or the app says something. */
  async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    wake = () => woken.abort();
    await sleep(clock, ms, AbortSignal.any([signal, woken.signal])).catch((error) => {
      if (signal.aborted) throw error;
    });
    wake = () => {};
  }

  return {
    control,
    get resumed(): boolean {
      return resumed;
    },
    /** Whether the app puts the update off within this time. */
    async within(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
      if (minutes === undefined && !resumed) await pause(clock, ms, signal);
      return minutes !== undefined && !resumed;
    },
    /** Waits for the end of the deferral; the app may lengthen it or end it early. */
    async end(clock: Clock, signal: AbortSignal): Promise<void> {
      while (minutes !== undefined && !resumed) {
        const ms = minutes * MINUTE_MS;
        minutes = undefined;
        await pause(clock, ms, signal);
      }
    },
  };
}
