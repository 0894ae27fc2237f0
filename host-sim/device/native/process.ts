import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { type Clock, RealClock } from "../../clock/index.ts";
import { messageOf } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { AppImage, ExitStatus, NativeProgram, RunningApp } from "../app.ts";
import type { DeviceAuth } from "../device-auth.ts";
import type { Frame } from "../end-report.ts";
import type { AppSession, SessionOptions } from "../session/session.ts";
import type { MutableStorage } from "../storage.ts";
import { type ControlOptions, controlChannel } from "./control.ts";
import { channelKind } from "./frames.ts";
import { framesOf, isFramesLine, parseFramesLine } from "./frames-line.ts";
import { gpioChannel } from "./gpio.ts";
import { hubChannel } from "./hub.ts";
import { MEMORY_LIMIT, privateBytes, watchMemory } from "./memory.ts";
import { provisioningChannel } from "./provisioning.ts";
import { exitStatusOf, type ProcessEnd } from "./report.ts";
import { createOsServer, type OpenChannel, type OsServer } from "./server.ts";
import { createSystemEvents, type SystemEvents } from "./sysevent.ts";

export interface NativeRun {
  /** The lab's: when the operating system looks after the app. */
  readonly clock: Clock;
  readonly image: AppImage;
  readonly program: NativeProgram;
  /** Makes what the app may ask for, bound to this run. */
  readonly session: (events: Pick<SessionOptions, "emit" | "onTimer">) => AppSession;
  readonly storage: MutableStorage;
  readonly deviceAuth: DeviceAuth;
  readonly logger: Logger;
  /** Once, when the process has ended and all it had sent is taken. */
  readonly onExit: (status: ExitStatus) => void;
}

/** How long an app may take to end after SIGTERM. */
const PATIENCE_MS = 10_000;
const CANNOT_START = 127;
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
  let child: ChildProcess | undefined;
  let stopping = false;
  let finished = false;
  let reason: string | undefined;
  let peak = 0;
  function measure(): number {
    const bytes = finished ? 0 : privateBytes(child?.pid, run.program);
    peak = Math.max(peak, bytes);
    return bytes;
  }

  function limitMemory(process: ChildProcess): () => void {
    if (run.program.sanitized) return () => {};
    return watchMemory(run.clock, measure, (bytes) => {
      reason = `its private memory of ${bytes} bytes is over the limit of ${MEMORY_LIMIT}`;
      process.kill("SIGKILL");
    });
  }

  const ended = server
    .start()
    .then(() => {
      if (stopping) return { code: 0, report: [] };
      child = start(run, folder);
      const unwatch = limitMemory(child);
      return waitFor(child, server)
        .finally(unwatch)
        .then(async (end) => {
          const frames = await namedFrames(lines, run.program.file);
          return exitStatusOf({ ...end, lines, reason }, run.image.sourceMap, frames);
        });
    })
    .catch((error) => ({
      code: CANNOT_START,
      report: [`the app's process cannot be started: ${messageOf(error)}`],
    }))
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
    async terminate() {
      stopping = true;
      child?.kill("SIGTERM");
      const timer = patience.setTimer(PATIENCE_MS, () => child?.kill("SIGKILL"));
      await ended;
      patience.clearTimer(timer);
    },
  };
}

async function namedFrames(lines: readonly string[], file: string): Promise<readonly Frame[]> {
  const line = parseFramesLine(lines.findLast(isFramesLine) ?? "");
  return line ? framesOf(line, file) : [];
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

/** Nothing of the lab's environment goes to the app: on the device there is none. */
function start({ image, program, logger }: NativeRun, folder: string): ChildProcess {
  const own = {
    SPHERULE_OS_SOCKET: join(folder, "os"),
    SPHERULE_IMAGE_PACKAGE: dirname(program.file),
    LD_LIBRARY_PATH: program.libraries,
  };
  const [command = program.file, ...before] = program.emulator?.(program.file, own) ?? [
    program.file,
  ];
  const child = spawn(command, [...before, ...image.manifest.CmdArgs], {
    env: program.emulator ? {} : { ...own, ...SANITIZERS },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // A lab that ends in a hurry leaves no process behind.
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("close", () => process.removeListener("exit", kill));
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => logger.warn(line));
  }
  return child;
}

function waitFor(
  child: ChildProcess,
  server: OsServer,
): Promise<Omit<ProcessEnd, "lines" | "reason">> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", async (code, signal) => {
      await server.drained();
      resolve({ code, signal, signalNumber: signal ? constants.signals[signal] : 0 });
    });
  });
}
