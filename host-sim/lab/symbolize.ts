import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildOf, type FindPlace, placesOf, TRAP_NAMES } from "../device/places.ts";
import { LabError, messageOf } from "../errors.ts";

/** A compiled app of a project with its source map. */
export interface SymbolBuild {
  readonly target: string;
  /** As lines of a log name it. */
  readonly id: string;
  readonly find: FindPlace;
}

const TARGETS = ["debug", "release"] as const;
const TRAP = /\[trap\] (\d{1,10}) (\d{1,10}) ([0-9a-f]{16})/g;
const UNMAPPED = /app\.wasm:0x([0-9a-f]{1,8}) of build ([0-9a-f]{16})/g;

/**
 * Finds the builds of a project that have a source map.
 * @throws LabError symbols-missing when there is none, source-map-invalid
 */
export function readBuilds(projectFolder: string): SymbolBuild[] {
  const builds = TARGETS.flatMap((target) => {
    const wasmFile = join(projectFolder, "build/app", target, "app.wasm");
    const mapFile = `${wasmFile}.map`;
    if (!existsSync(wasmFile) || !existsSync(mapFile)) return [];
    return [{ target, id: buildOf(readFileSync(wasmFile)), find: readMap(mapFile) }];
  });
  if (builds.length > 0) return builds;
  throw new LabError(
    "symbols-missing",
    `${join(projectFolder, "build/app")} has no app.wasm with its app.wasm.map.`,
    "Build the same sources again, `spherule build`, or name the app's folder with --project.",
  );
}

function readMap(file: string): FindPlace {
  try {
    return placesOf(readFileSync(file, "utf8"));
  } catch (error) {
    throw new LabError(
      "source-map-invalid",
      `${file} is no source map: ${messageOf(error)}.`,
      "Remove the folder and build the app again: spherule build.",
    );
  }
}

/**
 * Puts places of the sources into a text, in which an app of any body told offsets of its wasm:
 * `[trap] kind site build`, and `app.wasm:0x… of build …`. Everything else stays as it is.
 */
export function symbolize(text: string, builds: readonly SymbolBuild[]): string {
  const place = (offset: number, id: string) => placeIn(builds, offset, id);
  return text
    .replace(TRAP, (line, kind: string, site: string, id: string) => {
      const what = TRAP_NAMES.get(Number(kind)) ?? `trap ${kind}`;
      return `${line} (${what} at ${place(Number(site), id)})`;
    })
    .replace(UNMAPPED, (line, offset: string, id: string) => {
      const build = builds.find((each) => each.id === id);
      // As reports show what has no place.
      if (build) return build.find(Number.parseInt(offset, 16)) ?? "?";
      return `${line} (${place(Number.parseInt(offset, 16), id)})`;
    });
}

function placeIn(builds: readonly SymbolBuild[], offset: number, id: string): string {
  const build = builds.find((each) => each.id === id);
  if (build) return build.find(offset) ?? `no place of the sources, build ${id}`;
  const known = builds.map((each) => `${each.target} ${each.id}`).join(", ");
  return `an unknown place: it is of build ${id}, and here are ${known}`;
}
