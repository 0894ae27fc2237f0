import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Frame } from "../end-report.ts";

const LINE = /^\[frames\] (arm|native) ([0-9a-f]{16})((?: [0-9a-f]{1,16}){0,32})$/;
/** binutils of the machine; they come with the compilers that made the program. */
const TOOLS = { arm: "arm-linux-gnueabihf-addr2line", native: "addr2line" } as const;
/** The translator's names of functions: their number, then their name as C allows it. */
const TRANSLATED = /^w\d+_(.+)$/;
/** What gcc adds to the name of a function that it has split or changed. */
const CLONE = /\.(?:part|isra|constprop|cold)\.?\d*/g;

/** `[frames] machine build address…`: the way to a stop, in a program made of that build. */
export interface FramesLine {
  readonly machine: keyof typeof TOOLS;
  readonly build: string;
  /** In the program's file, innermost first. */
  readonly addresses: readonly string[];
}

export const isFramesLine = (line: string): boolean => line.startsWith("[frames] ");

export function parseFramesLine(line: string): FramesLine | undefined {
  const [, machine, build = "", list = ""] = LINE.exec(line) ?? [];
  if (machine !== "arm" && machine !== "native") return undefined;
  return { machine, build, addresses: list.split(" ").filter((address) => address !== "") };
}

/**
 * Names functions and lines of the app's sources by the program's debug information.
 * @param file the program, with its symbols
 * @returns none when it has no symbols or binutils are not installed; columns are not known
 */
export async function framesOf(line: FramesLine, file: string): Promise<Frame[]> {
  if (line.addresses.length === 0) return [];
  const args = ["-e", file, "-f", "-i", ...line.addresses.map((address) => `0x${address}`)];
  try {
    const { stdout } = await promisify(execFile)(TOOLS[line.machine], args);
    return parseAddr2line(stdout);
  } catch {
    return [];
  }
}

/** How the translator marks code that no line of the sources has made. */
const NO_SOURCE = /^(?:.*\/)?\(\?\):\d+/;

/**
 * Pairs of lines: a function, then `file:line`. Only what has a line of the app's sources is the app's, or
 * says that it has none.
 */
export function parseAddr2line(text: string): Frame[] {
  const lines = text.split("\n");
  return lines.flatMap((name, index) => {
    const [, own] = TRANSLATED.exec(name) ?? [];
    const where = lines[index + 1] ?? "";
    const [, place] = /^(?:\.\/)?(\S.*\.ts:[1-9]\d*)(?: \(.*\))?$/.exec(where) ?? [];
    const isApp = place !== undefined || NO_SOURCE.test(where);
    if (index % 2 !== 0 || own === undefined || !isApp) return [];
    return [{ name: own.replace(CLONE, ""), place }];
  });
}
