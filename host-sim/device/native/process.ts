import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, RealClock } from "../../clock/index.ts";
import { LabError, messageOf } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { AppImage, DebugGate, ExitStatus, NativeProgram, RunningApp } from "../app.ts";
import type { DeviceAuth } from "../device-auth.ts";
import type { Frame } from "../end-report.ts";
import type { AppSession, SessionOptions } from "../session/session.ts";
import type { MutableStorage } from "../storage.ts";
import { type AppProcess, startApp } from "./app-process.ts";
import { type ControlOptions, controlChannel } from "./control.ts";
import { hasDebugServer, startDebugged } from "./debugged-process.ts";
import { channelKind } from "./frames.ts";
import { framesOf, isFramesLine, parseFramesLine } from "./frames-line.ts";
import { gpioChannel } from "./gpio.ts";
import { hubChannel } from "./hub.ts";
import { MEMORY_LIMIT, privateBytes, watchMemory } from "./memory.ts";
import { layOutPackage } from "./package-files.ts";
import { provisioningChannel } from "./provisioning.ts";
import { exitStatusOf } from "./report.ts";
import { createOsServer, type OpenChannel } from "./server.ts";
import { createSystemEvents, type SystemEvents } from "./sysevent.ts";

export interface NativeRun {
  /** The lab's: when the operating system looks after the app. */
  readonly clock: Clock;
  readonly image: AppImage;
  /** What runs, or the build that makes it. */
  readonly program: NativeProgram | Promise<NativeProgram>;
  /** Makes what the app may ask for, bound to this run. */
  readonly session: (events: Pick<SessionOptions, "emit" | "onTimer">) => AppSession;
  readonly storage: MutableStorage;
  readonly deviceAuth: DeviceAuth;
  /** The app's. */
  readonly logger: Logger;
  /** The operating system's. */
  readonly systemLogger: Logger;
  /** Lets debuggers in; the app waits for one before it begins. */
  readonly debugGate?: DebugGate;
  /** Each time that the operating system has looked at the app's memory. */
  readonly onMemory: () => void;
  /** Once, when the process has ended and all it had sent is taken. */
  readonly onExit: (status: ExitStatus) => void;
}

/** How long an app may take to end after SIGTERM. */
const PATIENCE_MS = 10_000;
const CANNOT_START = 127;
const NOT_STARTED: ExitStatus = { code: 0, report: [] };
/** What a sanitizer finds must not look like an exit code of the app's own. */
const SANITIZERS = {
  ASAN_OPTIONS: "abort_on_error=1:exitcode=99",
  UBSAN_OPTIONS: "abort_on_error=1:print_stacktrace=1",
};

/** Runs an app as a process of its own: the bodies "native" and "arm". */
export function runNative(run: NativeRun): RunningApp {
  const folder = mkdtempSync(join(tmpdir(), "spherule-run-"));
  const file = run.storage.lend(folder);
  const lines: string[] = [];
  const systemEvents = createSystemEvents();
  // The app's process has timers of its own, and looks at its pins itself.
  const session = run.session({ emit: systemEvents.emit, onTimer: () => {} });
  const onReport = (line: string) => lines.push(line);
  const memory = () => ({ now: measure(), peak });
  const server = createOsServer({
    path: join(folder, "os"),
    logger: run.logger,
    channels: channelsOf({ ...run, session, systemEvents, folder, onReport, memory }, file.path),
  });
  // The computer's time, not the lab's: so long the process really gets.
  const patience = new RealClock();
  let started: { readonly process: AppProcess; readonly program: NativeProgram } | undefined;
  let stopping = false;
  let finished = false;
  let reason: string | undefined;
  let peak = 0;
  let stop = () => {};
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  const ready = Promise.race([run.program, stopped]).then(() => {});
  // Whoever waits for it is told; `ended` tells the others.
  ready.catch(() => {});
  function measure(): number {
    if (finished || !started) return 0;
    const bytes = privateBytes(started.process.id, started.program);
    peak = Math.max(peak, bytes);
    return bytes;
  }

  function limitMemory({ program, process }: NonNullable<typeof started>): () => void {
    // Breakpoints of gdbserver make pages of the code private, which are none of the app's.
    if (program.sanitized || (run.debugGate && !program.emulator)) return () => {};
    const exceeded = (bytes: number) => {
      reason = `its private memory of ${bytes} bytes is over the limit of ${MEMORY_LIMIT}`;
      process.kill();
    };
    return watchMemory(run.clock, measure, { exceeded, looked: run.onMemory });
  }

  async function live(): Promise<ExitStatus> {
    await server.start();
    if (run.program instanceof Promise) run.systemLogger.info("the app's program is being built");
    const program = await Promise.race([run.program, stopped]);
    if (!program || stopping) return NOT_STARTED;
    layOutPackage(join(folder, "package"), run.image, program);
    started = { program, process: start(run, program, folder) };
    const unwatch = limitMemory(started);
    const end = await started.process.ended.finally(unwatch);
    finished = true;
    await server.drained();
    const frames = await namedFrames(lines, program.file);
    const status = exitStatusOf({ ...end, lines, reason }, run.image.sourceMap, frames);
    // What a debugger holds cannot end in good order either.
    const byDebugger = end.byDebugger || (stopping && run.debugGate);
    return byDebugger ? { ...status, report: [], next: "debugger" } : status;
  }

  const ended = live()
    .catch(notStarted)
    .then(async (status) => {
      finished = true;
      await server.stop();
      file.giveBack();
      rmSync(folder, { recursive: true, force: true });
      run.onExit(status);
    });

  return {
    get memoryBytes() {
      return measure();
    },
    ready,
    async terminate() {
      stopping = true;
      stop();
      started?.process.terminate();
      const timer = patience.setTimer(PATIENCE_MS, () => started?.process.kill());
      await ended;
      patience.clearTimer(timer);
    },
  };
}

async function namedFrames(lines: readonly string[], file: string): Promise<readonly Frame[]> {
  const line = parseFramesLine(lines.findLast(isFramesLine) ?? "");
  return line ? framesOf(line, file) : [];
}

/** A program that cannot be built will not be there after a pause either. */
function notStarted(error: unknown): ExitStatus {
  if (error instanceof LabError) {
    const report = [`the app's program cannot be made: ${error.message}`, error.hint];
    return { code: CANNOT_START, report, next: "nothing" };
  }
  const report = [`the app's process cannot be started: ${messageOf(error)}`];
  return { code: CANNOT_START, report };
}

interface Channels {
  readonly session: AppSession;
  readonly systemEvents: SystemEvents;
  readonly deviceAuth: DeviceAuth;
  readonly folder: string;
  readonly onReport: (line: string) => void;
  readonly memory: ControlOptions["memory"];
}

function channelsOf(run: Channels, mutableFile: string): ReadonlyMap<number, OpenChannel> {
  const { session, systemEvents, deviceAuth, folder, onReport, memory } = run;
  const control = { session, mutableFile, onReport, memory };
  const certificateFile = () => {
    const path = join(folder, "device-auth.pem");
    const credentials = deviceAuth.current();
    if (credentials) writeFileSync(path, credentials.certificate);
    return path;
  };
  return new Map([
    [channelKind.control, controlChannel({ ...control, certificateFile })],
    [channelKind.gpio, gpioChannel(session)],
    [channelKind.hub, hubChannel(session)],
    [channelKind.provisioning, provisioningChannel(session)],
    [channelKind.sysevent, systemEvents.channelOf(session)],
  ]);
}

function start(run: NativeRun, program: NativeProgram, folder: string): AppProcess {
  const own = {
    SPHERULE_OS_SOCKET: join(folder, "os"),
    SPHERULE_IMAGE_PACKAGE: join(folder, "package"),
    LD_LIBRARY_PATH: program.libraries,
  };
  const { logger, systemLogger, debugGate: gate } = run;
  const options = {
    program,
    args: run.image.manifest.CmdArgs,
    environment: program.emulator ? own : { ...own, ...SANITIZERS },
    onLine: (line: string) => logger.warn(line),
  };
  if (gate && (program.emulator || hasDebugServer())) {
    systemLogger.info("the app waits for a debugger");
    return startDebugged({ ...options, folder, gate });
  }
  if (gate) {
    gate.refuse();
    systemLogger.warn("gdbserver is not installed, so the app runs without a debugger");
  }
  return startApp(options);
}
