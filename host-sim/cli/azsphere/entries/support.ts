import { writeFileSync } from "node:fs";
import { LabError } from "../../../errors.ts";
import type { Device } from "../device.ts";
import { type Context, type Entry, type Given, optional } from "../table.ts";
import { versionText } from "../version.ts";
import { type ZipFile, zip } from "../zip.ts";

/** What the device tells about itself, one file each. */
const READS: Readonly<Record<string, string>> = {
  "device-log.bin": "/log",
  "device-telemetry.bin": "/telemetry",
  "images.json": "/images",
  "interfaces.json": "/net/interfaces",
  "network-status.json": "/net/status",
  "os-version.json": "/osversion",
  "security-state.json": "/device/security_state",
  "uptime.json": "/status",
};

async function collect(device: Device): Promise<ZipFile[]> {
  const files: ZipFile[] = [];
  for (const [name, path] of Object.entries(READS)) {
    try {
      files.push({ name, content: await device.download(path) });
    } catch (error) {
      // A locked device does not answer everything; what it refuses says something too.
      if (!(error instanceof LabError) || error.code !== "device-refused") throw error;
      files.push({ name: `${name}.refused.txt`, content: Buffer.from(`${error.message}\n`) });
    }
  }
  return files;
}

async function supportData(context: Context, given: Given) {
  const file =
    optional(given, "destination") ?? optional(given, "outputFile") ?? "support-data.zip";
  const attached = await context.attached();
  const files: ZipFile[] = [{ name: "version.txt", content: Buffer.from(versionText()) }];
  if (attached.length > 0) files.push(...(await collect(await context.device(given))));
  writeFileSync(file, zip(files));
  return { text: `Support data with ${files.length} files written to '${file}'.` };
}

export const supportEntries: readonly Entry[] = [
  {
    words: "get-support-data",
    summary: "write log, error reports and state of the attached device into a zip",
    v2: {
      "--destination --output-file -of <file>": "the file to write; support-data.zip if absent",
    },
    az: {
      "--output-file --destination -of <file>": "the file to write; support-data.zip if absent",
    },
    needs: ["device"],
    examples: [""],
    run: supportData,
  },
];
