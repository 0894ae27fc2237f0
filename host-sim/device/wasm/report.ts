import type { AppImage, ExitStatus } from "../app.ts";
import { endReport, type Frame } from "../end-report.ts";
import { buildOf, type FindPlace, placesOf, unmappedPlace } from "../places.ts";
import { AppExit } from "./exit.ts";

/** V8's words for a trap and the exit code; the first that matches counts. */
const TRAPS: readonly (readonly [pattern: RegExp, code: number, name: string])[] = [
  [/unreachable/, 64, "unreachable"],
  [/memory access out of bounds/, 67, "memory access out of bounds"],
  [/divide by zero|remainder by zero/, 68, "integer division by zero"],
  [/unrepresentable.*integer range|float unrepresentable/, 70, "float that no integer can hold"],
  [/unrepresentable/, 69, "integer overflow"],
  [/table index|null function|signature mismatch|indirect call/, 71, "wrong indirect call"],
  [/call stack/, 72, "stack exhausted"],
];
const UNREACHABLE = 64;
const OUT_OF_MEMORY = 66;
/** AssemblyScript's allocator traps here when the memory is full. */
const ALLOCATOR = /^~lib\/rt\/tlsf\//;
/** Turns what the wasm threw into an exit code and lines that name places in the app's sources. */
export function exitStatusOf(
  error: unknown,
  image: Pick<AppImage, "wasm" | "sourceMap">,
): ExitStatus {
  const frames = framesOf(error, image);
  if (error instanceof AppExit) {
    if (!error.reason) return { code: error.code, report: [] };
    return { code: error.code, report: endReport(error.code, error.reason, error.place, frames) };
  }
  const text = error instanceof Error ? error.message : String(error);
  const known = TRAPS.find(([pattern]) => pattern.test(text));
  // Not of the app's making: a fault of ours must not look like one of theirs.
  if (!known) throw error;
  const full = known[1] === UNREACHABLE && ALLOCATOR.test(frames[0]?.name ?? "");
  const code = full ? OUT_OF_MEMORY : known[1];
  const name = full ? "out of linear memory" : `trap: ${known[2]}`;
  return { code, report: endReport(code, name, undefined, frames) };
}

/** Without a source map, places stay offsets that `spherule symbolize` knows. */
function finderOf({ wasm, sourceMap }: Pick<AppImage, "wasm" | "sourceMap">): FindPlace {
  if (sourceMap) return placesOf(sourceMap);
  const build = wasm ? buildOf(wasm) : "";
  return (offset) => unmappedPlace(offset, build);
}

/** V8 writes `at name (wasm://wasm/…:wasm-function[N]:0xOFFSET)`; offsets count in the whole file. */
function framesOf(error: unknown, image: Pick<AppImage, "wasm" | "sourceMap">): Frame[] {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const lines = [...stack.matchAll(/^\s+at (?:(.+?) \()?wasm:.*?\[(\d+)\]:0x([0-9a-f]+)/gm)];
  if (lines.length === 0) return [];
  const find = finderOf(image);
  return lines.map(([, name, index, offset]) => ({
    name: name ?? `function ${index}`,
    place: find(Number.parseInt(offset ?? "0", 16)),
  }));
}
