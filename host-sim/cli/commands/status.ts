import type { Command } from "commander";
import { callLab, connectLab } from "../context.ts";
import { withOutput } from "../options.ts";
import { type OutputOptions, print } from "../output.ts";

export function register(program: Command): void {
  withOutput(
    program.command("status").description("where the running lab is and how its device does"),
  ).action(async (options: OutputOptions) => {
    const lab = await connectLab();
    await print(await callLab(lab, "GET", "/status"), { output: "yaml", ...options });
  });
}
