import type { ServiceContext } from "./context.ts";
import type { Deployments } from "./deployments.ts";
import type { Devices, InstalledImage } from "./devices.ts";
import type { Images } from "./images.ts";
import type { InsightEvent, Insights } from "./insights.ts";
import { isPrerequisite, type OsImage, type OsReleases } from "./os-releases.ts";
import { type GroupPath, type Products, UNASSIGNED } from "./products.ts";

/** What a device tells when it asks for its updates. */
export interface UpdateRequest {
  readonly osVersion: string;
  readonly installed: readonly InstalledImage[];
}

/** An image that a device should have. */
export interface OfferedImage extends OsImage {
  /** Bytes to download. */
  readonly size: number;
  /** Path on the service that leads to the bytes. */
  readonly path: string;
}

/** Everything that a device should have. It compares, and downloads what is missing. */
export interface UpdateManifest {
  readonly tenantId: string | null;
  readonly group: GroupPath;
  readonly osVersion: string;
  /** First these, then the system, then the deployment. */
  readonly prerequisites: readonly OfferedImage[];
  readonly os: readonly OfferedImage[];
  /** Null when the group's policy leaves apps alone, or when there is no deployment. */
  readonly deployment: {
    readonly deploymentId: string;
    readonly images: readonly OfferedImage[];
  } | null;
}

/** What a device tells after an update, and of apps that ended. */
export interface UpdateReport extends UpdateRequest {
  readonly events: readonly InsightEvent[];
}

interface Parts {
  readonly context: ServiceContext;
  readonly products: Products;
  readonly devices: Devices;
  readonly images: Images;
  readonly deployments: Deployments;
  readonly releases: OsReleases;
  readonly insights: Insights;
}

export type Updates = ReturnType<typeof createUpdates>;

/** The answers to devices that ask for updates. A device is never called; it asks. */
export function createUpdates(parts: Parts) {
  const { context, products, devices, images, deployments, releases, insights } = parts;
  const { clock, store, logger } = context;

  function offerOs(image: OsImage): OfferedImage {
    const size = releases.bytes(image.imageId)?.length ?? 0;
    return { ...image, size, path: `/device/v1/os-images/${image.imageId}` };
  }

  function offer(tenantId: string, imageId: string): OfferedImage {
    const { componentId, name, imageType, downloadBytes } = images.get(tenantId, imageId);
    const path = images.downloadPath(tenantId, imageId);
    return { componentId, imageId, name, imageType, size: downloadBytes, path };
  }

  function deploymentFor(tenantId: string | undefined, path: GroupPath) {
    if (tenantId === undefined) return null;
    const group = products.findGroup(tenantId, path);
    if (group?.updatePolicy !== "UpdateAll") return null;
    const current = deployments.current(tenantId, path);
    if (!current) return null;
    const { deploymentId, imageIds } = current;
    return { deploymentId, images: imageIds.map((imageId) => offer(tenantId, imageId)) };
  }

  return {
    /** @param deviceId of a device that attested */
    manifest(deviceId: string, request: UpdateRequest): UpdateManifest {
      const device = devices.find(deviceId);
      const path = device?.group ?? UNASSIGNED;
      const group = device && products.findGroup(device.tenantId, path);
      const release = releases.current(group?.osFeedType ?? "Retail");
      if (device) {
        devices.update(deviceId, {
          lastUpdateRequestUtc: clock.now(),
          lastAvailableOsVersion: release.version,
          lastInstalledOsVersion: request.osVersion,
          installed: request.installed,
        });
      }
      const images = group?.updatePolicy === "NoUpdates" ? [] : release.images;
      return {
        tenantId: device?.tenantId ?? null,
        group: path,
        osVersion: release.version,
        prerequisites: images.filter(isPrerequisite).map(offerOs),
        os: images.filter((image) => !isPrerequisite(image)).map(offerOs),
        deployment: deploymentFor(device?.tenantId, path),
      };
    },
    report(deviceId: string, { osVersion, installed, events }: UpdateReport): void {
      const device = devices.find(deviceId);
      if (!device) return;
      const before = device.lastInstalledOsVersion;
      store.transaction(() => {
        devices.update(deviceId, {
          installed,
          lastInstalledOsVersion: osVersion,
          ...(before !== null && before !== osVersion ? { lastOsUpdateUtc: clock.now() } : {}),
        });
        for (const event of events) insights.record(device.tenantId, deviceId, event);
      });
      for (const { description } of events) {
        logger.info(`${deviceId.slice(0, 12)}… reports: ${description}`);
      }
    },
  };
}
