import { LabError } from "../../errors.ts";
import { connectLab } from "../context.ts";
import { OWNER, signIn } from "./entries/account.ts";
import { EXIT, exitCodeOf, usage } from "./errors.ts";
import { entryHelp, NOTICE } from "./help.ts";
import { runAzsphere } from "./index.ts";
import { optionsOf, parseOptions } from "./options.ts";
import { render } from "./output.ts";
import { openSettings } from "./settings.ts";
import { type Entry, type Given, optional, type Result, type Terminal } from "./table.ts";
import { versionText } from "./version.ts";

const accountOf = (user: string) => ({
  id: "5be7e000-0000-4000-8000-000000000000",
  name: "Spherule lab",
  state: "Enabled",
  isDefault: true,
  user: { name: user, type: "user" },
});

/** A command of Azure's command line that stands before or beside `sphere`. */
interface AzCommand extends Pick<Entry, "words" | "summary" | "options" | "examples"> {
  /** @param values what stands without an option */
  run(terminal: Terminal, given: Given, values: readonly string[]): Promise<Result> | Result;
}

const UNDERSTOOD = "understood, and not needed";
const HELP_WORDS = ["-h", "--help"];

/**
 * What the lab has of Azure's command line: `sphere`, and what its users type before it.
 * @returns the exit code
 */
export async function runAz(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first = "--help"] = args;
  if (first === "sphere") return runAzsphere("az", args.slice(1), terminal);
  if (["-v", "--version"].includes(first)) {
    terminal.out(versionText());
    return EXIT.success;
  }
  if (HELP_WORDS.includes(first)) {
    terminal.out(HELP);
    return EXIT.success;
  }
  const command = COMMANDS.find(({ words }) => `${args.join(" ")} `.startsWith(`${words} `));
  if (command) return runCommand(command, args, terminal);
  terminal.error(`ERROR: '${args.join(" ")}' is not in the lab's 'az'.\n${HELP}`);
  return EXIT.usage;
}

async function runCommand(
  command: AzCommand,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const entry: Entry = { ...command, run: () => ({}) };
  const rest = args.slice(command.words.split(" ").length);
  if (rest.some((arg) => HELP_WORDS.includes(arg))) {
    terminal.out(entryHelp(entry, "az", "az"));
    return EXIT.success;
  }
  try {
    const values = command === CONFIG_SET ? valuesOf(rest) : [];
    const given = parseOptions(optionsOf(entry, "az"), rest.slice(values.length));
    terminal.out(await render(await command.run(terminal, given, values), given, "az"));
    return EXIT.success;
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    terminal.error(`ERROR: ${error.message}\n${error.hint}\n`);
    return exitCodeOf(error);
  }
}

/** All before the first option. */
function valuesOf(args: readonly string[]): readonly string[] {
  const end = args.findIndex((arg) => arg.startsWith("-"));
  return end < 0 ? args : args.slice(0, end);
}

async function become(terminal: Terminal, given: Given, user: string | undefined): Promise<void> {
  const settings = openSettings(terminal.env);
  const said = await signIn({ settings, lab: connectLab }, user);
  if (!given.onlyShowErrors) terminal.error(`${said}\n`);
}

const account = ({ env }: Terminal) => accountOf(openSettings(env).get("user") ?? OWNER);

const CONFIG_SET: AzCommand = {
  words: "config set",
  summary: "set defaults.group=GROUP and defaults.sphere.catalog=CATALOG",
  options: { "--local": UNDERSTOOD },
  examples: ["defaults.group=lab defaults.sphere.catalog=lab"],
  run({ env }, _given, values) {
    const bad = values.find(
      (pair) => !DEFAULTS.includes(pair.split("=")[0] ?? "") || !/=./.test(pair),
    );
    if (values.length === 0 || bad !== undefined) {
      throw usage(
        `'${bad ?? ""}' is no default of the lab's 'az'.`,
        `Known are ${DEFAULTS.map((name) => `${name}=NAME`).join(" and ")}.`,
      );
    }
    const settings = openSettings(env);
    for (const pair of values) {
      const at = pair.indexOf("=");
      settings.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return {};
  },
};

const COMMANDS: readonly AzCommand[] = [
  {
    words: "login",
    summary: "become the lab's own user, or with --username another one to try out roles",
    options: {
      "-u, --username <email>": "whom to be; the lab's own user if absent",
      "-p, --password <password>": UNDERSTOOD,
      "-t, --tenant <tenant>": UNDERSTOOD,
      "--scope <scope>": UNDERSTOOD,
      "-i, --identity": UNDERSTOOD,
      "--service-principal": UNDERSTOOD,
      "--use-device-code": UNDERSTOOD,
      "--allow-no-subscriptions": UNDERSTOOD,
    },
    examples: ["", "--username you@example.com", "--output none"],
    async run(terminal, given) {
      await become(terminal, given, optional(given, "username"));
      return { value: [account(terminal)] };
    },
  },
  {
    words: "logout",
    summary: "become the lab's own user again",
    options: { "-u, --username <email>": UNDERSTOOD },
    examples: [""],
    async run(terminal, given) {
      await become(terminal, given, undefined);
      return {};
    },
  },
  {
    words: "account show",
    summary: "print the lab's only subscription",
    options: { "-n, --subscription --name -s <subscription>": UNDERSTOOD },
    examples: ["", "--query id --output tsv"],
    run: (terminal) => ({ value: account(terminal) }),
  },
  CONFIG_SET,
];

const HELP = `Usage: az <command>

Commands:
  sphere        Azure Sphere, on the lab
  login         become the lab's own user, or with --username another one to try out roles
  logout        become the lab's own user again
  account show  print the lab's only subscription
  config set    defaults.group=GROUP defaults.sphere.catalog=CATALOG

For anything else use Azure's own az, out of this PATH.

${NOTICE}
`;

const DEFAULTS = ["defaults.group", "defaults.sphere.catalog"];
