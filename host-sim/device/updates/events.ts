/** Events and states of `sysevent.h`. */
export const READY_FOR_INSTALL = 1;
export const UPDATE_STARTED = 2;
export const NO_UPDATE = 4;
export const PENDING = 1;
export const FINAL = 2;
export const DEFERRED = 3;
export const COMPLETE = 4;
export const APP_UPDATE = 1;
export const SYSTEM_UPDATE = 2;

export interface UpdateInfo {
  readonly maxDeferralMinutes: number;
  /** APP_UPDATE or SYSTEM_UPDATE. */
  readonly updateType: number;
}

export interface UpdateListener {
  /** Whether the app asked for this event. */
  wants(event: number): boolean;
  notify(event: number, status: number, info: UpdateInfo | undefined): void;
}

/** What the updater answers to an app that wants to wait or to go on. */
export interface UpdateControl {
  /** @returns whether an update pends */
  defer(minutes: number): boolean;
  resume(): boolean;
}

export type UpdateEvents = ReturnType<typeof createUpdateEvents>;

/** Where the updater and the running app meet; each may come and go. */
export function createUpdateEvents() {
  const listeners = new Set<UpdateListener>();
  let control: UpdateControl | undefined;
  return {
    /** The app's side: one run of an app listens; the answer ends it. */
    attach(listener: UpdateListener): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    defer: (minutes: number): boolean => control?.defer(minutes) ?? false,
    resume: (): boolean => control?.resume() ?? false,
    /** The updater's side. */
    setControl(next: UpdateControl | undefined): void {
      control = next;
    },
    heard: (event: number): boolean => [...listeners].some((listener) => listener.wants(event)),
    announce(event: number, status = 0, info?: UpdateInfo): void {
      for (const listener of listeners) {
        if (listener.wants(event)) listener.notify(event, status, info);
      }
    },
  };
}
