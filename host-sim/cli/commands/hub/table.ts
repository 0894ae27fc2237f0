import { Argument, type Command } from "commander";
import { LabError } from "../../../errors.ts";
import type { JsonObject } from "../../../hub/json.ts";
import { connectLab, type LabContext } from "../../context.ts";
import { withOutput } from "../../options.ts";
import { type OutputOptions, print } from "../../output.ts";

/** Options as commander gives them: camelCase names, texts; true for a flag without a value. */
export type Given = Readonly<Record<string, string | true | undefined>>;

/** One command: its words, its options as `--flag <value>` with a text, and what it prints. */
export interface Entry {
  readonly words: string;
  readonly description: string;
  /** A last word that may be left out, e.g. the `show` of `connection-string show`. */
  readonly optionalWord?: string;
  /** `--name <value>` → description; a flag that begins with `!` is required. */
  readonly options: Readonly<Record<string, string>>;
  run(lab: LabContext, given: Given): Promise<unknown> | unknown;
}

/** Registers the entries under `parent`, making the nouns that their words go through. */
export function registerEntries(
  parent: Command,
  nouns: Readonly<Record<string, string>>,
  entries: readonly Entry[],
): void {
  for (const entry of entries) {
    const words = entry.words.split(" ");
    const verb = words.pop() ?? "";
    const at = words.reduce((command, word) => nounOf(command, word, nouns[word]), parent);
    const command = at.command(verb).description(entry.description);
    for (const [flag, text] of Object.entries(entry.options)) {
      if (flag.startsWith("!")) command.requiredOption(flag.slice(1), text);
      else command.option(flag, text);
    }
    if (entry.optionalWord !== undefined) {
      command.addArgument(new Argument(`[${entry.optionalWord}]`).choices([entry.optionalWord]));
    }
    withOutput(command).action(async () => {
      const given = command.opts<Given & OutputOptions>();
      const result = await entry.run(await connectLab(), given);
      if (result !== undefined) await print(result, { output: "json", ...given });
    });
  }
}

function nounOf(parent: Command, word: string, description = ""): Command {
  const known = parent.commands.find((command) => command.name() === word);
  return known ?? parent.command(word).description(description);
}

/** The text of an option that commander knows to be given. */
export function text(given: Given, name: string): string {
  const value = given[name];
  return typeof value === "string" ? value : "";
}

/** A whole number that was given. @throws LabError option-invalid */
export function wholeNumberOf(given: Given, name: string): number | undefined {
  if (given[name] === undefined) return undefined;
  const value = text(given, name);
  if (/^\d+$/.test(value)) return Number(value);
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new LabError(
    "option-invalid",
    `--${flag} ${value} is no whole number.`,
    "Give a number from 0 on.",
  );
}

/** One of several words. @throws LabError option-invalid */
export function oneOf<Word extends string>(
  given: Given,
  name: string,
  words: readonly Word[],
): Word | undefined {
  if (given[name] === undefined) return undefined;
  const value = text(given, name);
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new LabError(
    "option-invalid",
    `--${flag} ${value} is not known.`,
    `Use ${words.join(", ")}.`,
  );
}

/** Without the flag a change is made whatever the version is. */
export const ETAG = { "-e, --etag <etag>": "change only this version; any when absent" };

export function ifMatch(given: Given): Record<string, string> {
  return { "if-match": `"${text(given, "etag") || "*"}"` };
}

/** What has a value. */
export function present(values: Readonly<Record<string, unknown>>): JsonObject {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as JsonObject;
}
