import type { Manifest } from "../imagepackage/manifest.ts";

/** What the operating system installs and runs. Names in the manifest are resolved to numbers. */
export interface AppImage {
  readonly manifest: Manifest;
  /** Absent for code that the virtual device can install, but not execute: ARM machine code. */
  readonly wasm?: Uint8Array;
  /** Source map version 3; reports name functions only when it is absent. */
  readonly sourceMap?: string;
}

/** How a run of the app ended. Codes are those of docs/exit-codes.md. */
export interface ExitStatus {
  readonly code: number;
  /** Lines for the log; empty for an end that was asked for. */
  readonly report: readonly string[];
}

/** One run of an app in some body. */
export interface RunningApp {
  /** Asks the app to end as SIGTERM does; `onExit` is called before this returns. */
  terminate(): void;
  /** Bytes of linear memory. */
  readonly memoryBytes: number;
}
