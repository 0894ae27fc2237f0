import type { Resource } from "../arm.ts";
import {
  GROUP_AZ,
  GROUP_V2,
  groupId,
  groupOf,
  PRODUCT,
  pathOf,
  shown,
  shownAll,
} from "../cloud.ts";
import { usage } from "../errors.ts";
import { type Context, type Entry, type Given, type Options, optional, text } from "../table.ts";
import { deviceRow } from "./cloud-devices.ts";
import { productAt } from "./products.ts";

const POLICY_FLAGS = "-a, --application-update --applicationupdatepolicy <policy>";
const POLICY_V2: Options = {
  [POLICY_FLAGS]:
    "UpdateAll, No3rdPartyAppUpdates, or NoUpdates, which leaves the system alone too",
};
const POLICY_AZ: Options = { [POLICY_FLAGS]: "UpdateAll or No3rdPartyAppUpdates" };
const SETTINGS: Options = {
  "-d, --description <text>": "what it is for",
  "-f, --os-feed --osfeed <feed>": "Retail or RetailEval",
  "--allow-crash-dumps-collection -cd <state>": "Enabled or Disabled",
  "-r, --regional-data-boundary <boundary>": "None or EU",
};

/** Only what was given; the service keeps or chooses the rest. @throws LabError azsphere-usage */
function settingsOf({ grammar }: Context, given: Given) {
  const updatePolicy = optional(given, "applicationUpdate");
  if (grammar === "az" && updatePolicy === "NoUpdates") {
    throw usage(
      "--application-update is 'NoUpdates', which `az sphere` does not know.",
      "Choose UpdateAll or No3rdPartyAppUpdates.",
    );
  }
  return {
    properties: {
      description: optional(given, "description"),
      updatePolicy,
      osFeedType: optional(given, "osFeed"),
      allowCrashDumpsCollection: optional(given, "allowCrashDumpsCollection"),
      regionalDataBoundary: optional(given, "regionalDataBoundary"),
    },
  };
}

export async function groupAt(context: Context, given: Given) {
  const path = groupOf(given);
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  return { arm, catalog, path, id: groupId(catalog, path) };
}

async function list(context: Context, given: Given) {
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  const product = optional(given, "product");
  const all =
    product === undefined
      ? await arm.list<Resource>(`${catalog.id}/listDeviceGroups`, "POST", {})
      : await arm.list<Resource>(`${catalog.id}/products/${product}/deviceGroups`);
  const value = all.map((group) =>
    context.grammar === "az"
      ? group
      : { ...shown(context, group), productId: pathOf(group).product },
  );
  return { value };
}

export const groupEntries: readonly Entry[] = [
  {
    words: "device-group create",
    summary: "create a device group",
    options: {
      "!-n, --name <name>": "1 to 50 letters, digits and spaces",
      ...PRODUCT,
      ...SETTINGS,
    },
    v2: POLICY_V2,
    az: POLICY_AZ,
    needs: ["cloud"],
    examples: ["--name Pilots --product Fridge --os-feed RetailEval"],
    async run(context, given) {
      const { arm, id } = await productAt(context, given);
      await arm.call("GET", id);
      const at = `${id}/deviceGroups/${text(given, "name")}`;
      return {
        value: shown(context, await arm.call<Resource>("PUT", at, settingsOf(context, given))),
      };
    },
  },
  {
    words: "device-group update",
    summary: "change a device group",
    options: SETTINGS,
    v2: { ...POLICY_V2, ...GROUP_V2 },
    az: { ...POLICY_AZ, ...GROUP_AZ },
    needs: ["cloud"],
    examples: ['--device-group "Fridge/Pilots" --os-feed Retail'],
    azExamples: ["--product Fridge --device-group Pilots --os-feed Retail"],
    async run(context, given) {
      const { arm, id } = await groupAt(context, given);
      return {
        value: shown(context, await arm.call<Resource>("PATCH", id, settingsOf(context, given))),
      };
    },
  },
  {
    words: "device-group show",
    summary: "print a device group",
    v2: GROUP_V2,
    az: GROUP_AZ,
    needs: ["cloud"],
    examples: ['--device-group "Fridge/Production"'],
    azExamples: ["--product Fridge --device-group Production"],
    async run(context, given) {
      const { arm, id } = await groupAt(context, given);
      return { value: shown(context, await arm.call<Resource>("GET", id)) };
    },
  },
  {
    words: "device-group list",
    aliases: ["product device-group list"],
    summary: "print the device groups of a product, or all",
    options: { "-p, --product <name>": "only those of this product" },
    needs: ["cloud"],
    examples: ["", "--product Fridge"],
    run: list,
  },
  {
    words: "device-group delete",
    summary: "delete a device group without devices",
    options: { "-y, --yes --force": "understood; nobody is asked" },
    v2: GROUP_V2,
    az: GROUP_AZ,
    needs: ["cloud"],
    examples: ['--device-group "Fridge/Pilots"'],
    azExamples: ["--product Fridge --device-group Pilots"],
    async run(context, given) {
      const { arm, id, path } = await groupAt(context, given);
      await arm.call("GET", id);
      await arm.call("DELETE", id);
      return { text: `Successfully deleted device group '${path.group}'.` };
    },
  },
  {
    words: "device-group create-defaults",
    summary: "create those of the five groups that a product lacks",
    options: PRODUCT,
    needs: ["cloud"],
    examples: ["--product Fridge"],
    async run(context, given) {
      const { arm, id } = await productAt(context, given);
      const all = await arm.list<Resource>(`${id}/generateDefaultDeviceGroups`, "POST", {});
      return { value: shownAll(context, all) };
    },
  },
  {
    words: "device-group show-count",
    aliases: ["device-group device show-count"],
    summary: "count the devices of a device group",
    v2: GROUP_V2,
    az: GROUP_AZ,
    needs: ["cloud"],
    examples: ['--device-group "Fridge/Production"'],
    azExamples: ["--product Fridge --device-group Production"],
    async run(context, given) {
      const { arm, id } = await groupAt(context, given);
      const { value: count } = await arm.call<{ value: number }>("POST", `${id}/countDevices`);
      return { value: { count }, text: `Number of devices: ${count}` };
    },
  },
  {
    words: "device-group device list",
    only: "azsphere",
    summary: "print the devices of a device group",
    options: GROUP_V2,
    needs: ["cloud"],
    examples: ['--device-group "Fridge/Production"'],
    azExamples: ["--product Fridge --device-group Production"],
    async run(context, given) {
      const { arm, catalog, id } = await groupAt(context, given);
      const devices = await arm.list<Resource>(`${id}/devices`);
      return { value: devices.map((device) => deviceRow(context, catalog, device)) };
    },
  },
];
