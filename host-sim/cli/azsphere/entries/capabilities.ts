import { readBytes } from "../../../lab/package-app.ts";
import { capabilityImage, findDevice } from "../cloud.ts";
import { type Device, deviceIdOf } from "../device.ts";
import { notFound, usage } from "../errors.ts";
import { type Context, type Entry, optional, text } from "../table.ts";
import { install } from "./sideload.ts";

const NAMES: Readonly<Record<number, string>> = {
  11: "Enable app development",
  12: "Enable RF test mode",
  13: "Enable field servicing",
};

export async function capabilitiesOf(device: Device): Promise<readonly number[]> {
  const path = "/device/capabilities";
  return (await device.get<{ device_capabilities: number[] }>(path)).device_capabilities;
}

/** Signed by the service of the tenant that has the device. @throws LabError azsphere-not-found */
async function emptyCapability(context: Context, device: Device): Promise<Uint8Array> {
  const arm = await context.arm();
  const deviceId = await deviceIdOf(device);
  for (const catalog of await arm.catalogs()) {
    const claimed = await findDevice(arm, catalog, deviceId);
    if (claimed) return capabilityImage(arm, claimed, []);
  }
  throw notFound("The device is not claimed.", "Type `azsphere device claim`.");
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
      const bytes = readBytes(text(given, "capabilityFile"));
      const device = await context.device(given);
      context.say("Applying the device capability configuration.");
      await install(device, bytes);
      return { text: "Successfully updated the device capability configuration." };
    },
  },
  {
    words: "device capability apply",
    summary: "begin or end a servicing session with the attached device",
    options: {
      "--capability-file <file>": "for this device, downloaded",
      "-n, --none": "take all capabilities away",
    },
    needs: ["device"],
    examples: ["--capability-file servicing.cap", "--none"],
    async run(context, given) {
      const file = optional(given, "capabilityFile");
      if ((file === undefined) === (given.none === undefined)) {
        throw usage("One of --capability-file and --none is needed.", "Give exactly one.");
      }
      const bytes = file === undefined ? undefined : readBytes(file);
      const device = await context.device(given);
      await install(device, bytes ?? (await emptyCapability(context, device)));
      return {
        text:
          bytes === undefined
            ? "The servicing session has ended: the device has no capabilities."
            : "Successfully applied the device capability configuration.",
      };
    },
  },
];
