import type { Store } from "../../store/index.ts";
import type { ExitStatus } from "../app.ts";
import { kept } from "./kept.ts";

/** Bytes 3 and 4 hold the length of what follows, big-endian. */
const HEADER_BYTES = 5;
const LENGTH_AT = 3;
const FORMAT_VERSION = 1;
const MOST_BYTES = 4096;

/** First exit code that a body gives for a trap; docs/exit-codes.md. */
const FIRST_TRAP = 64;
const LAST_TRAP = 72;
/** The signal that ends a native program for the same reason. */
const SIGNALS: Readonly<Record<number, number>> = { 64: 4, 65: 6, 68: 8, 69: 8, 70: 8, 71: 4 };
const SEGMENTATION_FAULT = 11;
/** The code of a process that a signal ended is this and the signal. */
const SIGNALLED = 128;

export type ErrorReports = ReturnType<typeof createErrorReports>;

/** What the device will tell the Security Service about crashes, until somebody deletes it. */
export function createErrorReports(store: Store) {
  const lines = kept<readonly string[]>(store, "error-reports", () => []);
  const bytesOf = (all: readonly string[]) => Buffer.from(all.map((line) => `${line}\n`).join(""));

  function add(line: string): void {
    const next = [...lines.value, line];
    while (bytesOf(next).length > MOST_BYTES) next.shift();
    lines.set(next);
  }

  return {
    /** The system came up. */
    booted: (reason: "power-on" | "restart"): void => add(`Boot (reason=${reason})`),
    /** An app ended that nobody had asked to. */
    appEnded({ code }: ExitStatus, componentId: string, imageId: string): void {
      const app = `component_id=${componentId}; image_id=${imageId}`;
      const signalled = code > SIGNALLED;
      const crashed = signalled || (code >= FIRST_TRAP && code <= LAST_TRAP);
      const signal = signalled ? code - SIGNALLED : (SIGNALS[code] ?? SEGMENTATION_FAULT);
      const status = `exit_status=${SIGNALLED + signal}; signal_status=${signal}; signal_code=1`;
      add(crashed ? `AppCrash (${status}; ${app})` : `AppExit (exit_code=${code}; ${app})`);
    },
    lines: (): readonly string[] => lines.value,
    bytes(): Buffer {
      const content = bytesOf(lines.value);
      const header = Buffer.alloc(HEADER_BYTES);
      header.writeUInt8(FORMAT_VERSION);
      header.writeUInt16BE(content.length, LENGTH_AT);
      return Buffer.concat([header, content]);
    },
    clear: (): void => lines.set([]),
  };
}
