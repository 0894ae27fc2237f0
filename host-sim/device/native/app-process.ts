import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { NativeProgram } from "../app.ts";

export interface AppProcessOptions {
  readonly program: NativeProgram;
  readonly args: readonly string[];
  /** Nothing of the lab's own goes to the app: on the device there is none. */
  readonly environment: Readonly<Record<string, string>>;
  /** Each line that the app writes to its standard output or error. */
  readonly onLine: (line: string) => void;
}

/** How the process ended. */
export interface AppEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** 0 without a signal. */
  readonly signalNumber: number;
  /** A debugger ended it, or left without letting it go. */
  readonly byDebugger?: boolean;
}

/** The process of one run of an app. */
export interface AppProcess {
  /** The app's own, also below a debug server; undefined before it is known. */
  readonly id: number | undefined;
  /** When nothing of it is left. Rejects when it could not be started. */
  readonly ended: Promise<AppEnd>;
  /** As SIGTERM does; at once when a debugger holds it, which would keep the signal. */
  terminate(): void;
  kill(): void;
}

/** Starts an app as a process of its own. */
export function startApp({ program, args, environment, onLine }: AppProcessOptions): AppProcess {
  const { file, emulator } = program;
  const [command = file, ...before] = emulator?.(file, environment) ?? [file];
  const child = spawn(command, [...before, ...args], {
    env: emulator ? {} : environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) readLines(stream, onLine);
  const kill = () => void child.kill("SIGKILL");
  killedWithTheLab(child, kill);
  return {
    get id() {
      return child.pid;
    },
    ended: endOf(child),
    terminate: () => void child.kill("SIGTERM"),
    kill,
  };
}

export function readLines(stream: Readable, onLine: (line: string) => void): void {
  createInterface({ input: stream }).on("line", onLine);
}

/** A lab that ends in a hurry leaves no process behind. */
export function killedWithTheLab(child: ChildProcess, kill: () => void): void {
  process.once("exit", kill);
  child.once("close", () => process.removeListener("exit", kill));
}

export function endOf(child: ChildProcess): Promise<AppEnd> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      resolve({ code, signal, signalNumber: signal ? constants.signals[signal] : 0 });
    });
  });
}
