import type { LabContext } from "../context.ts";
import type { Arm } from "./arm.ts";
import type { AttachedDevice, Device } from "./device.ts";
import type { Settings } from "./settings.ts";

/** `azsphere`, the tool of its own, or `az sphere`, the extension of Azure's command line. */
export type Grammar = "azsphere" | "az";

/** Options as they were given, by the camelCase of their first long name. */
export type Given = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** What a command leaves: data, and a text for people who ask for no format. */
export interface Result {
  readonly value?: unknown;
  readonly text?: string | readonly string[];
  /** 0 when absent. */
  readonly exitCode?: number;
}

/** Where a command writes and what it finds around itself. */
export interface Terminal {
  out(text: string): void;
  error(text: string): void;
  /** The answer to a question; undefined when nobody is there to give one. */
  ask(question: string): Promise<string | undefined>;
  /**
   * The lines that are typed, each after a prompt, until there are no more.
   * @param complete what may stand at the end of a line that has begun
   */
  lines(prompt: string, complete: (line: string) => readonly string[]): AsyncIterable<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What a command works with. Everything behind it is reached over sockets. */
export interface Context {
  readonly grammar: Grammar;
  /** `azsphere` or `az sphere`, as hints spell it. */
  readonly program: string;
  readonly terminal: Terminal;
  readonly settings: Settings;
  /** A line about what goes on; it does not get among data. */
  say(line: string): void;
  lab(): Promise<LabContext>;
  attached(): Promise<readonly AttachedDevice[]>;
  /** The device of `--device`, or the one that is attached. */
  device(given: Given): Promise<Device>;
  arm(): Promise<Arm>;
  /** Runs another command line of the same grammar. @returns its exit code */
  run(args: readonly string[]): Promise<number>;
  /** What may stand at the last of these words. */
  complete(words: readonly string[]): readonly string[];
}

/**
 * Options by `-s, --long --older <value>` → description. A leading `!` makes one required; the
 * names after the first long one are silent aliases, as is any short name of several letters.
 */
export type Options = Readonly<Record<string, string>>;

export interface Entry {
  readonly words: string;
  /** Older spellings, which no help page shows. */
  readonly aliases?: readonly string[];
  /** Only in this grammar. */
  readonly only?: Grammar;
  readonly summary: string;
  readonly options?: Options;
  /** Options of one of the grammars. */
  readonly v2?: Options;
  readonly az?: Options;
  /** Whether it takes `--device`, or a tenant (`azsphere`), or a catalog (`az sphere`). */
  readonly needs?: readonly ("device" | "cloud")[];
  /** Arguments after the words, for help. */
  readonly examples: readonly string[];
  /** Those of `az sphere` where its options differ. */
  readonly azExamples?: readonly string[];
  run(context: Context, given: Given): Promise<Result> | Result;
}

/** An option's text, or an empty one. */
export function text(given: Given, name: string): string {
  const value = given[name];
  return typeof value === "string" ? value : "";
}

/** The text, or undefined when the option is absent. */
export function optional(given: Given, name: string): string | undefined {
  const value = given[name];
  return typeof value === "string" ? value : undefined;
}

/** All values of an option that takes several, separated by blanks or commas. */
export function list(given: Given, name: string): readonly string[] {
  const value = given[name];
  const texts = Array.isArray(value) ? (value as readonly string[]) : [text(given, name)];
  return texts.flatMap((each) => each.split(/[\s,]+/)).filter((each) => each !== "");
}
