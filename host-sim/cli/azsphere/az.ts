import { LabError } from "../../errors.ts";
import { connectLab } from "../context.ts";
import { OWNER, signIn } from "./entries/account.ts";
import { EXIT } from "./errors.ts";
import { NOTICE } from "./help.ts";
import { runAzsphere } from "./index.ts";
import { openSettings } from "./settings.ts";
import type { Terminal } from "./table.ts";

const accountOf = (user: string) => ({
  id: "5be7e000-0000-4000-8000-000000000000",
  name: "Spherule lab",
  state: "Enabled",
  isDefault: true,
  user: { name: user, type: "user" },
});

/**
 * What the lab has of Azure's command line: `sphere`, and what its users type before it.
 * @returns the exit code
 */
export async function runAz(args: readonly string[], terminal: Terminal): Promise<number> {
  const words = args.slice(0, 2).join(" ");
  if (args[0] === "sphere") return runAzsphere("az", args.slice(1), terminal);
  const settings = openSettings(terminal.env);
  const account = () => accountOf(settings.get("user") ?? OWNER);
  if (["login", "logout"].includes(args[0] ?? "")) {
    const user = args[0] === "login" ? userIn(args.slice(1)) : undefined;
    try {
      terminal.error(`${await signIn({ settings, lab: connectLab }, user)}\n`);
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      terminal.error(`ERROR: ${error.message}\n${error.hint}\n`);
      return EXIT.failure;
    }
    if (args[0] === "login") terminal.out(`${JSON.stringify([account()], null, 2)}\n`);
    return EXIT.success;
  }
  if (words === "account show") {
    terminal.out(`${JSON.stringify(account(), null, 2)}\n`);
    return EXIT.success;
  }
  if (words === "config set") return configSet(args.slice(2), terminal);
  const asked = args.length === 0 || ["-h", "--help"].includes(args[0] ?? "");
  if (asked) terminal.out(HELP);
  else terminal.error(`ERROR: '${args.join(" ")}' is not in the lab's 'az'.\n${HELP}`);
  return asked ? EXIT.success : EXIT.usage;
}

/** Whom `--username` names; all else that a sign-in takes is not needed here. */
function userIn(args: readonly string[]): string | undefined {
  const at = args.findIndex((arg) => ["-u", "--username"].includes(arg));
  return at < 0 ? undefined : args[at + 1];
}

const HELP = `Usage: az <command>

Commands:
  sphere        Azure Sphere, on the lab
  login         become the lab's own user, or with --username another one to try out roles
  account show  print the lab's only subscription
  config set    defaults.group=GROUP defaults.sphere.catalog=CATALOG

For anything else use Azure's own az, out of this PATH.

${NOTICE}
`;

const DEFAULTS = ["defaults.group", "defaults.sphere.catalog"];

function configSet(pairs: readonly string[], terminal: Terminal): number {
  const settings = openSettings(terminal.env);
  const bad = pairs.find(
    (pair) => !DEFAULTS.includes(pair.split("=")[0] ?? "") || !/=./.test(pair),
  );
  if (pairs.length === 0 || bad !== undefined) {
    terminal.error(
      `ERROR: '${bad ?? ""}' is no default of the lab's 'az'.\n` +
        `Known are ${DEFAULTS.map((name) => `${name}=NAME`).join(" and ")}.\n`,
    );
    return EXIT.usage;
  }
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    settings.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return EXIT.success;
}
