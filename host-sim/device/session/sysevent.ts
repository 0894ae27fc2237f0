import { EVENT_UPDATE } from "../../../assembly/sphere/host/abi.ts";
import { EACCES, EINVAL, ENOENT } from "../../../assembly/sphere/host/errors.ts";
import { READY_FOR_INSTALL, type UpdateEvents, type UpdateInfo } from "../updates/events.ts";
import type { IothubOptions } from "./iothub.ts";

const ALL_EVENTS = 7;

export interface SyseventOptions {
  /** The manifest's `SystemEventNotifications` and `SoftwareUpdateDeferral`. */
  readonly mayNotify: boolean;
  readonly mayDefer: boolean;
  readonly updates: UpdateEvents;
  readonly emit: IothubOptions["emit"];
}

/** Software update events as one run of the app sees them. */
export function createSysevent({ mayNotify, mayDefer, updates, emit }: SyseventOptions) {
  let mask = 0;
  let readable: UpdateInfo | undefined;
  const detach = updates.attach({
    wants: (event) => (mask & event) !== 0,
    notify: (event, status, info) =>
      emit(
        EVENT_UPDATE,
        event,
        status,
        () => {
          readable = info;
        },
        () => {
          readable = undefined;
        },
      ),
  });

  /** @param run answers whether an update pends */
  function ask(event: number, run: () => boolean): number {
    if (!mayDefer) return EACCES;
    if (event !== READY_FOR_INSTALL) return EINVAL;
    return run() ? 0 : ENOENT;
  }

  return {
    subscribe(wanted: number): number {
      if (!mayNotify) return EACCES;
      if (wanted < 0 || wanted > ALL_EVENTS) return EINVAL;
      mask = wanted;
      return 0;
    },
    maxDeferralMinutes: (): number => readable?.maxDeferralMinutes ?? ENOENT,
    updateType: (): number => readable?.updateType ?? ENOENT,
    defer: (event: number, minutes: number): number =>
      minutes < 1 ? EINVAL : ask(event, () => updates.defer(minutes)),
    resume: (event: number): number => ask(event, () => updates.resume()),
    end: detach,
  };
}
