import type { Command } from "commander";
import { callLab, connectLab } from "../context.ts";
import { withOutput } from "../options.ts";
import { type OutputOptions, print } from "../output.ts";

export function register(program: Command): void {
  withOutput(
    program
      .command("status")
      .description("where the running lab is and how its devices do")
      .option("--device-id <id>", "show this device first; the lab's first when absent"),
  ).action(async ({ deviceId, ...options }: OutputOptions & { readonly deviceId?: string }) => {
    const lab = await connectLab();
    const query = deviceId === undefined ? "" : `?deviceId=${encodeURIComponent(deviceId)}`;
    await print(await callLab(lab, "GET", `/status${query}`), { output: "yaml", ...options });
  });
}
