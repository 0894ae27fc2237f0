import type { Duplex } from "node:stream";
import type { ImageFile } from "../imagepackage/asxipfs.ts";
import type { Manifest } from "../imagepackage/manifest.ts";

/** What the operating system installs and runs. Names in the manifest are resolved to numbers. */
export interface AppImage {
  readonly manifest: Manifest;
  /** Absent for code that the virtual device can install, but not execute: ARM machine code. */
  readonly wasm?: Uint8Array;
  /** Source map version 3; reports name functions only when it is absent. */
  readonly sourceMap?: string;
  /** The app as a program, translated from the same wasm; without it V8 runs the wasm. */
  readonly native?: NativeProgram;
  /** The ARM program that came with it in an image package. */
  readonly program?: Uint8Array;
  /** All that the image package holds; absent for the app of a project, which is in none. */
  readonly files?: readonly ImageFile[];
}

/**
 * Makes the code of an installed image ready to run as a program: at once, or after a build that fails
 * with a LabError. Undefined for an image whose wasm V8 is to run.
 */
export type PackagedProgram = (
  image: AppImage,
) => NativeProgram | Promise<NativeProgram> | undefined;

/** A program for the device's interfaces, and the libraries that stand for the device's. */
export interface NativeProgram {
  readonly file: string;
  /** The folder with libapplibs.so.0 and the others. */
  readonly libraries: string;
  /** Sanitizers take more memory than the device has, so the limit does not hold for it. */
  readonly sanitized?: boolean;
  /**
   * The command that runs a program of another machine, in an environment of its own.
   * @param stub a Unix socket where it waits for a debugger at the first instruction
   */
  readonly emulator?: (
    file: string,
    environment: Readonly<Record<string, string>>,
    stub?: string,
  ) => readonly string[];
}

/** Where debuggers knock while an app is debugged. */
export interface DebugGate {
  /**
   * Hands the next debugger's connection to a program that waits for one.
   * @returns takes the offer back
   */
  offer(take: (debug: Duplex) => void): () => void;
  /** No program will wait: debuggers are sent away. */
  refuse(): void;
}

/** How a run of the app ended. Codes are those of docs/exit-codes.md. */
export interface ExitStatus {
  readonly code: number;
  /** Lines for the log; empty for an end that was asked for. */
  readonly report: readonly string[];
  /** What it had in V8 at its end. */
  readonly memoryBytes?: number;
  /**
   * What follows in place of a new start after a pause: nothing, because there is no program; or a new
   * start at once, because the debugger ended this run.
   */
  readonly next?: "nothing" | "debugger";
}

/** One run of an app in some body. */
export interface RunningApp {
  /** Asks the app to end as SIGTERM does; `onExit` is called before this is done. */
  terminate(): void | Promise<void>;
  /** Bytes of linear memory in V8; of a process, its private pages. */
  readonly memoryBytes: number;
  /** Of a program that is still built: resolves when it is there. @throws LabError of the build */
  readonly ready?: Promise<void>;
}
