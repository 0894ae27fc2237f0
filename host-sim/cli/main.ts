import { Command, CommanderError } from "commander";
import { LabError, messageOf } from "../errors.ts";
import { packageVersion } from "../paths.ts";
import { runTool } from "./commands/azsphere.ts";
import { nouns } from "./commands/index.ts";

/** Runs one command line; sets the exit code and never throws for a mistake of the user. */
export async function main(args: readonly string[]): Promise<void> {
  const program = createProgram();
  try {
    const code = await runTool(args);
    if (code !== undefined) {
      process.exitCode = code;
      return;
    }
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
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

/** Writes what happened, why and what to do; answers the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof LabError) {
    process.stderr.write(`error ${error.code}: ${error.message}\n`);
    if (error.hint) process.stderr.write(`${error.hint}\n`);
    return 1;
  }
  const stack = error instanceof Error ? error.stack : undefined;
  process.stderr.write(`error internal: ${stack ?? messageOf(error)}\n`);
  process.stderr.write("This is a mistake in Spherule; please report it with the text above.\n");
  return 70;
}
