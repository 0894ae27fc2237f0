import { LabError } from "../../../errors.ts";
import { findDevice } from "../cloud.ts";
import { type Device, deviceIdOf } from "../device.ts";
import { type Context, type Entry, type Given, optional } from "../table.ts";
import { versionText } from "../version.ts";
import { writeFile } from "../write-file.ts";
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

/** What the Security Service knows of the device, when there is one with a tenant that one may read. */
async function collectCloud(context: Context, given: Given, deviceId: string): Promise<ZipFile[]> {
  const json = (name: string, value: unknown) => ({
    name,
    content: Buffer.from(`${JSON.stringify(value, null, 2)}\n`),
  });
  try {
    const arm = await context.arm();
    const catalog = await arm.catalog(given);
    const insights = await arm.list<{ readonly deviceId: string }>(
      `${catalog.id}/listDeviceInsights`,
      "POST",
      {},
    );
    return [
      json("service-device.json", (await findDevice(arm, catalog, deviceId)) ?? null),
      json(
        "service-insights.json",
        insights.filter((each) => each.deviceId === deviceId),
      ),
    ];
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    const content = Buffer.from(`${error.message}\n${error.hint}\n`);
    return [{ name: "service.refused.txt", content }];
  }
}

async function supportData(context: Context, given: Given) {
  const file =
    optional(given, "destination") ?? optional(given, "outputFile") ?? "support-data.zip";
  const attached = await context.attached();
  const files: ZipFile[] = [{ name: "version.txt", content: Buffer.from(versionText()) }];
  if (attached.length > 0) {
    const device = await context.device(given);
    files.push(...(await collect(device)));
    files.push(...(await collectCloud(context, given, await deviceIdOf(device))));
  }
  writeFile(file, zip(files));
  return { text: `Support data with ${files.length} files written to '${file}'.` };
}

export const supportEntries: readonly Entry[] = [
  {
    words: "get-support-data",
    summary: "write what the attached device and the service know of its state into a zip",
    v2: {
      "--destination --output-file -of <file>": "the file to write; support-data.zip if absent",
    },
    az: {
      "--output-file --destination -of <file>": "the file to write; support-data.zip if absent",
    },
    needs: ["device", "cloud"],
    examples: [""],
    run: supportData,
  },
];
