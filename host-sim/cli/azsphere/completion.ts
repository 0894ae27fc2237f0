import { usage } from "./errors.ts";
import { OWN_GROUPS } from "./help.ts";
import { optionsOf } from "./options.ts";
import type { Entry, Grammar } from "./table.ts";

/** What may stand at the last of these words. */
export function candidates(
  entries: readonly Entry[],
  grammar: Grammar,
  words: readonly string[],
): readonly string[] {
  const last = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const entry = entries.find(
    ({ words: own }) => before.slice(0, own.split(" ").length).join(" ") === own,
  );
  const all = entry
    ? optionsOf(entry, grammar).map(({ long }) => long)
    : nextWords(entries, before);
  return all.filter((word) => word.startsWith(last)).sort();
}

function nextWords(entries: readonly Entry[], before: readonly string[]): string[] {
  const prefix = before.map((word) => `${word} `).join("");
  const next = entries
    .filter(({ words }) => words.startsWith(prefix))
    .map(({ words }) => words.slice(prefix.length).split(" ")[0] ?? "");
  return [...new Set([...next, ...(before.length === 0 ? OWN_GROUPS : [])])];
}

/** A script for the shell, which asks the program itself. @throws LabError azsphere-usage */
export function completionScript(shell: string, program: string): string {
  const [command = "azsphere", ...words] = program.split(" ");
  const name = `_spherule_${command}`;
  const skipped = 1 + words.length;
  const ask = `${program} --complete "\${COMP_WORDS[@]:${skipped}:COMP_CWORD-${skipped - 1}}"`;
  const body = [
    `${name}() {`,
    `  local IFS=$'\\n'`,
    `  COMPREPLY=($(${ask} 2>/dev/null))`,
    "}",
    `complete -o default -F ${name} ${command}`,
    "",
  ];
  if (shell === "bash") return body.join("\n");
  if (shell === "zsh") return ["autoload -U +X bashcompinit && bashcompinit", ...body].join("\n");
  throw usage(`There is no completion for '${shell}'.`, "Choose bash or zsh.");
}
