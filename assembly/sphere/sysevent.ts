import * as host from "./host/sysevent";

/** Kinds of events; add them for `onUpdate`. */
export const READY_FOR_INSTALL: i32 = 1;
export const STARTED: i32 = 2;
export const NONE_AVAILABLE: i32 = 4;

/** Status of READY_FOR_INSTALL: it may be deferred, it comes for good, it was deferred, it is done. */
export const PENDING: i32 = 1;
export const FINAL: i32 = 2;
export const DEFERRED: i32 = 3;
export const COMPLETE: i32 = 4;

/** What an update replaces. */
export const APP_UPDATE: i32 = 1;
export const SYSTEM_UPDATE: i32 = 2;

type UpdateHandler = (event: i32, status: i32) => void;
let handler: UpdateHandler | null = null;

/** Calls `run` at software updates. Needs `SystemEventNotifications` in the manifest. */
export function onUpdate(events: i32, run: UpdateHandler): bool {
  handler = run;
  return host.subscribe(events) === 0;
}

/** During an event: the longest allowed deferral in minutes. */
export function maxDeferralMinutes(): i32 {
  return host.maxDeferralMinutes();
}

/** During an event: APP_UPDATE or SYSTEM_UPDATE. */
export function updateType(): i32 {
  return host.updateType();
}

/**
 * Puts the pending update off. Needs `SoftwareUpdateDeferral` in the manifest.
 * @returns whether an update pends and may be put off
 */
export function defer(minutes: i32): bool {
  return host.defer(READY_FOR_INSTALL, minutes) === 0;
}

/** Lets a deferred update go on. @returns whether one was deferred */
export function resume(): bool {
  return host.resume(READY_FOR_INSTALL) === 0;
}

/** The runtime's entry. */
export function updateEvent(event: i32, status: i32): void {
  const run = handler;
  if (run !== null) run(event, status);
}
