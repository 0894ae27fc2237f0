import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { frameLine } from "../device/end-report.ts";
import { type FramesLine, framesOf, parseFramesLine } from "../device/native/frames-line.ts";
import { buildIdOf, isArmProgram } from "../imagepackage/index.ts";

/** A program of a project that was built here, with its symbols. */
export interface SymbolProgram {
  readonly file: string;
  readonly machine: FramesLine["machine"];
  /** As lines of a log name it. */
  readonly build: string;
}

const FRAMES = /\[frames\] (?:arm|native) [0-9a-f]{16}(?: [0-9a-f]{1,16})*/g;

/** Finds the programs of a project, newest first; none when nothing was built. */
export function readPrograms(projectFolder: string): SymbolProgram[] {
  const folder = join(projectFolder, "build/native");
  return [folder, join(folder, "packages")]
    .flatMap((each) => (existsSync(each) ? readdirSync(each).map((name) => join(each, name)) : []))
    .map((each) => join(each, "bin/app"))
    .filter((file) => existsSync(file))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
    .map((file) => {
      const bytes = readFileSync(file);
      const machine = isArmProgram(bytes) ? "arm" : "native";
      return { file, machine, build: (buildIdOf(bytes) ?? "").slice(0, 16) };
    });
}

/**
 * Puts functions and lines behind each `[frames] …` of a text, a line each. The program must have been
 * built from the same wasm for the same machine, and in the same way: addresses are the compiler's.
 */
export async function nameFrames(
  text: string,
  programs: readonly SymbolProgram[],
): Promise<string> {
  const named = await Promise.all(
    (text.match(FRAMES) ?? []).map((line) => described(line, programs)),
  );
  return text.replace(FRAMES, (line) => `${line}${named.shift()}`);
}

async function described(text: string, programs: readonly SymbolProgram[]): Promise<string> {
  const line = parseFramesLine(text);
  if (!line) return "";
  const program = programs.find(
    ({ machine, build }) => machine === line.machine && build === line.build,
  );
  if (!program) return ` (build/native has no ${line.machine} program of build ${line.build})`;
  const frames = await framesOf(line, program.file);
  if (frames.length === 0) return ` (${program.file} has no symbols for it)`;
  return frames.map((frame) => `\n${frameLine(frame)}`).join("");
}
