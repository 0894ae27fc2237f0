import { decodedMappings, TraceMap } from "@jridgewell/trace-mapping";
import { AotError } from "./errors.ts";

export interface Place {
  /** Smallest offset of the same place: instructions with one place share their traps. */
  readonly site: number;
  readonly source: string;
  readonly line: number;
}

/** Finds the place in the app's sources for a byte offset in the wasm file. */
export type LineMap = (offset: number) => Place | undefined;

/**
 * Reads a source map whose generated columns are byte offsets, all on line 1.
 * @throws AotError source-map-invalid
 */
export function readLineMap(sourceMap: string): LineMap {
  const { columns, places } = decode(sourceMap);
  return (offset) => {
    let low = 0;
    let high = columns.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((columns[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return places[low - 1];
  };
}

/** A segment without a source ends the place before it: what follows is of no line. */
function decode(sourceMap: string): { columns: number[]; places: (Place | undefined)[] } {
  const columns: number[] = [];
  const places: (Place | undefined)[] = [];
  try {
    const map = new TraceMap(sourceMap);
    for (const [column, source, line] of decodedMappings(map)[0] ?? []) {
      const file = source === undefined ? undefined : map.sources[source];
      const known = file !== undefined && file !== null && line !== undefined;
      columns.push(column);
      places.push(known ? { site: column, source: file, line: line + 1 } : undefined);
    }
  } catch (error) {
    throw new AotError(
      "source-map-invalid",
      `The source map cannot be read: ${error instanceof Error ? error.message : error}.`,
      "Compile the app again; the map is written next to the wasm.",
    );
  }
  return { columns, places };
}
