import type { Command } from "commander";
import { callLab, connectLab } from "../context.ts";
import { parseJson, wholeNumber, withOutput } from "../options.ts";
import { type OutputOptions, print } from "../output.ts";
import { chosenDevice } from "./twin.ts";

interface InvokeOptions extends OutputOptions {
  readonly deviceId?: string;
  readonly payload?: string;
  readonly timeout: number;
}

export function register(program: Command): void {
  const method = program.command("method").description("direct methods of the device");
  withOutput(
    method
      .command("invoke <name>")
      .description("call a direct method and print its status and payload")
      .option("--payload <json>", "what to give it, JSON")
      .option("--timeout <seconds>", "wait so long for the answer", wholeNumber(5, 300), 30)
      .option("--device-id <id>", "the lab's first device when absent")
      .addHelpText(
        "after",
        `\nExample: spherule method invoke displayAlert --payload '"Too warm"'`,
      ),
  ).action(async (methodName: string, options: InvokeOptions) => {
    const payload = options.payload && parseJson(options.payload, "The payload");
    const lab = await connectLab();
    const answer = await callLab(lab, "POST", `/methods/${chosenDevice(lab, options)}`, {
      methodName,
      payload,
      responseTimeoutInSeconds: options.timeout,
    });
    await print(answer, { output: "json", ...options });
  });
}
