import { LabError } from "../../../errors.ts";
import { callLab } from "../../context.ts";
import type { Arm, Catalog, Resource } from "../arm.ts";
import {
  capabilityImage,
  claimedDevice,
  confirm,
  DEFAULT,
  findDevice,
  GROUP_V2,
  type GroupPath,
  groupId,
  groupOf,
  moveDevice,
  pathOf,
  shown,
  UNASSIGNED,
  wantedDeviceId,
} from "../cloud.ts";
import { usage } from "../errors.ts";
import { aligned } from "../output.ts";
import { type Context, type Entry, type Given, type Options, optional, text } from "../table.ts";
import { writeFile } from "../write-file.ts";
import { imageLines, imagesOf } from "./images.ts";

/** The tenant or catalog, and the device in it. */
export async function placed(context: Context, given: Given) {
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  const deviceId = await wantedDeviceId(context, given);
  return { arm, catalog, deviceId };
}

const OPTIONAL_GROUP: Options = {
  "-p, --product <name>": "of this product",
  "--device-group -dg <name>": "of this device group",
};

/** Whether a claim names no group. */
const anyGroup = (given: Given) =>
  optional(given, "product") === undefined && optional(given, "deviceGroup") === undefined;

/** The group that a claim is for; without options the device is in no group. */
function claimedGroup(given: Given): GroupPath {
  const named = [optional(given, "product"), optional(given, "deviceGroup")];
  if (named.every((name) => name === undefined || name === DEFAULT)) return UNASSIGNED;
  if (named[1] !== undefined) return groupOf(given);
  throw usage("--product names no device group.", "Add --device-group NAME.");
}

async function claim(context: Context, given: Given) {
  const { arm, catalog, deviceId } = await placed(context, given);
  const { tenantId } = catalog.properties;
  const group = claimedGroup(given);
  const done = {
    text: `Successfully claimed device ID '${deviceId}' into tenant with ID '${tenantId}'.`,
  };
  const already = anyGroup(given) ? await findDevice(arm, catalog, deviceId) : undefined;
  // A claim changes nothing then: the device stays in its product and group.
  if (already) return { ...done, value: shown(context, already) };
  if (context.grammar === "azsphere" && !given.force) {
    context.say(
      `Warning: You are about to claim device ID '${deviceId}' into tenant '${catalog.name}' ` +
        `with ID '${tenantId}'. Claiming is permanent: a device cannot be moved to another tenant.`,
    );
    await confirm(context, "Do you want to claim it?");
  }
  context.say("Claiming device.");
  const id = `${groupId(catalog, group)}/claimDevices`;
  await arm.call("POST", id, { deviceIdentifiers: [deviceId] });
  return { ...done, value: shown(context, await claimedDevice(arm, catalog, deviceId)) };
}

async function devicesOf(context: Context, given: Given): Promise<readonly Resource[]> {
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  const all = await arm.list(`${catalog.id}/listDevices`, "POST", {});
  const product = optional(given, "product")?.toLowerCase();
  const group = optional(given, "deviceGroup")?.toLowerCase();
  return all.filter((device) => {
    const path = pathOf(device);
    const name = path.group.toLowerCase();
    const full = `${path.product.toLowerCase()}/${name}`;
    return (
      (product === undefined || path.product.toLowerCase() === product) &&
      (group === undefined || [name, full].includes(group))
    );
  });
}

/** What scripts read of a device that was moved or listed. */
export function deviceRow(context: Context, catalog: Catalog, device: Resource): object {
  if (context.grammar === "az") return device;
  const path = pathOf(device);
  const assigned = path.group !== UNASSIGNED.group;
  return {
    id: device.name,
    tenantId: catalog.properties.tenantId,
    productId: assigned ? path.product : null,
    deviceGroupId: assigned ? `${path.product}/${path.group}` : null,
    chipSku: device.properties.chipSku,
    lastInstalledOsVersion: device.properties.lastInstalledOsVersion,
    lastUpdateRequestUtc: device.properties.lastUpdateRequestUtc,
  };
}

async function move(context: Context, given: Given, to: Parameters<typeof moveDevice>[3]) {
  const { arm, catalog, deviceId } = await placed(context, given);
  const device = await claimedDevice(arm, catalog, deviceId);
  const moved = await moveDevice(arm, catalog, device, to);
  return {
    value: deviceRow(context, catalog, moved),
    text: `Successfully moved device '${deviceId}' to device group '${to.group}'.`,
  };
}

interface DeployedImage {
  readonly properties: Readonly<
    Record<"imageName" | "imageType" | "componentId" | "imageId", string>
  >;
}
export type Deployment = Resource<{
  readonly deploymentId: string;
  readonly deploymentDateUtc: string;
  readonly deployedImages: readonly DeployedImage[];
}>;

/** Images that the device's group is to have; none when nothing was deployed to it. */
async function targeted(arm: Arm, catalog: Catalog, device: Resource) {
  const all = await arm.list<Deployment>(`${groupId(catalog, pathOf(device))}/deployments`);
  const newest = [...all].sort((a, b) =>
    b.properties.deploymentDateUtc.localeCompare(a.properties.deploymentDateUtc),
  )[0];
  return newest?.properties.deployedImages ?? [];
}

async function listTargeted(context: Context, given: Given) {
  const { arm, catalog, deviceId } = await placed(context, given);
  const images = await targeted(arm, catalog, await claimedDevice(arm, catalog, deviceId));
  const value = images.map(({ properties }) => properties);
  const lines = value.flatMap(({ imageName, imageType, componentId, imageId }) =>
    imageLines(imageName, imageType.replace(/s$/, ""), componentId, imageId),
  );
  const head =
    `Successfully retrieved the images to be installed on device with ID '${deviceId}' ` +
    "from the Azure Sphere Security Service:";
  return { value, text: [head, ...(lines.length === 0 ? ["No targeted images."] : lines)] };
}

async function deploymentStatus(context: Context, given: Given) {
  const { arm, catalog, deviceId } = await placed(context, given);
  const device = await context.device(given);
  const wanted = await targeted(arm, catalog, await claimedDevice(arm, catalog, deviceId));
  const installed = new Set(
    (await imagesOf(device)).flatMap(({ images }) => images.map(({ uid }) => uid)),
  );
  const missing = wanted.filter(({ properties }) => !installed.has(properties.imageId));
  const { osversion } = await device.get<{ osversion: string }>("/osversion");
  const value = {
    deviceId,
    osVersion: osversion,
    targetedImages: wanted.length,
    missingImages: missing.length,
    upToDate: missing.length === 0,
  };
  return {
    value,
    text: aligned([
      ["Device ID", deviceId],
      ["OS version", osversion],
      ["Targeted images", wanted.length],
      ["Not yet installed", missing.length],
    ]),
  };
}

async function downloadCapability(context: Context, given: Given) {
  const { arm, catalog, deviceId } = await placed(context, given);
  const device = await claimedDevice(arm, catalog, deviceId);
  const type = optional(given, "type") ?? "ApplicationDevelopment";
  const known = ["ApplicationDevelopment", "FieldServicing"];
  const capability = known.find((each) => each.toLowerCase() === type.toLowerCase());
  if (!capability) throw usage(`--type is '${type}'.`, `Choose ${known.join(" or ")}.`);
  const file = optional(given, "outputFile") ?? `${capability}_${deviceId.slice(0, 16)}.cap`;
  writeFile(file, await capabilityImage(arm, device, [capability]));
  return { text: `Device capability configuration written to '${file}'.` };
}

async function updateCheck(context: Context, given: Given) {
  const lab = await context.lab();
  const query = `?deviceId=${await wantedDeviceId(context, given)}`;
  await callLab(lab, "POST", `/device/updates/check${query}`);
  const path = `/device/updates${query}`;
  const value = await callLab<Record<string, unknown> | null>(lab, "GET", path);
  if (!value) {
    throw new LabError(
      "updates-unavailable",
      "The lab's device has a certificate from outside, and nobody updates it.",
      "Start the lab without --cert.",
    );
  }
  return { value, text: `The device looks for updates: ${value.phase}.` };
}

export const cloudDeviceEntries: readonly Entry[] = [
  {
    words: "device claim",
    summary: "claim a device into a tenant, for ever",
    options: {
      "-p, --product <name>": "the product to put it into",
      "--device-group -dg <name>": "the device group to put it into",
    },
    v2: { "--force --yes -y": "do not ask" },
    needs: ["device", "cloud"],
    examples: ["", "--product Fridge --device-group Production"],
    run: claim,
  },
  {
    words: "device assign",
    only: "az",
    summary: "move a device to a product and device group",
    options: {
      "!--target-product -tp <name>": "its product",
      "!--target-device-group -tdg <name>": "its group",
    },
    needs: ["device", "cloud"],
    examples: ["--target-product Fridge --target-device-group Production"],
    run: (context, given) =>
      move(context, given, {
        product: text(given, "targetProduct"),
        group: text(given, "targetDeviceGroup"),
      }),
  },
  {
    words: "device unassign",
    only: "az",
    summary: "take a device out of its device group",
    needs: ["device", "cloud"],
    examples: [""],
    run: (context, given) => move(context, given, UNASSIGNED),
  },
  {
    words: "device update",
    only: "azsphere",
    summary: "move a device to a device group",
    options: GROUP_V2,
    needs: ["device", "cloud"],
    examples: ['--device-group "Fridge/Production"'],
    azExamples: ["--product Fridge --device-group Production"],
    run: (context, given) => move(context, given, groupOf(given)),
  },
  {
    words: "device list",
    aliases: ["product device list"],
    summary: "print the devices of a tenant",
    options: OPTIONAL_GROUP,
    needs: ["cloud"],
    examples: ["", "--product Fridge"],
    async run(context, given) {
      const catalog = await (await context.arm()).catalog(given);
      const devices = await devicesOf(context, given);
      return { value: devices.map((device) => deviceRow(context, catalog, device)) };
    },
  },
  {
    words: "device show-count",
    aliases: ["product device show-count"],
    summary: "count the devices of a tenant",
    options: OPTIONAL_GROUP,
    needs: ["cloud"],
    examples: ["", "--product Fridge"],
    async run(context, given) {
      const count = (await devicesOf(context, given)).length;
      return { value: { count }, text: `Number of devices: ${count}` };
    },
  },
  {
    words: "device show",
    summary: "print a device as the Security Service knows it",
    needs: ["device", "cloud"],
    examples: [""],
    async run(context, given) {
      const { arm, catalog, deviceId } = await placed(context, given);
      const device = await claimedDevice(arm, catalog, deviceId);
      return { value: deviceRow(context, catalog, device) };
    },
  },
  {
    words: "device image list-targeted",
    summary: "print the images that a device is to have",
    options: { "-a, --all --full": "understood; applications are all there is" },
    needs: ["device", "cloud"],
    examples: [""],
    run: listTargeted,
  },
  {
    words: "device show-deployment-status",
    summary: "tell whether the attached device has what it is to have",
    needs: ["device", "cloud"],
    examples: [""],
    run: deploymentStatus,
  },
  {
    words: "device capability download",
    summary: "get a capability file for a device",
    options: {
      "--output-file --destination -of <file>": "the file to write",
      "--type <type>": "ApplicationDevelopment or FieldServicing",
    },
    needs: ["device", "cloud"],
    examples: ["--type ApplicationDevelopment --output-file development.cap"],
    run: downloadCapability,
  },
  {
    words: "device update-check",
    summary: "let the lab's device look for updates now; only this emulator has this command",
    needs: ["device"],
    examples: ["", "--device 2"],
    run: updateCheck,
  },
];
