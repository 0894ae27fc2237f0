import type { ExitStatus } from "../app.ts";
import { placesOf, TRAP_NAMES, unmappedPlace } from "../places.ts";

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
  const [, kind, site, build = ""] = /^\[trap\] (\d+) (\d+) (\S*)/.exec(line) ?? [];
  if (kind === undefined) return undefined;
  const offset = Number(site);
  const place = sourceMap ? placesOf(sourceMap)(offset) : unmappedPlace(offset, build);
  return `${TRAP_NAMES.get(Number(kind)) ?? `trap ${kind}`}${place ? ` at ${place}` : ""}`;
}

function abortOf(line: string): string | undefined {
  const [, place, message] = /^\[abort\] (.+:\d+:\d+) (.*)$/s.exec(line) ?? [];
  return place === undefined ? undefined : `abort: ${message || "no message"} at ${place}`;
}

function otherOf(code: number): string {
  return code === NEEDS_NEWER_ABI ? "it needs a newer host ABI" : "the lines above say why";
}
