import { EACCES, EINVAL, ENOENT } from "../../../assembly/sphere/host/errors.ts";

const ALL_EVENTS = 7;

export interface SyseventOptions {
  /** The manifest's `SystemEventNotifications` and `SoftwareUpdateDeferral`. */
  readonly mayNotify: boolean;
  readonly mayDefer: boolean;
}

/** Software update events. Nothing updates the virtual device yet, so none is ever pending. */
export function createSysevent(options: SyseventOptions) {
  const deferred = (event: number) => {
    if (!options.mayDefer) return EACCES;
    return event === 1 ? ENOENT : EINVAL;
  };
  return {
    subscribe(mask: number): number {
      if (!options.mayNotify) return EACCES;
      return mask < 0 || mask > ALL_EVENTS ? EINVAL : 0;
    },
    maxDeferralMinutes: (): number => ENOENT,
    updateType: (): number => ENOENT,
    defer: (event: number, minutes: number): number => (minutes < 1 ? EINVAL : deferred(event)),
    resume: (event: number): number => deferred(event),
  };
}
