import { usage } from "../errors.ts";
import { type Context, type Entry, type Options, text } from "../table.ts";
import { versionText } from "../version.ts";
import { splitWords } from "../words.ts";

const LEAVE = ["exit", "quit"];

/** Runs what is typed, a command a line, until somebody leaves. What fails ends nothing. */
async function interactive(context: Context) {
  const { terminal, program } = context;
  const complete = (line: string) => {
    const words = splitWords(line);
    return context.complete(/\s$/.test(line) || line === "" ? [...words, ""] : words);
  };
  context.say(`${versionText().trim()}\nType commands without '${program}'; 'exit' leaves.`);
  for await (const line of terminal.lines(`${program}> `, complete)) {
    const words = splitWords(line);
    if (words[0] === program) words.shift();
    if (words.length === 0) continue;
    if (LEAVE.includes(words[0] ?? "")) break;
    if (words[0] === "interactive") terminal.error("You are in it already; 'exit' leaves.\n");
    else await context.run(words);
  }
  return {};
}

const FEEDBACK = [
  "This is Spherule, an emulator: Microsoft cannot help with it.",
  "Tell those you have Spherule from. What helps them: the output of `azsphere get-support-data`,",
  "the lab's log, and the commands that lead there.",
];

/** What can be set, and what for. */
const SETTINGS: Readonly<Record<string, string>> = {
  tenant: "id of the selected tenant",
  user: "whom commands act for",
  "deployment-timeout": "seconds that a sideload may take",
  "defaults.group": "resource group of `az sphere`",
  "defaults.sphere.catalog": "catalog of `az sphere`",
};

const NAME: Options = { "!-n, --name <name>": Object.keys(SETTINGS).join(", ") };

/** @throws LabError azsphere-usage */
function known(name: string): string {
  if (name in SETTINGS) return name;
  throw usage(
    `There is no setting '${name}'.`,
    `Choose among ${Object.keys(SETTINGS).join(", ")}.`,
  );
}

/** The tool itself. */
export const toolEntries: readonly Entry[] = [
  {
    words: "interactive",
    only: "azsphere",
    summary: "type commands one after the other, with completion",
    examples: [""],
    run: interactive,
  },
  {
    words: "feedback",
    only: "azsphere",
    summary: "tell where to report what is wrong",
    examples: [""],
    run: () => ({ text: FEEDBACK }),
  },
  {
    words: "setting list",
    only: "azsphere",
    summary: "print what this tool remembers",
    examples: [""],
    run({ settings }) {
      const value = Object.entries(SETTINGS).map(([name, meaning]) => ({
        ...{ name, value: settings.get(name) ?? null, meaning },
      }));
      return { value };
    },
  },
  {
    words: "setting set",
    only: "azsphere",
    summary: "let this tool remember something",
    options: { ...NAME, "!-v, --value <value>": "its value" },
    examples: ["--name defaults.group --value lab"],
    run(context, given) {
      const name = known(text(given, "name"));
      const value = text(given, "value");
      context.settings.set(name, value);
      return { value: { name, value }, text: `'${name}' is '${value}' now.` };
    },
  },
  {
    words: "setting delete",
    only: "azsphere",
    summary: "let this tool forget something",
    options: NAME,
    examples: ["--name tenant"],
    run(context, given) {
      const name = known(text(given, "name"));
      context.settings.set(name, undefined);
      return { text: `'${name}' is forgotten.` };
    },
  },
];
