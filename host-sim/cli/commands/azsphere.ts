import type { Command } from "commander";

/** For the list of commands: `main` gives their arguments to a grammar of their own. */
export function register(program: Command): void {
  program.command("azsphere").description("Azure Sphere's command line, on the lab");
  program.command("az").description("the same as `az sphere …`; with login, account, config");
}

/** Runs `azsphere …` or `az …`; undefined for anything else. @returns the exit code */
export async function runTool(args: readonly string[]): Promise<number | undefined> {
  const [first, ...rest] = args;
  if (first !== "azsphere" && first !== "az") return undefined;
  const [{ runAzsphere }, { runAz }, { processTerminal }] = await Promise.all([
    import("../azsphere/index.ts"),
    import("../azsphere/az.ts"),
    import("../azsphere/terminal.ts"),
  ]);
  if (first === "az") return runAz(rest, processTerminal);
  return runAzsphere("azsphere", rest, processTerminal);
}
