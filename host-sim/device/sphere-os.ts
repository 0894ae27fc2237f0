import type { Clock, TimerHandle } from "../clock/index.ts";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { AppImage, ExitStatus, RunningApp } from "./app.ts";
import type { Board } from "./board.ts";
import type { DeviceAuth } from "./device-auth.ts";
import { runNative } from "./native/process.ts";
import type { Network } from "./network.ts";
import { type AppSession, createSession, type SessionOptions } from "./session/session.ts";
import type { MutableStorage } from "./storage.ts";
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

  function launch(): void {
    restartTimer = undefined;
    if (!image || running) return;
    const storage = options.storage(image.manifest.ComponentId);
    startedAt = clock.monotonic();
    starts += 1;
    try {
      running = run(image, storage);
      // An app that ended in its start has called `onExit` already; what it held is given back here.
      if (exited) finish();
    } catch (error) {
      logger.error(`the app cannot be run: ${messageOf(error)}`);
      storage.close();
    }
  }

  /** Runs the app in the body that its image is made for. */
  function run(image: AppImage, storage: MutableStorage) {
    const { manifest, native: program } = image;
    const appLogger = logger.named("app");
    const open = (events: Pick<SessionOptions, "emit" | "onTimer">) =>
      createSession({ ...options, ...events, manifest, storage, appLogger });
    if (program) {
      const session = open({ emit: () => {}, onTimer: () => {} });
      const context = { image, program, session, storage, deviceAuth, logger: appLogger };
      return { app: runNative({ ...context, onExit }), session, storage };
    }
    let session: AppSession | undefined;
    const app = runWasm({
      image,
      session: (events) => {
        session = open(events);
        return session;
      },
      onExit,
    });
    return session && { app, session, storage };
  }

  function onExit(status: ExitStatus): void {
    lastExitCode = status.code;
    for (const line of status.report) logger.error(line);
    if (status.report.length === 0) logger.info(`the app ended with exit code ${status.code}`);
    exited = true;
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
    await running?.app.terminate();
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
    /** Puts another app in place of the installed one and starts it when the system runs. */
    async install(next: AppImage): Promise<void> {
      await stopApp();
      image = next;
      await startApp();
    },
    startApp,
    stopApp,
    start(): void {
      deviceAuth.start();
    },
    async stop(): Promise<void> {
      deviceAuth.stop();
      await stopApp();
    },
    status: (): AppStatus => ({
      name: image?.manifest.Name ?? "",
      state: running ? "running" : restartTimer === undefined ? "stopped" : "restarting",
      starts,
      lastExitCode,
      hubConnected: running?.session.hubConnected ?? false,
      memoryBytes: running?.app.memoryBytes ?? 0,
    }),
  };
}
