import { Command, CommanderError } from "commander";
import { register as hardwareDefinition } from "../commands/hardware-definition.ts";
import { register as imagePackage } from "../commands/image-package.ts";
import { EXIT } from "./errors.ts";
import { NOTICE } from "./help.ts";
import type { Terminal } from "./table.ts";

/** Nouns whose commands are those of `spherule` itself, by all their names. */
const NOUNS: Readonly<Record<string, string>> = {
  "image-package": "image-package",
  img: "image-package",
  "hardware-definition": "hardware-definition",
  hwd: "hardware-definition",
};

/** Runs `image-package` and `hardware-definition`; undefined for any other noun. */
export async function delegate(
  name: string,
  args: readonly string[],
  terminal: Terminal,
): Promise<number | undefined> {
  const noun = NOUNS[args[0] ?? ""];
  if (noun === undefined) return undefined;
  const program = new Command(name).addHelpText("afterAll", `\n${NOTICE}`);
  for (const register of [imagePackage, hardwareDefinition]) register(program);
  inherit(program, terminal);
  const before = process.exitCode;
  try {
    const rest = args.length === 1 ? ["--help"] : args.slice(1);
    await program.parseAsync([noun, ...rest], { from: "user" });
    return Number(process.exitCode ?? EXIT.success);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.success : EXIT.usage;
  } finally {
    process.exitCode = before;
  }
}

function inherit(command: Command, terminal: Terminal): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => terminal.out(text),
    writeErr: (text) => terminal.error(text),
    outputError: (text, write) => write(text.replace(/^error: /, "ERROR: ")),
  });
  for (const child of command.commands) inherit(child, terminal);
}
