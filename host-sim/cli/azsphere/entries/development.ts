import { callLab } from "../../context.ts";
import type { Arm, Catalog, Resource } from "../arm.ts";
import {
  capabilityImage,
  claimedDevice,
  type GroupPath,
  groupId,
  groupOf,
  moveDevice,
  pathOf,
  UNASSIGNED,
} from "../cloud.ts";
import type { Device } from "../device.ts";
import { usage } from "../errors.ts";
import { type Context, type Entry, type Given, type Options, optional } from "../table.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { applyCapability } from "./capability-file.ts";
import { placed } from "./cloud-devices.ts";
import { imagesOf } from "./images.ts";
import { deleteApplications, install } from "./sideload.ts";

/** What an error calls the image that came from the service. */
const CAPABILITY = "the capability image of the service";
const DEBUG_SERVER = "dc7f135c-6074-4d49-aa3a-160e4eed884f";
/** The capability's number. */
const DEVELOPMENT = 11;
const WHERE: Options = {
  "-p, --product --productname <name>": "the product whose group it goes to",
  "--device-group -dg --devicegroup <name>": "the group",
};

/** The group that is named, or `fallback` in the product that is named or that the device is in. */
async function targetGroup(
  { arm, catalog, device }: { arm: Arm; catalog: Catalog; device: Resource },
  given: Given,
  fallback: string,
): Promise<GroupPath> {
  const named = optional(given, "deviceGroup");
  const here = pathOf(device).product;
  const product = optional(given, "product") ?? (here === UNASSIGNED.product ? undefined : here);
  const path = named?.includes("/")
    ? groupOf({ deviceGroup: named })
    : { product: product ?? "", group: named ?? fallback };
  if (path.product === "") {
    throw usage(
      "The device is in no product.",
      `Name one with --product; its group '${fallback}' is taken. \`product create\` makes one.`,
    );
  }
  await arm.call("GET", groupId(catalog, path));
  return path;
}

async function start(context: Context, given: Given, fallback: string) {
  const { arm, catalog, deviceId } = await placed(context, given);
  const attached = await context.device(given);
  const device = await claimedDevice(arm, catalog, deviceId);
  const path = await targetGroup({ arm, catalog, device }, given, fallback);
  return { arm, catalog, deviceId, attached, device, path };
}

/** The debug server's package, which the lab has signed: nothing of it is on this computer's disk. */
async function debugServer(context: Context): Promise<Buffer> {
  const { package: text } = await callLab<{ package: string }>(
    await context.lab(),
    "GET",
    "/debug-server",
  );
  return Buffer.from(text, "base64");
}

/** Everything that may be refused elsewhere comes before the device is changed. */
async function enableDevelopment(context: Context, given: Given) {
  const { arm, catalog, deviceId, attached, device, path } = await start(
    context,
    given,
    "Development",
  );
  const debugPackage = await debugServer(context);
  context.say("Getting device capability configuration for application development.");
  const image = await capabilityImage(arm, device, ["ApplicationDevelopment"]);
  context.say(`Setting device group to '${path.group}' of product '${path.product}'.`);
  const moved = await moveDevice(arm, catalog, device, path);
  context.say("Successfully disabled over-the-air updates.");
  context.say("Applying device capability configuration to device.");
  context.say("The device is rebooting.");
  await applyCapability(attached, { name: CAPABILITY, bytes: image });
  context.say("Installing debugging server to device.");
  const present = (await imagesOf(attached)).some(({ uid }) => uid === DEBUG_SERVER);
  if (!present) await install(attached, debugPackage);
  return {
    value: placement(context, catalog, moved),
    text:
      `Successfully set up device '${deviceId}' for application development, ` +
      "and disabled over-the-air updates.",
  };
}

/** Where the device is now, as `device show` says it. */
function placement(context: Context, catalog: Catalog, moved: Resource) {
  const { product, group } = pathOf(moved);
  const deviceGroupId =
    context.grammar === "az" ? groupId(catalog, { product, group }) : `${product}/${group}`;
  return { deviceId: moved.name, productId: product, deviceGroupId };
}

async function removeSideloaded(context: Context, attached: Device): Promise<void> {
  context.say("Removing applications from device.");
  for (const id of await deleteApplications(attached, () => true)) {
    context.say(`Component '${id}' deleted.`);
  }
  await attached.send("DELETE", `/app/image/${DEBUG_SERVER}`);
}

async function enableCloudTest(context: Context, given: Given) {
  const { arm, catalog, deviceId, attached, device, path } = await start(
    context,
    given,
    "Field Test",
  );
  const image = await capabilityImage(arm, device, []);
  // A device that may not develop has no applications that came by cable.
  if ((await capabilitiesOf(attached)).includes(DEVELOPMENT)) {
    await removeSideloaded(context, attached);
  }
  context.say("Removing application development capability from device.");
  context.say("The device is rebooting.");
  await applyCapability(attached, { name: CAPABILITY, bytes: image });
  context.say(`Setting device group to '${path.group}' of product '${path.product}'.`);
  const moved = await moveDevice(arm, catalog, device, path);
  return {
    value: placement(context, catalog, moved),
    text:
      `Successfully set up device '${deviceId}' for cloud test, ` +
      "and enabled over-the-air updates.",
  };
}

export const developmentEntries: readonly Entry[] = [
  {
    words: "device enable-development",
    summary: "make a device ready for development: group, capability, debug server",
    options: {
      ...WHERE,
      "-r, --enable-rt-core-debugging": "understood; real-time cores are not debugged here",
    },
    needs: ["device", "cloud"],
    examples: ["", "--product Fridge"],
    run: enableDevelopment,
  },
  {
    words: "device enable-cloud-test",
    summary: "make a device ready for updates over the air: no applications, no capability, group",
    options: WHERE,
    needs: ["device", "cloud"],
    examples: ["", "--product Fridge"],
    run: enableCloudTest,
  },
];
