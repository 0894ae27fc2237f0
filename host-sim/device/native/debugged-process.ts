import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants as fileModes, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { RealClock } from "../../clock/index.ts";
import type { DebugGate } from "../app.ts";
import {
  type AppEnd,
  type AppProcess,
  type AppProcessOptions,
  endOf,
  killedWithTheLab,
  readLines,
} from "./app-process.ts";
import { createDebugStub, type DebugStub } from "./debug-stub.ts";

export interface DebuggedOptions extends AppProcessOptions {
  readonly gate: DebugGate;
  /** Of this run, for what it needs meanwhile. */
  readonly folder: string;
}

/** gdbserver's standard streams, and those that LAUNCH tells of. */
type Pipes = readonly [Writable, Readable, Readable, Readable, Readable, Readable];

const RETRY_MS = 10;
const KILLED_BY_DEBUGGER = "qemu-arm: QEMU: Terminated via GDBstub";
/**
 * What gdbserver starts: it has the app's process id told, and gives the app outputs of its own, because
 * gdbserver speaks to the debugger by its standard output.
 */
const LAUNCH = 'echo $$ >&5\nexec "$@" >&3 2>&4 3>&- 4>&- 5>&-\n';
/** gdb's numbers of signals that Linux numbers otherwise. */
const GDB_SIGNALS: Readonly<Record<number, NodeJS.Signals>> = { 10: "SIGBUS", 12: "SIGSYS" };

/** Whether programs for this computer can be debugged: gdbserver is a Debian package of its own. */
export const hasDebugServer = (): boolean => programOnPath("gdbserver") !== undefined;

/** Starts an app that waits at its first instruction until a debugger lets it run. */
export function startDebugged(options: DebuggedOptions): AppProcess {
  return options.program.emulator ? belowEmulator(options) : belowGdbserver(options);
}

function belowGdbserver(options: DebuggedOptions): AppProcess {
  const { program, args, environment, folder, onLine } = options;
  writeFileSync(join(folder, "launch"), LAUNCH);
  const gdbserver = [programOnPath("gdbserver") ?? "gdbserver", "--once"];
  const wrapper = ["--wrapper", "/bin/sh", "launch", "--"];
  const [command = "", ...before] = endingWithTheLab([...gdbserver, ...wrapper]);
  const child = spawn(command, [...before, "-", program.file, ...args], {
    cwd: folder,
    // The debugger keeps the leak detector from its work, which would end the app for it.
    env: { ...environment, SHELL: "/bin/sh", LSAN_OPTIONS: "detect_leaks=0" },
    stdio: Array(6).fill("pipe"),
    detached: true,
  });
  const [input, output, errors, appOutput, appErrors, id] = child.stdio as unknown as Pipes;
  let appId: number | undefined;
  let said = "";
  let killing = false;
  readLines(id, (line) => {
    appId = Number(line);
    if (killing) kill();
  });
  for (const stream of [appOutput, appErrors]) readLines(stream, onLine);
  readLines(errors, (line) => {
    said = line || said;
  });
  /** Before the app's id is known, gdbserver has not got hold of it, and would leave it behind. */
  function kill(): void {
    killing = true;
    if (appId === undefined || !isRunning(child)) return;
    signalProcess(appId, "SIGKILL");
    child.kill("SIGKILL");
  }
  const stub = createDebugStub({ input, output, onAbandoned: kill });
  const withdraw = options.gate.offer(stub.connect);
  killedWithTheLab(child, () => {
    kill();
    signalProcess(-(child.pid ?? 0), "SIGKILL");
  });
  return {
    get id() {
      return appId;
    },
    ended: closing(endOf(child), stub, withdraw).then((end) => appEndOf(end, stub, said)),
    terminate: () => {
      if (stub.detached && appId !== undefined) signalProcess(appId, "SIGTERM");
      else kill();
    },
    kill,
  };
}

/** gdbserver's end as the app's. @throws Error when gdbserver could not start the app */
function appEndOf(end: AppEnd, stub: DebugStub, said: string): AppEnd {
  if (stub.abandoned) return { ...end, byDebugger: true };
  if (stub.end?.kind === "exit") return { code: stub.end.number, signal: null, signalNumber: 0 };
  if (stub.end) return { code: null, ...signalOf(stub.end.number) };
  if (end.code !== 0 && end.code !== null) throw new Error(`gdbserver says: ${said}`);
  return end;
}

function signalOf(number: number): Pick<AppEnd, "signal" | "signalNumber"> {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  const same = names.find(([, value]) => value === number)?.[0] ?? "SIGKILL";
  const signal = GDB_SIGNALS[number] ?? same;
  return { signal, signalNumber: constants.signals[signal] };
}

function belowEmulator(options: DebuggedOptions): AppProcess {
  const { program, args, environment, folder, onLine, gate } = options;
  const path = join(folder, "debug");
  const emulated = program.emulator?.(program.file, environment, path) ?? [];
  const [command = "", ...before] = endingWithTheLab(emulated);
  const child = spawn(command, [...before, ...args], {
    env: {},
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    readLines(stream, (line) => {
      if (line !== KILLED_BY_DEBUGGER) onLine(line);
    });
  }
  const kill = () => void child.kill("SIGKILL");
  let stub: DebugStub | undefined;
  let withdraw = () => {};
  whenListening(path, child, (socket) => {
    stub = createDebugStub({ input: socket, output: socket, onAbandoned: kill });
    withdraw = gate.offer(stub.connect);
  });
  killedWithTheLab(child, kill);
  const ended = endOf(child).finally(() => {
    withdraw();
    stub?.close();
  });
  return {
    get id() {
      return child.pid;
    },
    ended: ended.then((end) => ({ ...end, byDebugger: stub?.abandoned })),
    terminate: () => void child.kill(stub?.detached ? "SIGTERM" : "SIGKILL"),
    kill,
  };
}

/** Connects as soon as the emulator listens: from then on its end is seen, and the lab's by it. */
function whenListening(path: string, child: ChildProcess, then: (socket: Socket) => void): void {
  const clock = new RealClock();
  const attempt = () => {
    if (!isRunning(child)) return;
    const socket = connect(path, () => {
      socket.removeAllListeners("error");
      then(socket);
    });
    socket.on("error", () => clock.setTimer(RETRY_MS, attempt));
  };
  attempt();
}

const closing = (ended: Promise<AppEnd>, stub: DebugStub, withdraw: () => void) =>
  ended.finally(() => {
    withdraw();
    stub.close();
  });

const isRunning = ({ exitCode, signalCode, pid }: ChildProcess): boolean =>
  pid !== undefined && exitCode === null && signalCode === null;

function signalProcess(id: number, signal: NodeJS.Signals): void {
  try {
    process.kill(id, signal);
  } catch {
    // It has just ended by itself.
  }
}

/**
 * A debug server waits for a debugger for ever; the kernel ends it when the lab's process is killed. Apps
 * see to that themselves, but not before their first instruction.
 */
function endingWithTheLab(command: readonly string[]): readonly string[] {
  const setpriv = programOnPath("setpriv");
  return setpriv === undefined ? command : [setpriv, "--pdeathsig", "KILL", "--", ...command];
}

function programOnPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(":").filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, fileModes.X_OK);
    return true;
  } catch {
    return false;
  }
}
