import { LabError } from "../../../errors.ts";
import { readBytes } from "../../../lab/package-app.ts";
import { connect } from "../device.ts";
import { type BootLoader, openBootLoader } from "../recovery.ts";
import { type Context, type Entry, type Given, optional } from "../table.ts";
import { waitForRestart } from "./attached.ts";
import { install } from "./sideload.ts";

/** Tells what goes on; without a progress display each image has a line of its own. */
async function sendImages(context: Context, loader: BootLoader): Promise<void> {
  const { images } = loader;
  const total = images.reduce((sum, { bytes }) => sum + bytes, 0);
  context.say(`Sending ${images.length} images. (${total} bytes to send)`);
  let left = total;
  for (const [index, { componentId, bytes }] of images.entries()) {
    await loader.write(componentId);
    left -= bytes;
    context.say(
      `Sent ${index + 1} of ${images.length} images. (${left} of ${total} bytes remaining)`,
    );
  }
}

async function recover(context: Context, given: Given) {
  const capability = optional(given, "capability");
  const bytes = capability === undefined ? undefined : readBytes(capability);
  const device = await context.device(given);
  if (device.recovery === undefined) {
    throw new LabError(
      "recovery-unavailable",
      "The way to the boot loader of this device is not known.",
      "`spherule device-server` prints it; set SPHERULE_DEVICE_RECOVERY to it.",
    );
  }
  const loader = await openBootLoader(device.recovery);
  try {
    context.say("Downloading recovery images...");
    await loader.begin();
    context.say("Download complete.");
    context.say("Starting device recovery. Please note that this may take up to 10 minutes.");
    context.say("Board found. Sending recovery bootloader.");
    context.say("Erasing flash.");
    await loader.erase();
    await sendImages(context, loader);
    context.say("Finished writing images; rebooting board.");
    const deviceId = await loader.reboot();
    await waitForRestart(device);
    if (bytes) await install(connect(device), bytes);
    const { release, images } = loader;
    return {
      value: { deviceId, osVersion: release, images: images.length },
      text: [`Device ID: ${deviceId}`, "Device recovered successfully."],
    };
  } finally {
    loader.close();
  }
}

export const recoverEntries: readonly Entry[] = [
  {
    words: "device recover",
    aliases: ["device recovery"],
    summary:
      "put the newest operating system on the device; applications, Wi-Fi and certificates go",
    options: { "--capability <file>": "apply this capability file afterwards" },
    needs: ["device"],
    examples: ["", "--device 1"],
    run: recover,
  },
];
