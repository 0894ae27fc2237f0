import { createHash } from "node:crypto";
import { originalPositionFor, TraceMap } from "@jridgewell/trace-mapping";

/** docs/exit-codes.md, as far as both bodies and their tools name traps. */
export const TRAP_NAMES: ReadonlyMap<number, string> = new Map([
  [64, "trap: unreachable"],
  [66, "out of linear memory"],
  [67, "trap: memory access out of bounds"],
  [68, "trap: integer division by zero"],
  [69, "trap: integer overflow"],
  [70, "trap: float that no integer can hold"],
  [71, "trap: wrong indirect call"],
  [72, "trap: stack exhausted"],
]);

/** Hex digits of a build id that a line of a log has. */
const SHOWN_DIGITS = 16;

/** The build of a wasm as lines of a log name it: the beginning of its SHA-256. */
export const buildOf = (wasm: Uint8Array): string =>
  createHash("sha256").update(wasm).digest("hex").slice(0, SHOWN_DIGITS);

/** Answers the place in the sources of a byte offset in the wasm file. */
export type FindPlace = (offset: number) => string | undefined;

/**
 * Reads a source map of a wasm.
 * @returns finds `file:line:column`, or undefined where the map has nothing
 * @throws what the parser of source maps throws for a text that is none
 */
export function placesOf(sourceMap: string): FindPlace {
  const map = new TraceMap(sourceMap);
  return (offset) => {
    const { source, line, column } = originalPositionFor(map, { line: 1, column: offset });
    if (source === null || line === null) return undefined;
    return `${source}:${line}:${(column ?? 0) + 1}`;
  };
}

/** What stands for a place when there is no source map; `spherule symbolize` finds the place. */
export const unmappedPlace = (offset: number, build: string): string =>
  `app.wasm:0x${offset.toString(16)} of build ${build}`;
