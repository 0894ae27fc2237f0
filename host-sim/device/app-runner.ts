import type { Clock, TimerHandle } from "../clock/index.ts";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { AppImage, DebugGate, ExitStatus, PackagedProgram, RunningApp } from "./app.ts";
import type { Board } from "./board.ts";
import type { DeviceAuth } from "./device-auth.ts";
import { runNative } from "./native/process.ts";
import type { Network } from "./network.ts";
import { type AppSession, createSession, type SessionOptions } from "./session/session.ts";
import type { MutableStorage } from "./storage.ts";
import type { UpdateEvents } from "./updates/events.ts";
import { runWasm } from "./wasm/instance.ts";

/** What the operating system lends to each of its apps. */
export interface AppSurroundings {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deviceId: string;
  readonly board: Board;
  readonly network: Network;
  readonly deviceAuth: DeviceAuth;
  /** The storage of an app by its component id. */
  readonly storage: (componentId: string) => MutableStorage;
  /** Makes programs of the code of image packages; V8 runs their wasm when absent. */
  readonly packagedProgram?: PackagedProgram;
  /** Where the updater speaks to the apps; nobody speaks when absent. */
  readonly updates?: UpdateEvents;
  /** Is told how each run of an app ended. */
  readonly onAppEnd?: (name: string, status: ExitStatus) => void;
}

export interface AppRunnerOptions extends AppSurroundings {
  readonly image: AppImage;
  /** Each line that the app writes to its log. */
  readonly onOutput: (text: string) => void;
  /** Each end that nobody had asked for. */
  readonly onFailure: (status: ExitStatus) => void;
  /** Each time that the operating system has looked at the app's memory. */
  readonly onMemory: () => void;
}

export interface AppStatus {
  readonly name: string;
  readonly state: "running" | "restarting" | "stopped";
  readonly starts: number;
  readonly lastExitCode: number | null;
  readonly hubConnected: boolean;
  readonly memoryBytes: number;
}

export type AppRunner = ReturnType<typeof createAppRunner>;

/** The real system's pause is not documented; ours grows so that a broken app does not fill the log. */
const FIRST_RESTART_MS = 1_000;
const LONGEST_RESTART_MS = 30_000;
/** An app that ran so long is taken to be sound again. */
const SOUND_AFTER_MS = 60_000;

/** Keeps one app running: starts it, and starts it again when it ends by itself. */
export function createAppRunner(options: AppRunnerOptions) {
  const { clock, logger, image } = options;
  const { manifest } = image;
  const appLogger = tapped(logger.named("app"), options.onOutput);
  let running: { app: RunningApp; session?: AppSession; storage: MutableStorage } | undefined;
  let ending: Promise<void> = Promise.resolve();
  let restartMs = FIRST_RESTART_MS;
  let restartTimer: TimerHandle | undefined;
  let startedAt = 0;
  let starts = 0;
  let stopping = false;
  let debugGate: DebugGate | undefined;
  /** How the run ended, before `launch` returned. */
  let exited: ExitStatus | undefined;
  let lastExitCode: number | null = null;

  function launch(): void {
    restartTimer = undefined;
    if (running) return;
    const storage = options.storage(manifest.ComponentId);
    startedAt = clock.monotonic();
    starts += 1;
    try {
      // An app that ended in its start has called `onExit` already; what it held is given back here.
      running = run(storage);
      if (exited) finish(exited);
    } catch (error) {
      logger.error(`the app cannot be run: ${messageOf(error)}`);
      storage.close();
    }
  }

  /** Runs the app in the body that its image is made for. */
  function run(storage: MutableStorage) {
    const { wasm } = image;
    const program = programOf();
    let session: AppSession | undefined;
    const bound = (events: Pick<SessionOptions, "emit" | "onTimer">) => {
      session = createSession({ ...options, ...events, manifest, storage, appLogger });
      return session;
    };
    if (program) {
      const { deviceAuth, onMemory } = options;
      const app = runNative({
        ...{ clock, image, program, storage, deviceAuth, debugGate, session: bound },
        ...{ logger: appLogger, systemLogger: logger, onExit, onMemory },
      });
      return { app, session, storage };
    }
    if (wasm === undefined) return { app: runNothing({ onExit }), storage };
    const app = runWasm({ image: { ...image, wasm }, session: bound, onExit });
    return { app, session, storage };
  }

  function programOf() {
    return image.native ?? options.packagedProgram?.(image);
  }

  function onExit(status: ExitStatus): void {
    lastExitCode = status.code;
    for (const line of status.report) logger.error(line);
    if (status.next !== "debugger") {
      if (status.report.length === 0) logger.info(`the app ended with exit code ${status.code}`);
      options.onAppEnd?.(manifest.Name, status);
      if (!stopping) options.onFailure(status);
    }
    exited = status;
    if (running) finish(status);
  }

  /** Gives back what the run held, and starts the app again unless it was stopped. */
  function finish({ next }: ExitStatus): void {
    const last = running;
    running = undefined;
    exited = undefined;
    if (!last) return;
    ending = Promise.resolve(last.session?.end()).finally(() => last.storage.close());
    if (stopping || next === "nothing") return;
    if (next === "debugger") {
      logger.info("the debugger has gone, and the app begins anew");
      void ending.then(() => {
        if (!stopping && restartTimer === undefined) launch();
      });
      return;
    }
    if (clock.monotonic() - startedAt >= SOUND_AFTER_MS) restartMs = FIRST_RESTART_MS;
    logger.info(`the app starts again in ${restartMs / 1000} s`);
    restartTimer = clock.setTimer(restartMs, launch);
    restartMs = Math.min(restartMs * 2, LONGEST_RESTART_MS);
  }

  /** Ends the app, and waits until its connection is closed. */
  async function stop(): Promise<void> {
    stopping = true;
    clock.clearTimer(restartTimer);
    restartTimer = undefined;
    await running?.app.terminate();
    await ending;
    stopping = false;
  }

  return {
    /** @param gate lets debuggers in, for which every run of the app waits until it is stopped */
    async start(gate?: DebugGate): Promise<void> {
      await stop();
      debugGate = gate;
      restartMs = FIRST_RESTART_MS;
      launch();
    },
    stop,
    /** When the program that runs is there. @throws LabError when it cannot be made */
    ready: (): Promise<void> => running?.app.ready ?? Promise.resolve(),
    /** Whether it runs as a program, which a debugger can hold. */
    isProgram: (): boolean => programOf() !== undefined,
    status: (): AppStatus => ({
      name: manifest.Name,
      state: running ? "running" : restartTimer === undefined ? "stopped" : "restarting",
      starts,
      lastExitCode,
      hubConnected: running?.session?.hubConnected ?? false,
      memoryBytes: running?.app.memoryBytes ?? 0,
    }),
  };
}

/** The body of an app whose code is for another processor: it is there, and does nothing. */
function runNothing({ onExit }: { onExit: (status: ExitStatus) => void }): RunningApp {
  return { memoryBytes: 0, terminate: () => onExit({ code: 0, report: [] }) };
}

function tapped(logger: Logger, listener: (text: string) => void): Logger {
  const tap = (write: (text: string) => void) => (text: string) => {
    write(text);
    listener(text);
  };
  return {
    debug: tap(logger.debug),
    info: tap(logger.info),
    warn: tap(logger.warn),
    error: tap(logger.error),
    named: (source) => tapped(logger.named(source), listener),
  };
}
