import { LabError } from "../../errors.ts";
import type { Arm, Catalog, Resource } from "./arm.ts";
import { deviceIdOf } from "./device.ts";
import { notFound, usage } from "./errors.ts";
import { type Context, type Given, type Options, optional } from "./table.ts";

/** A device group by its path in a catalog. */
export interface GroupPath {
  readonly product: string;
  readonly group: string;
}

/** What `az sphere` calls both the product and the group of devices that are in none. */
export const DEFAULT = ".default";
export const UNASSIGNED: GroupPath = { product: DEFAULT, group: ".unassigned" };
const DEVICE_ID = /^[0-9a-f]{128}$/i;

export const PRODUCT: Options = {
  "!-p, --product --product-name --productid <name>": "the product",
};
/** `azsphere` names a group with its product; `az sphere` has two options. */
export const GROUP_V2: Options = {
  "!-g, --device-group -dg --devicegroupid <product/group>": 'such as "Fridge/Field Test"',
};
export const GROUP_AZ: Options = {
  "!--device-group -dg <name>": "the device group",
  "!-p, --product <name>": "its product",
};

export const groupId = (catalog: Resource, { product, group }: GroupPath) =>
  `${catalog.id}/products/${product}/deviceGroups/${group}`;

/** The group that the options name. @throws LabError azsphere-usage */
export function groupOf(given: Given): GroupPath {
  const group = optional(given, "deviceGroup") ?? "";
  const product = optional(given, "product");
  if (product !== undefined) return { product, group };
  const at = group.indexOf("/");
  if (at > 0 && at < group.length - 1) {
    return { product: group.slice(0, at), group: group.slice(at + 1) };
  }
  throw usage(
    `--device-group is '${group}'.`,
    'Name the product too, as in --device-group "Product/Group".',
  );
}

/** Product and group in the path of a resource. */
export function pathOf({ id }: Resource): GroupPath {
  const match = /\/products\/([^/]+)\/deviceGroups\/([^/]+)/i.exec(id);
  return { product: match?.[1] ?? "", group: match?.[2] ?? "" };
}

/** The resource for `az sphere`; for `azsphere` its properties right beside the name. */
export function shown(context: Context, resource: Resource): object {
  if (context.grammar === "az") return resource;
  const { provisioningState: _state, ...properties } = resource.properties;
  return { id: resource.id, name: resource.name, ...properties };
}

export const shownAll = (context: Context, all: readonly Resource[]): object[] =>
  all.map((resource) => shown(context, resource));

/** The id in `--device`, or that of the attached device. */
export async function wantedDeviceId(context: Context, given: Given): Promise<string> {
  const named = optional(given, "device");
  if (named !== undefined && DEVICE_ID.test(named)) return named.toLowerCase();
  return deviceIdOf(await context.device(given));
}

export const findDevice = async (arm: Arm, catalog: Catalog, deviceId: string) =>
  (await arm.list(`${catalog.id}/listDevices`, "POST", {})).find(({ name }) => name === deviceId);

/** The device as the Security Service knows it. @throws LabError azsphere-not-found */
export async function claimedDevice(arm: Arm, catalog: Catalog, deviceId: string) {
  const found = await findDevice(arm, catalog, deviceId);
  if (found) return found;
  throw notFound(
    `Device '${deviceId}' is not claimed into '${catalog.name}'.`,
    "Type `azsphere device claim`, or name another tenant.",
  );
}

/** Moves a device; its path leads to where it is now. */
export async function moveDevice(
  arm: Arm,
  catalog: Catalog,
  device: Resource,
  to: GroupPath,
): Promise<Resource> {
  const unassigned = to.group === UNASSIGNED.group;
  const deviceGroupId = unassigned ? UNASSIGNED.group : groupId(catalog, to);
  return arm.call<Resource>("PATCH", device.id, { properties: { deviceGroupId } });
}

/** The service signs a capability image for this device alone. */
export async function capabilityImage(
  arm: Arm,
  device: Resource,
  capabilities: readonly string[],
): Promise<Buffer> {
  const id = `${device.id}/generateCapabilityImage`;
  const { image } = await arm.call<{ image: string }>("POST", id, { capabilities });
  return Buffer.from(image, "base64");
}

/** @throws LabError confirmation-needed when nobody can answer, declined when somebody says no */
export async function confirm(context: Context, question: string): Promise<void> {
  const answer = await context.terminal.ask(`${question} (yes/no): `);
  if (answer === undefined) {
    throw new LabError(
      "confirmation-needed",
      "Unable to prompt for confirmation as no terminal is available.",
      "Add --force to say yes.",
    );
  }
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new LabError("declined", "Nothing was done.", "Answer yes to go on.");
  }
}
