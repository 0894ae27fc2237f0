import type { Command } from "commander";
import { LabError } from "../../errors.ts";
import { callLab, connectLab } from "../context.ts";
import { chosenDevice } from "./twin.ts";

export function register(program: Command): void {
  program
    .command("message")
    .description("cloud-to-device messages")
    .command("send <text>")
    .description("queue a message for the device")
    .option("--property <name=value...>", "application properties")
    .option("--device-id <id>", "the lab's first device when absent")
    .addHelpText("after", '\nExample: spherule message send "Hello" --property urgency=low')
    .action(async (text: string, options: { property?: string[]; deviceId?: string }) => {
      const lab = await connectLab();
      const properties = Object.fromEntries(
        (options.property ?? []).map((entry) => {
          const at = entry.indexOf("=");
          if (at > 0) return [entry.slice(0, at), entry.slice(at + 1)];
          throw new LabError(
            "option-invalid",
            `--property ${entry} has no name and value.`,
            "Write it as --property name=value.",
          );
        }),
      );
      const body = Buffer.from(text, "utf8").toString("base64");
      await callLab(lab, "POST", `/messages/${chosenDevice(lab, options)}`, { body, properties });
    });
}
