import type { Command } from "commander";
import { connectLab, type LabContext } from "../../context.ts";
import { withOutput } from "../../options.ts";
import { type OutputOptions, print } from "../../output.ts";

/** Options as commander gives them: camelCase names, texts or lists of texts. */
export type Given = Readonly<Record<string, string | readonly string[] | undefined>>;

/** One command: its words, its options as `--flag <value>` with a text, and what it prints. */
export interface Entry {
  readonly words: string;
  readonly description: string;
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
    withOutput(command).action(async (given: Given & OutputOptions) => {
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
