import { LabError } from "../../../errors.ts";
import { readBytes } from "../../../lab/package-app.ts";
import type { Device } from "../device.ts";
import { isRefusal } from "../device-errors.ts";
import { stageAndInstall } from "./sideload.ts";

/** A file that says what one device may do. */
export interface CapabilityFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly deviceId: string;
}

/** The type of images that are no software. */
const OTHER = 28;
const NOT_TRUSTED = 7_340_047;

/** @throws LabError file-unreadable, capability-file-invalid for a file that is something else */
export async function readCapabilityFile(name: string): Promise<CapabilityFile> {
  const bytes = readBytes(name);
  const { readImage } = await import("../../../imagepackage/index.ts");
  const { CAPABILITY_COMPONENT } = await import("../../../device/package-check.ts");
  const { imageType, componentId, content, payload } = readImage(bytes);
  if (imageType !== OTHER || componentId !== CAPABILITY_COMPONENT) {
    throw invalid(
      `'${name}' is no capability file: it is an image of type ${imageType}`,
      "`device sideload deploy` brings applications to a device.",
    );
  }
  const text = content.kind === "compressed" ? content.inner.payload : payload;
  return { name, bytes, deviceId: deviceIdIn(name, text) };
}

function deviceIdIn(name: string, payload: Uint8Array): string {
  try {
    const { deviceId } = JSON.parse(Buffer.from(payload).toString("utf8"));
    if (typeof deviceId === "string") return deviceId.toLowerCase();
  } catch {
    // Damaged: the same as one without a device.
  }
  throw invalid(`The capability file '${name}' names no device`);
}

/** Before anything is sent: a file for another device changes nothing. @throws LabError */
export function requireForDevice(file: CapabilityFile, deviceId: string): void {
  if (file.deviceId === deviceId.toLowerCase()) return;
  const short = (id: string) => `${id.slice(0, 12)}…`;
  throw invalid(
    `The capability file '${file.name}' is for the device ${short(file.deviceId)} and not for ` +
      short(deviceId),
  );
}

/** Installs it; waits for the restart that comes with a lasting one. */
export async function applyCapability(
  device: Device,
  { bytes, name }: Pick<CapabilityFile, "bytes" | "name">,
  capabilityMode: "Update" | "Session" = "Update",
): Promise<void> {
  try {
    await stageAndInstall(device, bytes, { capabilityMode });
  } catch (error) {
    if (!isRefusal(error, NOT_TRUSTED)) throw error;
    throw invalid(`The device does not trust '${name}': ${(error as LabError).message}`);
  }
}

function invalid(message: string, hint = "Type `device capability download` for one."): LabError {
  const ended = /[.)]$/.test(message) ? message : `${message}.`;
  return new LabError("capability-file-invalid", ended, hint);
}
