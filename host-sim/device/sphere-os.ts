import { type Clock, sleep, type TimerHandle } from "../clock/index.ts";
import { messageOf } from "../errors.ts";
import { installRefusal, refusalError } from "../imagepackage/index.ts";
import type { Logger } from "../log.ts";
import type { AppImage, ExitStatus, RunningApp } from "./app.ts";
import type { Board } from "./board.ts";
import type { DeviceAuth } from "./device-auth.ts";
import type { Network } from "./network.ts";
import { type AppSession, createSession } from "./session/session.ts";
import type { MutableStorage } from "./storage.ts";
import type { UpdateEvents } from "./updates/events.ts";
import { runWasm } from "./wasm/instance.ts";

export interface SphereOsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deviceId: string;
  readonly board: Board;
  readonly network: Network;
  readonly deviceAuth: DeviceAuth;
  /** The storage of an app by its component id. */
  readonly storage: (componentId: string) => MutableStorage;
  /** Where the updater speaks to the app; nobody speaks when absent. */
  readonly updates?: UpdateEvents;
  /** Is told how each run of the app ended. */
  readonly onAppEnd?: (name: string, status: ExitStatus) => void;
}

export interface AppStatus {
  readonly name: string;
  readonly state: "running" | "restarting" | "stopped";
  readonly starts: number;
  readonly lastExitCode: number | null;
  readonly hubConnected: boolean;
  readonly memoryBytes: number;
}

export type SphereOs = ReturnType<typeof createSphereOs>;

/** The real system's pause is not documented; ours grows so that a broken app does not fill the log. */
const FIRST_RESTART_MS = 1_000;
const LONGEST_RESTART_MS = 30_000;
/** An app that ran so long is taken to be sound again. */
const SOUND_AFTER_MS = 60_000;
/** Real devices take several seconds; clients wait at most two and a half. */
const REBOOT_MS = 2_000;

/** The virtual Sphere OS: installs one app, keeps it running, owns what outlives it. */
export function createSphereOs(options: SphereOsOptions) {
  const { clock, logger, deviceAuth } = options;
  let image: AppImage | undefined;
  let running: { app: RunningApp; session: AppSession; storage: MutableStorage } | undefined;
  let ending: Promise<void> = Promise.resolve();
  let restartMs = FIRST_RESTART_MS;
  let restartTimer: TimerHandle | undefined;
  let startedAt = 0;
  let starts = 0;
  let stopping = false;
  /** The run ended before `launch` returned. */
  let exited = false;
  let lastExitCode: number | null = null;
  const power = new AbortController();

  function launch(): void {
    restartTimer = undefined;
    if (!image || running) return;
    const { manifest } = image;
    const storage = options.storage(manifest.ComponentId);
    let session: AppSession | undefined;
    startedAt = clock.monotonic();
    starts += 1;
    try {
      const app = runWasm({
        image,
        session: (events) => {
          session = createSession({
            ...options,
            ...events,
            manifest,
            storage,
            appLogger: logger.named("app"),
          });
          return session;
        },
        onExit,
      });
      // An app that ended in its start has called `onExit` already; what it held is given back here.
      if (session) running = { app, session, storage };
      if (exited) finish();
    } catch (error) {
      logger.error(`the app cannot be run: ${messageOf(error)}`);
      storage.close();
    }
  }

  function onExit(status: ExitStatus): void {
    lastExitCode = status.code;
    for (const line of status.report) logger.error(line);
    if (status.report.length === 0) logger.info(`the app ended with exit code ${status.code}`);
    exited = true;
    options.onAppEnd?.(image?.manifest.Name ?? "", status);
    if (running) finish();
  }

  /** Gives back what the run held, and starts the app again unless it was stopped. */
  function finish(): void {
    const last = running;
    running = undefined;
    exited = false;
    if (!last) return;
    ending = last.session.end().finally(() => last.storage.close());
    if (stopping || !image) return;
    if (clock.monotonic() - startedAt >= SOUND_AFTER_MS) restartMs = FIRST_RESTART_MS;
    logger.info(`the app starts again in ${restartMs / 1000} s`);
    restartTimer = clock.setTimer(restartMs, launch);
    restartMs = Math.min(restartMs * 2, LONGEST_RESTART_MS);
  }

  /** Ends the app, and waits until its connection is closed. */
  async function stopApp(): Promise<void> {
    stopping = true;
    clock.clearTimer(restartTimer);
    restartTimer = undefined;
    running?.app.terminate();
    await ending;
    stopping = false;
  }

  async function startApp(): Promise<void> {
    await stopApp();
    restartMs = FIRST_RESTART_MS;
    launch();
  }

  return {
    deviceId: options.deviceId,
    board: options.board,
    network: options.network,
    /**
     * Puts another app in place of the installed one and starts it when the system runs.
     * @throws LabError install-refused; the installed one stays
     */
    async install(next: AppImage): Promise<void> {
      const refusal = installRefusal(next.manifest);
      if (refusal) throw refusalError(refusal);
      await stopApp();
      image = next;
      await startApp();
    },
    /** Leaves the device without an app. */
    async uninstall(): Promise<void> {
      await stopApp();
      image = undefined;
    },
    startApp,
    stopApp,
    /**
     * The app ends, the device is away for a moment, and everything starts anew.
     * @returns false when the device was switched off meanwhile
     */
    async reboot(): Promise<boolean> {
      const { signal } = power;
      logger.info("the device restarts");
      deviceAuth.stop();
      await stopApp();
      await sleep(clock, REBOOT_MS, signal).catch(() => {});
      if (signal.aborted) return false;
      deviceAuth.start();
      if (image) await startApp();
      return true;
    },
    start(): void {
      deviceAuth.start();
    },
    async stop(): Promise<void> {
      power.abort();
      deviceAuth.stop();
      await stopApp();
    },
    status: (): AppStatus => ({
      name: image?.manifest.Name ?? "",
      state: running ? "running" : restartTimer === undefined ? "stopped" : "restarting",
      starts,
      lastExitCode,
      hubConnected: running?.session.iothub.connected ?? false,
      memoryBytes: running?.app.memoryBytes ?? 0,
    }),
  };
}
