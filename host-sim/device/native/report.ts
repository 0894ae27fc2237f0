import { originalPositionFor, TraceMap } from "@jridgewell/trace-mapping";
import type { ExitStatus } from "../app.ts";

/** docs/exit-codes.md, as far as the generated code traps. */
const TRAPS: ReadonlyMap<number, string> = new Map([
  [64, "trap: unreachable"],
  [66, "out of linear memory"],
  [67, "trap: memory access out of bounds"],
  [68, "trap: integer division by zero"],
  [69, "trap: integer overflow"],
  [70, "trap: float that no integer can hold"],
  [71, "trap: wrong indirect call"],
  [72, "trap: stack exhausted"],
]);
const NEEDS_NEWER_ABI = 80;
const FIRST_RUNTIME_CODE = 64;
/** A process that a signal ended has no code; shells show it so. */
const SIGNALLED = 128;

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly signalNumber: number;
  /** The lines `[trap] …` and `[abort] …` of the run. */
  readonly lines: readonly string[];
  /** Why the operating system ended it, if it did. */
  readonly reason?: string;
}

/** Turns the end of the app's process into an exit code and lines that name places in the app's sources. */
export function exitStatusOf(end: ProcessEnd, sourceMap: string | undefined): ExitStatus {
  if (end.code === null) {
    const code = SIGNALLED + end.signalNumber;
    const why = end.reason === undefined ? "" : `: ${end.reason}`;
    return { code, report: [`the app's process was ended by ${end.signal}${why}`] };
  }
  const { code } = end;
  if (code < FIRST_RUNTIME_CODE) return { code, report: [] };
  const line = end.lines.at(-1) ?? "";
  const what = trapOf(line, sourceMap) ?? abortOf(line) ?? otherOf(code);
  return { code, report: [`the app ended with exit code ${code}: ${what}`] };
}

function trapOf(line: string, sourceMap: string | undefined): string | undefined {
  const [, kind, site] = /^\[trap\] (\d+) (\d+) /.exec(line) ?? [];
  if (kind === undefined) return undefined;
  const place = sourceMap && placeOf(sourceMap, Number(site));
  return `${TRAPS.get(Number(kind)) ?? `trap ${kind}`}${place ? ` at ${place}` : ""}`;
}

function abortOf(line: string): string | undefined {
  const [, place, message] = /^\[abort\] (.+:\d+:\d+) (.*)$/s.exec(line) ?? [];
  return place === undefined ? undefined : `abort: ${message || "no message"} at ${place}`;
}

function otherOf(code: number): string {
  return code === NEEDS_NEWER_ABI ? "it needs a newer host ABI" : "the lines above say why";
}

function placeOf(sourceMap: string, offset: number): string | undefined {
  const map = new TraceMap(sourceMap);
  const { source, line, column } = originalPositionFor(map, { line: 1, column: offset });
  if (source === null || line === null) return undefined;
  return `${source}:${line}:${(column ?? 0) + 1}`;
}
