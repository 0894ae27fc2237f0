import type { Command } from "commander";
import { callLab, connectLab, type LabContext } from "../context.ts";
import { parseJson, withOutput } from "../options.ts";
import { type OutputOptions, print } from "../output.ts";

interface DeviceOption {
  readonly deviceId?: string;
}

export function register(program: Command): void {
  const twin = program
    .command("twin")
    .description("the device twin: desired and reported properties");
  withOutput(
    twin
      .command("get")
      .description("print the twin")
      .option("--device-id <id>", "the lab's first device when absent"),
  ).action(async (options: DeviceOption & OutputOptions) => {
    const lab = await connectLab();
    const answer = await callLab(lab, "GET", `/twins/${chosenDevice(lab, options)}`);
    await print(answer, { output: "json", ...options });
  });
  withOutput(
    twin
      .command("set <name> <value>")
      .description("set a desired property; the value is JSON, null deletes it")
      .option("--device-id <id>", "the lab's first device when absent")
      .addHelpText("after", "\nExample: spherule twin set telemetryIntervalSeconds 2"),
  ).action(async (name: string, value: string, options: DeviceOption & OutputOptions) => {
    const lab = await connectLab();
    const desired = { [name]: parseJson(value, "The value") };
    const answer = await callLab(lab, "PATCH", `/twins/${chosenDevice(lab, options)}`, { desired });
    await print(answer, { output: "json", ...options });
  });
}

/** The device that the user named, or the lab's own. */
export function chosenDevice(lab: LabContext, options: DeviceOption): string {
  return encodeURIComponent(options.deviceId ?? lab.endpoints.devices[0]?.deviceId ?? "");
}
