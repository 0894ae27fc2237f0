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
import { placed } from "./cloud-devices.ts";
import { imagesOf } from "./images.ts";
import { deleteApplications, install } from "./sideload.ts";

const DEBUG_SERVER = {
  SchemaVersion: 1,
  Name: "gdbserver",
  ComponentId: "dc7f135c-6074-4d49-aa3a-160e4eed884f",
  EntryPoint: "/bin/gdbserver",
  CmdArgs: [],
  Capabilities: {},
  ApplicationType: "Debugger",
};
const API_SET = 17;
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

/** The debug server is a package like any other, signed for development. */
async function installDebugServer(context: Context, attached: Device): Promise<void> {
  const present = (await imagesOf(attached)).some(({ uid }) => uid === DEBUG_SERVER.ComponentId);
  if (present) return;
  const [{ packImage }, { developmentKey }, { findStateFolder }] = await Promise.all([
    import("../../../imagepackage/index.ts"),
    import("../../../lab/signing-key.ts"),
    import("../../../lab/state-folder.ts"),
  ]);
  const { stateFolder } = (await context.lab()).endpoints;
  const content = Buffer.from("A virtual device debugs without it.\n");
  const bytes = packImage({
    manifest: JSON.stringify(DEBUG_SERVER),
    files: [{ path: "bin/gdbserver", content }],
    signer: developmentKey(stateFolder ?? findStateFolder()).signer,
    ...{ apiSet: API_SET, buildTime: 0 },
  });
  await install(attached, bytes);
}

async function enableDevelopment(context: Context, given: Given) {
  const { arm, catalog, deviceId, attached, device, path } = await start(
    context,
    given,
    "Development",
  );
  context.say("Getting device capability configuration for application development.");
  const image = await capabilityImage(arm, device, ["ApplicationDevelopment"]);
  context.say(`Setting device group to '${path.group}' of product '${path.product}'.`);
  const moved = await moveDevice(arm, catalog, device, path);
  context.say("Successfully disabled over-the-air updates.");
  context.say("Applying device capability configuration to device.");
  context.say("The device is rebooting.");
  await install(attached, image);
  context.say("Installing debugging server to device.");
  await installDebugServer(context, attached);
  return {
    value: { deviceId, productId: path.product, deviceGroupId: moved.id },
    text:
      `Successfully set up device '${deviceId}' for application development, ` +
      "and disabled over-the-air updates.",
  };
}

async function removeSideloaded(context: Context, attached: Device): Promise<void> {
  context.say("Removing applications from device.");
  for (const id of await deleteApplications(attached, () => true)) {
    context.say(`Component '${id}' deleted.`);
  }
  await attached.send("DELETE", `/app/image/${DEBUG_SERVER.ComponentId}`);
}

async function enableCloudTest(context: Context, given: Given) {
  const { arm, catalog, deviceId, attached, device, path } = await start(
    context,
    given,
    "Field Test",
  );
  // A device that may not develop has no applications that came by cable.
  if ((await capabilitiesOf(attached)).includes(DEVELOPMENT)) {
    await removeSideloaded(context, attached);
  }
  context.say("Removing application development capability from device.");
  const image = await capabilityImage(arm, device, []);
  context.say("The device is rebooting.");
  await install(attached, image);
  context.say(`Setting device group to '${path.group}' of product '${path.product}'.`);
  const moved = await moveDevice(arm, catalog, device, path);
  return {
    value: { deviceId, productId: path.product, deviceGroupId: moved.id },
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
