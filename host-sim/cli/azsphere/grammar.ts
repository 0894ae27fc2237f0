import { usage } from "./errors.ts";
import type { Entry, Grammar } from "./table.ts";

/** Short names of groups that older tools had. */
const GROUP_ALIASES: Readonly<Record<string, string>> = {
  sl: "sideload",
  edv: "enable-development",
  ect: "enable-cloud-test",
  prd: "product",
  dg: "device-group",
  dep: "deployment",
  img: "image-package",
  hwd: "hardware-definition",
  dev: "device",
};

export interface Found {
  /** Absent when the words name a group, whose commands help lists. */
  readonly entry?: Entry;
  readonly words: readonly string[];
  /** What follows the words. */
  readonly rest: readonly string[];
}

export const entriesOf = (entries: readonly Entry[], grammar: Grammar): readonly Entry[] =>
  entries.filter(({ only }) => only === undefined || only === grammar);

/**
 * Which command the leading words of a command line name.
 * @throws LabError azsphere-usage, with the command that was probably meant
 */
export function findEntry(
  entries: readonly Entry[],
  program: string,
  args: readonly string[],
): Found {
  const end = args.findIndex((arg) => arg.startsWith("-"));
  const given = (end < 0 ? args : args.slice(0, end)).map((word) => GROUP_ALIASES[word] ?? word);
  for (let count = given.length; count > 0; count--) {
    const spelled = given.slice(0, count).join(" ");
    const entry = entries.find(
      ({ words, aliases = [] }) => words === spelled || aliases.includes(spelled),
    );
    if (entry) return { entry, words: entry.words.split(" "), rest: args.slice(count) };
  }
  if (isGroup(entries, given)) return { words: given, rest: args.slice(given.length) };
  throw unknown(entries, program, given);
}

export function isGroup(entries: readonly Entry[], words: readonly string[]): boolean {
  const prefix = words.map((word) => `${word} `).join("");
  return entries.some((entry) => entry.words.startsWith(prefix));
}

function unknown(entries: readonly Entry[], program: string, words: readonly string[]) {
  const typed = words.join(" ");
  const nearest = suggestion(entries, typed);
  return usage(
    `'${typed}' is not in the '${program}' command group.`,
    nearest === undefined
      ? `Type '${program} --help' for all commands.`
      : `Did you mean '${program} ${nearest}'?`,
  );
}

/** The command that takes the fewest changes; a word twice in a row is as good as once. */
export function suggestion(entries: readonly Entry[], typed: string): string | undefined {
  const words = typed.split(" ").filter((word, index, all) => word !== all[index - 1]);
  const wanted = words.join(" ");
  const groups = entries.flatMap((entry) => prefixes(entry.words));
  let best: { words: string; cost: number } | undefined;
  for (const candidate of new Set(groups)) {
    const cost = distance(wanted, candidate);
    if (!best || cost < best.cost) best = { words: candidate, cost };
  }
  return best && best.cost <= Math.max(2, wanted.length / 3) ? best.words : undefined;
}

function prefixes(words: string): string[] {
  const all = words.split(" ");
  return all.map((_, index) => all.slice(0, index + 1).join(" "));
}

/** How many letters have to be added, left out or changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
