import { join } from "node:path";
import { LabError } from "../../errors.ts";
import { packageFolder } from "../../paths.ts";
import { connectLab, type LabContext } from "../context.ts";
import { createArm } from "./arm.ts";
import { candidates, completionScript } from "./completion.ts";
import { attachedDevices, pickDevice } from "./device.ts";
import { allEntries } from "./entries/index.ts";
import { EXIT, exitCodeOf } from "./errors.ts";
import { entriesOf, findEntry } from "./grammar.ts";
import { entryHelp, groupHelp } from "./help.ts";
import { optionsOf, parseOptions } from "./options.ts";
import { render } from "./output.ts";
import { delegate } from "./rooms.ts";
import { openSettings } from "./settings.ts";
import {
  type Context,
  type Entry,
  type Given,
  type Grammar,
  optional,
  type Terminal,
} from "./table.ts";
import { versionText } from "./version.ts";

export type { Grammar, Terminal } from "./table.ts";

const PROGRAMS = { azsphere: "azsphere", az: "az sphere" } as const;
const HELP = ["-h", "--help", "help"];

/**
 * Runs one command line of `azsphere`, or of `az sphere` without those two words.
 * @returns the exit code: 0 success, 1 failure, 2 mistyped, 3 not found
 */
export async function runAzsphere(
  grammar: Grammar,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  try {
    return await run(grammar, args, terminal);
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    terminal.error(`ERROR: ${error.message}\n`);
    if (error.hint) terminal.error(`${error.hint}\n`);
    return exitCodeOf(error);
  }
}

async function run(grammar: Grammar, args: readonly string[], terminal: Terminal) {
  const program = PROGRAMS[grammar];
  const entries = entriesOf(allEntries, grammar);
  const [first = "--help"] = args;
  if (first === "--complete") {
    const words = candidates(entries, grammar, args.slice(1));
    terminal.out(words.map((word) => `${word}\n`).join(""));
    return EXIT.success;
  }
  if (first === "--completion") {
    terminal.out(completionScript(args[1] ?? "bash", program));
    return EXIT.success;
  }
  if (first === "--version") {
    terminal.out(versionText());
    return EXIT.success;
  }
  if (first === "--shim-folder") {
    terminal.out(`${join(packageFolder(), "bin/azsphere-path")}\n`);
    return EXIT.success;
  }
  if (HELP.includes(first)) {
    terminal.out(groupHelp(entries, program, []));
    return EXIT.success;
  }
  const delegated = await delegate(program, args, terminal);
  if (delegated !== undefined) return delegated;
  const { entry, words, rest } = findEntry(entries, program, args);
  if (entry) return runEntry(entry, grammar, rest, terminal);
  terminal.out(groupHelp(entries, program, words));
  return rest.length === 0 || HELP.includes(rest[0] ?? "") ? EXIT.success : EXIT.usage;
}

async function runEntry(
  entry: Entry,
  grammar: Grammar,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const program = PROGRAMS[grammar];
  const help = args.some((arg) => HELP.slice(0, 2).includes(arg));
  if (help) {
    terminal.out(entryHelp(entry, grammar, program));
    return EXIT.success;
  }
  const given = parseOptions(optionsOf(entry, grammar), args);
  const result = await entry.run(createContext(grammar, given, terminal), given);
  terminal.out(await render(result, given, grammar));
  return result.exitCode ?? EXIT.success;
}

function createContext(grammar: Grammar, given: Given, terminal: Terminal): Context {
  const settings = openSettings(terminal.env);
  let lab: Promise<LabContext> | undefined;
  const connect = () => {
    lab ??= connectLab();
    return lab;
  };
  const attached = () => attachedDevices(terminal.env);
  const trace = (line: string) => {
    if (given.verbose) terminal.error(`${line}\n`);
  };
  const plain = grammar === "azsphere" && given.output === undefined && given.query === undefined;
  return {
    ...{ grammar, program: PROGRAMS[grammar], terminal, settings, attached, lab: connect },
    say(line) {
      if (given.onlyShowErrors) return;
      if (plain) terminal.out(`${line}\n`);
      else terminal.error(`${line}\n`);
    },
    device: async (options) => pickDevice(await attached(), optional(options, "device"), trace),
    arm: async () => createArm(await connect(), { grammar, settings, trace }),
    run: (args) => runAzsphere(grammar, args, terminal),
    complete: (words) => candidates(entriesOf(allEntries, grammar), grammar, words),
  };
}
