import type { ExitStatus } from "../app.ts";
import { endReport, type Frame } from "../end-report.ts";
import { placesOf, TRAP_NAMES, unmappedPlace } from "../places.ts";
import type { AppEnd } from "./app-process.ts";
import { isFramesLine } from "./frames-line.ts";

const NEEDS_NEWER_ABI = 80;
const FIRST_RUNTIME_CODE = 64;
const ABORTED = 65;
/** A process that a signal ended has no code; shells show it so. */
const SIGNALLED = 128;

export interface ProcessEnd extends AppEnd {
  /** The lines `[trap] …`, `[abort] …` and `[frames] …` of the run. */
  readonly lines: readonly string[];
  /** Why the operating system ended it, if it did. */
  readonly reason?: string;
}

/**
 * Turns the end of the app's process into an exit code and lines that name places in the app's sources.
 * @param frames of a `[frames]` line, as `framesOf` names them
 */
export function exitStatusOf(
  end: ProcessEnd,
  sourceMap: string | undefined,
  frames: readonly Frame[] = [],
): ExitStatus {
  if (end.code === null) {
    const code = SIGNALLED + end.signalNumber;
    const why = end.reason === undefined ? "" : `: ${end.reason}`;
    return { code, report: [`the app's process was ended by ${end.signal}${why}`] };
  }
  const line = end.lines.findLast((each) => !isFramesLine(each)) ?? "";
  // Of an app that a debugger had let go, only its last line tells that it failed.
  const code = end.code === 0 ? codeOf(line) : end.code;
  if (code < FIRST_RUNTIME_CODE) return { code, report: [] };
  const stop = trapOf(line, sourceMap) ?? abortOf(line) ?? { what: otherOf(code) };
  return { code, report: endReport(code, stop.what, stop.place, stop.place ? frames : []) };
}

interface Stop {
  readonly what: string;
  readonly place?: string;
}

function codeOf(line: string): number {
  const trap = /^\[trap\] (\d+) /.exec(line)?.[1];
  if (trap !== undefined) return Number(trap);
  return line.startsWith("[abort] ") ? ABORTED : 0;
}

function trapOf(line: string, sourceMap: string | undefined): Stop | undefined {
  const [, kind, site, build = ""] = /^\[trap\] (\d+) (\d+) (\S*)/.exec(line) ?? [];
  if (kind === undefined) return undefined;
  const offset = Number(site);
  const place = sourceMap ? placesOf(sourceMap)(offset) : unmappedPlace(offset, build);
  return { what: TRAP_NAMES.get(Number(kind)) ?? `trap ${kind}`, place };
}

function abortOf(line: string): Stop | undefined {
  const [, place, message] = /^\[abort\] (.+:\d+:\d+) (.*)$/s.exec(line) ?? [];
  return place === undefined ? undefined : { what: `abort: ${message || "no message"}`, place };
}

function otherOf(code: number): string {
  return code === NEEDS_NEWER_ABI ? "it needs a newer host ABI" : "the lines above say why";
}
