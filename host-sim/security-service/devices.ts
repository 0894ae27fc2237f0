import { LabError } from "../errors.ts";
import type { ServiceContext } from "./context.ts";
import { checkDeviceId } from "./names.ts";
import { type GroupPath, isUnassigned, type Products, UNASSIGNED } from "./products.ts";
import type { Tenants } from "./tenants.ts";

/** An image on a device, by the ids of its component and of itself. */
export interface InstalledImage {
  readonly componentId: string;
  readonly imageId: string;
}

/** A claimed device. Times are milliseconds since the Unix epoch, null while they have not come. */
export interface Device {
  readonly deviceId: string;
  readonly tenantId: string;
  readonly group: GroupPath;
  readonly chipSku: string;
  readonly claimedAt: number;
  readonly lastAvailableOsVersion: string | null;
  readonly lastInstalledOsVersion: string | null;
  readonly lastOsUpdateUtc: number | null;
  readonly lastUpdateRequestUtc: number | null;
  readonly installed: readonly InstalledImage[];
}

export type Devices = ReturnType<typeof createDevices>;

/** Claims, which are for ever, and what is known of claimed devices. */
export function createDevices(context: ServiceContext, tenants: Tenants, products: Products) {
  const { store, clock, logger } = context;
  const claimKey = (deviceId: string) => `security-service/claims/${deviceId}`;
  const key = (deviceId: string) => `security-service/devices/${deviceId}`;

  const tenantOf = (deviceId: string): string | undefined => store.get<string>(claimKey(deviceId));

  function find(deviceId: string): Device | undefined {
    const tenantId = tenantOf(deviceId.toLowerCase());
    if (tenantId === undefined) return undefined;
    return store.get<Device>(key(deviceId.toLowerCase())) ?? fresh(deviceId, tenantId, clock.now());
  }

  function get(tenantId: string, deviceId: string): Device {
    const device = find(deviceId);
    if (device?.tenantId === tenantId) return device;
    throw new LabError(
      "device-unknown",
      `The catalog has no device '${deviceId}'.`,
      "List the devices; one that is missing has to be claimed first.",
    );
  }

  function update(deviceId: string, patch: Partial<Device>): Device {
    const device = find(deviceId);
    if (!device) throw unclaimed();
    const changed = { ...device, ...patch };
    store.put(key(device.deviceId), changed);
    return changed;
  }

  const list = (tenantId: string): Device[] =>
    [...store.entries<string>(claimKey(""))]
      .filter(([, owner]) => owner === tenantId)
      .map(([claim]) => find(claim.slice(claimKey("").length)) as Device);

  /** Binds a device to a tenant for ever. Claiming it again into the same tenant changes no owner. */
  function claim(tenantId: string, id: string, path?: GroupPath): Device {
    const deviceId = checkDeviceId(id);
    const { name } = tenants.get(tenantId);
    const group = path && groupOf(tenantId, path);
    const owner = tenantOf(deviceId);
    if (owner !== undefined && owner !== tenantId) throw claimed(deviceId);
    return store.transaction(() => {
      if (owner === undefined) {
        store.put(claimKey(deviceId), tenantId);
        store.put(key(deviceId), fresh(deviceId, tenantId, clock.now()));
        logger.info(`device ${deviceId.slice(0, 12)}… claimed into ${name}`);
      }
      return group ? update(deviceId, { group }) : get(tenantId, deviceId);
    });
  }

  /** The names as the group spells them. @throws LabError product-unknown, group-unknown */
  function groupOf(tenantId: string, path: GroupPath): GroupPath {
    if (isUnassigned(path)) return UNASSIGNED;
    products.get(tenantId, path.product);
    const { product, name } = products.getGroup(tenantId, path);
    return { product, group: name };
  }

  /** @throws LabError device-unknown, claim-permanent */
  function checkUnassign(tenantId: string, deviceId: string): void {
    if (isUnassigned(get(tenantId, deviceId).group)) throw permanent(deviceId);
  }

  return {
    claim,
    /** Claims all of them or, when one cannot be claimed, none. */
    claimAll: (tenantId: string, deviceIds: readonly string[], path: GroupPath): Device[] =>
      store.transaction(() => deviceIds.map((deviceId) => claim(tenantId, deviceId, path))),
    tenantOf,
    find,
    get,
    update,
    list,
    /** The devices of a product, or of one of its groups. */
    listOf: (tenantId: string, product: string, group?: string): Device[] =>
      list(tenantId).filter(
        (device) =>
          same(device.group.product, product) &&
          (group === undefined || same(device.group.group, group)),
      ),
    assign: (tenantId: string, deviceId: string, path: GroupPath): Device =>
      update(get(tenantId, deviceId).deviceId, { group: groupOf(tenantId, path) }),
    /** A device as it would be claimed now. */
    draft: (tenantId: string, deviceId: string): Device => fresh(deviceId, tenantId, clock.now()),
    checkUnassign,
    /** Takes a device out of its group. Its claim stays. @throws LabError claim-permanent */
    unassign(tenantId: string, deviceId: string): Device {
      checkUnassign(tenantId, deviceId);
      return update(deviceId, { group: UNASSIGNED });
    },
  };
}

function fresh(deviceId: string, tenantId: string, claimedAt: number): Device {
  return {
    deviceId: deviceId.toLowerCase(),
    tenantId,
    group: UNASSIGNED,
    chipSku: "MT3620AN",
    claimedAt,
    lastAvailableOsVersion: null,
    lastInstalledOsVersion: null,
    lastOsUpdateUtc: null,
    lastUpdateRequestUtc: null,
    installed: [],
  };
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

function claimed(deviceId: string): LabError {
  return new LabError(
    "device-claimed",
    `Device '${deviceId}' has already been claimed into another tenant.`,
    "A claim cannot be undone; use that tenant, or another device.",
  );
}

export function unclaimed(): LabError {
  return new LabError(
    "device-unclaimed",
    "The device belongs to no tenant, so it gets no certificate for apps.",
    "Claim it: `spherule device claim`.",
  );
}

function permanent(deviceId: string): LabError {
  return new LabError(
    "claim-permanent",
    `Device '${deviceId.slice(0, 12)}…' is in no device group, and its claim cannot be undone.`,
    "A claim is for ever; to use the device elsewhere, move it to a group of this catalog.",
  );
}
