import { type Device, deviceIdOf } from "../device.ts";
import { usage } from "../errors.ts";
import { type Entry, optional, text } from "../table.ts";
import { applyCapability, readCapabilityFile, requireForDevice } from "./capability-file.ts";

const NAMES: Readonly<Record<number, string>> = {
  11: "Enable app development",
  12: "Enable RF test mode",
  13: "Enable field servicing",
};

export async function capabilitiesOf(device: Device): Promise<readonly number[]> {
  const path = "/device/capabilities";
  return (await device.get<{ device_capabilities: number[] }>(path)).device_capabilities;
}

export const capabilityEntries: readonly Entry[] = [
  {
    words: "device capability show-attached",
    summary: "print what the attached device may do",
    needs: ["device"],
    examples: [""],
    async run(context, given) {
      const numbers = await capabilitiesOf(await context.device(given));
      const names = numbers.map((number) => NAMES[number] ?? `Capability ${number}`);
      return { value: names, text: names.length === 0 ? "No device capabilities." : names };
    },
  },
  {
    words: "device capability update",
    summary: "apply a capability file to the attached device, which restarts",
    options: { "!--capability-file --capabilityfile -p <file>": "for this device, downloaded" },
    needs: ["device"],
    examples: ["--capability-file development.cap"],
    async run(context, given) {
      const file = await readCapabilityFile(text(given, "capabilityFile"));
      const device = await context.device(given);
      requireForDevice(file, await deviceIdOf(device));
      context.say("Applying the device capability configuration.");
      await applyCapability(device, file);
      return { text: "Successfully updated the device capability configuration." };
    },
  },
  {
    words: "device capability apply",
    summary: "begin or end a servicing session with the attached device, until it restarts",
    options: {
      "--capability-file --capabilityfile <file>": "for this device, downloaded",
      "-n, --none": "end the session",
    },
    needs: ["device"],
    examples: ["--capability-file servicing.cap", "--none"],
    async run(context, given) {
      const name = optional(given, "capabilityFile");
      if ((name === undefined) === (given.none === undefined)) {
        throw usage("One of --capability-file and --none is needed.", "Give exactly one.");
      }
      const file = name === undefined ? undefined : await readCapabilityFile(name);
      const device = await context.device(given);
      if (file === undefined) {
        await device.send("POST", "/update/install", { capabilityMode: "None" });
        return { text: "The servicing session has ended." };
      }
      requireForDevice(file, await deviceIdOf(device));
      await applyCapability(device, file, "Session");
      return {
        text: [
          "Successfully applied the device capability configuration.",
          "It counts until the device restarts.",
        ],
      };
    },
  },
];
