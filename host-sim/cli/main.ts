import { Command, CommanderError } from "commander";
import { errorText, LabError, messageOf, systemErrorCode } from "../errors.ts";
import { packageVersion } from "../paths.ts";
import { runTool } from "./commands/azsphere.ts";
import { nouns } from "./commands/index.ts";

/** Runs one command line; sets the exit code and never throws for a mistake of the user. */
export async function main(args: readonly string[]): Promise<void> {
  // Who reads has heard enough, as `| head` has.
  process.stdout.on("error", (error) => process.exit(systemErrorCode(error) === "EPIPE" ? 0 : 1));
  // What goes wrong beside the command, such as a write of the store when the disk is full.
  let told: unknown;
  process.on("uncaughtException", (error) => process.exit(error === told ? 1 : report(error)));
  const program = createProgram();
  try {
    const code = await runTool(args);
    if (code !== undefined) {
      process.exitCode = code;
      return;
    }
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    told = error;
    process.exitCode = report(error);
  }
}

/** The whole command tree; commands load what they run only when they run. */
export function createProgram(): Command {
  const program = new Command("spherule")
    .description("Azure Sphere MT3620 apps in TypeScript, and the whole Azure Sphere lab on a desk")
    .version(packageVersion())
    .showSuggestionAfterError(true)
    .configureHelp({ sortSubcommands: false })
    .addHelpText("after", "\nSpherule is an emulator and no Microsoft product.")
    .exitOverride();
  for (const register of nouns) register(program);
  inheritExits(program);
  return program;
}

/** commander ends the process by itself unless every command is told not to. */
function inheritExits(command: Command): void {
  for (const child of command.commands) {
    child.exitOverride();
    inheritExits(child);
  }
}

const MAKE_ROOM = "Make room on the disk and run it again.";
const NOT_ALLOWED = "Choose another place, or give your user the right to write there.";
/** What the operating system may refuse to anyone, and what to do about it. */
const SYSTEM_HINTS: Readonly<Record<string, string>> = {
  ENOSPC: MAKE_ROOM,
  EDQUOT: MAKE_ROOM,
  EFBIG: MAKE_ROOM,
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  EROFS: NOT_ALLOWED,
  EMFILE: "Allow more open files, such as with `ulimit -n 4096`, and run it again.",
};

/** Writes what happened, why and what to do; answers the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof LabError) return tell(error.code, error.message, error.hint);
  const code = systemErrorCode(error);
  const hint = SYSTEM_HINTS[code];
  if (hint !== undefined) return tell(code, messageOf(error), hint);
  const stack = error instanceof Error ? error.stack : undefined;
  process.stderr.write(`error internal: ${stack ?? messageOf(error)}\n`);
  process.stderr.write("This is a mistake in Spherule; please report it with the text above.\n");
  return 70;
}

function tell(...what: Parameters<typeof errorText>): number {
  process.stderr.write(errorText(...what));
  return 1;
}
