import { readdirSync } from "node:fs";
import { join } from "node:path";
import { LabError, messageOf } from "../../../errors.ts";
import { readBytes } from "../../../lab/package-app.ts";
import { connect } from "../device.ts";
import { usage } from "../errors.ts";
import { type BootLoader, openBootLoader, type RecoveryImage } from "../recovery.ts";
import { type Context, type Entry, type Given, optional } from "../table.ts";
import { waitForRestart } from "./attached.ts";
import { applyCapability, readCapabilityFile, requireForDevice } from "./capability-file.ts";

/**
 * Images of a folder by their components; what is none is left out.
 * @throws LabError file-unreadable, azsphere-usage when there is no image
 */
async function imagesIn(folder: string): Promise<ReadonlyMap<string, RecoveryImage>> {
  const { readImage } = await import("../../../imagepackage/index.ts");
  const found = new Map<string, RecoveryImage>();
  for (const name of filesIn(folder)) {
    try {
      const image = readImage(readBytes(join(folder, name)));
      const { componentId, imageId, size: bytes } = image;
      found.set(componentId, { name: image.name, componentId, imageId, bytes });
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
    }
  }
  if (found.size > 0) return found;
  throw usage(`There is no image in ${folder}.`, "Name the folder with the recovery images.");
}

function filesIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  } catch (error) {
    throw new LabError(
      "file-unreadable",
      `${folder} cannot be read: ${messageOf(error)}.`,
      "Check the name and the permissions.",
    );
  }
}

/** The release's images, some with others in their place. @throws LabError azsphere-usage */
function chosen(
  { images }: BootLoader,
  others: ReadonlyMap<string, RecoveryImage> | undefined,
): readonly RecoveryImage[] {
  if (others === undefined) return images;
  const all = images.map((image) => others.get(image.componentId) ?? image);
  if (all.some(({ imageId }) => imageId !== undefined)) return all;
  throw usage(
    "None of the images in the folder is a part of the device's operating system.",
    "Applications come with `device sideload deploy`.",
  );
}

/** Tells what goes on; without a progress display each image has a line of its own. */
async function sendImages(
  context: Context,
  loader: BootLoader,
  images: readonly RecoveryImage[],
): Promise<void> {
  const total = images.reduce((sum, { bytes }) => sum + bytes, 0);
  context.say(`Sending ${images.length} images. (${total} bytes to send)`);
  let left = total;
  for (const [index, image] of images.entries()) {
    await loader.write(image);
    left -= image.bytes;
    context.say(
      `Sent ${index + 1} of ${images.length} images. (${left} of ${total} bytes remaining)`,
    );
  }
}

async function recover(context: Context, given: Given) {
  const capability = optional(given, "capability");
  const file = capability === undefined ? undefined : await readCapabilityFile(capability);
  const folder = optional(given, "images");
  const others = folder === undefined ? undefined : await imagesIn(folder);
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
    if (!others) context.say("Downloading recovery images...");
    const attachedId = await loader.begin();
    if (file) requireForDevice(file, attachedId);
    const images = chosen(loader, others);
    if (!others) context.say("Download complete.");
    context.say("Starting device recovery. Please note that this may take up to 10 minutes.");
    context.say("Board found. Sending recovery bootloader.");
    context.say("Erasing flash.");
    await loader.erase();
    await sendImages(context, loader, images);
    context.say("Finished writing images; rebooting board.");
    const deviceId = await loader.reboot();
    await waitForRestart(device);
    if (file) await applyCapability(connect(device), file);
    return {
      value: { deviceId, osVersion: loader.release, images: images.length },
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
    options: {
      "--images <folder>": "images that take the place of the newest release's",
      "--capability <file>": "apply this capability file afterwards",
    },
    needs: ["device"],
    examples: ["", "--device 1", "--images recovery"],
    run: recover,
  },
];
