import { parseCertificate } from "../../pki/index.ts";
import type { Deployment } from "../deployments.ts";
import type { Device } from "../devices.ts";
import type { Image } from "../images.ts";
import type { Insight } from "../insights.ts";
import type { DeviceGroup, Product } from "../products.ts";
import type { Tenant, TenantCertificate } from "../tenants.ts";
import { LAB_SUBSCRIPTION, PROVIDER } from "./scope.ts";

/** ARM's resources, as the lab's records look from outside. */

const SUCCEEDED = { provisioningState: "Succeeded" } as const;
const iso = (epochMs: number | null) => (epochMs === null ? null : new Date(epochMs).toISOString());

const systemData = (createdAt: number) => ({
  systemData: {
    createdBy: "spherule",
    createdByType: "Application",
    createdAt: iso(createdAt),
    lastModifiedBy: "spherule",
    lastModifiedByType: "Application",
    lastModifiedAt: iso(createdAt),
  },
});

export const catalogId = ({ resourceGroup, name }: Tenant): string =>
  `/subscriptions/${LAB_SUBSCRIPTION}/resourceGroups/${resourceGroup}` +
  `/providers/${PROVIDER}/catalogs/${name}`;

export const groupId = (tenant: Tenant, product: string, group: string): string =>
  `${catalogId(tenant)}/products/${product}/deviceGroups/${group}`;

const type = (kind: string) => `${PROVIDER}/catalogs${kind}`;

export const catalogResource = (tenant: Tenant) => ({
  id: catalogId(tenant),
  name: tenant.name,
  type: type(""),
  location: "global",
  tags: tenant.tags,
  properties: { tenantId: tenant.tenantId, ...SUCCEEDED },
  ...systemData(tenant.createdAt),
});

export const productResource = (tenant: Tenant, { name, description, createdAt }: Product) => ({
  id: `${catalogId(tenant)}/products/${name}`,
  name,
  type: type("/products"),
  properties: { description, ...SUCCEEDED },
  ...systemData(createdAt),
});

export function groupResource(tenant: Tenant, group: DeviceGroup, hasDeployment: boolean) {
  const { product, name, createdAt, ...settings } = group;
  return {
    id: groupId(tenant, product, name),
    name,
    type: type("/products/deviceGroups"),
    properties: { ...settings, hasDeployment, ...SUCCEEDED },
    ...systemData(createdAt),
  };
}

export function deviceResource(tenant: Tenant, device: Device) {
  const { product, group } = device.group;
  return {
    id: `${groupId(tenant, product, group)}/devices/${device.deviceId}`,
    name: device.deviceId,
    type: type("/products/deviceGroups/devices"),
    properties: {
      deviceId: device.deviceId,
      chipSku: device.chipSku,
      lastAvailableOsVersion: device.lastAvailableOsVersion,
      lastInstalledOsVersion: device.lastInstalledOsVersion,
      lastOsUpdateUtc: iso(device.lastOsUpdateUtc),
      lastUpdateRequestUtc: iso(device.lastUpdateRequestUtc),
      ...SUCCEEDED,
    },
    ...systemData(device.claimedAt),
  };
}

const IMAGE_TYPES: Readonly<Record<number, string>> = {
  10: "Applications",
  21: "CustomerBoardConfig",
};

/** @param uri where the bytes can be downloaded */
export const imageResource = (tenant: Tenant, image: Image, uri: string) => ({
  id: `${catalogId(tenant)}/images/${image.imageId}`,
  name: image.imageId,
  type: type("/images"),
  properties: {
    image: uri,
    imageId: image.imageId,
    imageName: image.name,
    regionalDataBoundary: image.regionalDataBoundary,
    uri,
    description: image.description,
    componentId: image.componentId,
    imageType: IMAGE_TYPES[image.imageType] ?? "Other",
    ...SUCCEEDED,
  },
  ...systemData(image.uploadedAt),
});

/** An image as it is known before its package was read. */
export const unreadImage = (tenant: Tenant, imageId: string, known: object) => ({
  id: `${catalogId(tenant)}/images/${imageId}`,
  name: imageId,
  type: type("/images"),
  properties: { imageId, ...known, ...SUCCEEDED },
});

/** @param images those that are still there */
export const deploymentResource = (
  tenant: Tenant,
  deployment: Deployment,
  images: readonly object[],
) => ({
  id:
    `${groupId(tenant, deployment.product, deployment.group)}` +
    `/deployments/${deployment.deploymentId}`,
  name: deployment.deploymentId,
  type: type("/products/deviceGroups/deployments"),
  properties: {
    deploymentId: deployment.deploymentId,
    deployedImages: images,
    deploymentDateUtc: iso(deployment.createdAt),
    ...SUCCEEDED,
  },
  ...systemData(deployment.createdAt),
});

/** Expired certificates are listed, but nobody can use them: they have no content. */
export const certificateResource = (tenant: Tenant, certificate: TenantCertificate) => ({
  id: `${catalogId(tenant)}/certificates/${certificate.serialNumber}`,
  name: certificate.serialNumber,
  type: type("/certificates"),
  properties: certificateProperties(certificate),
  ...systemData(Date.parse(certificate.notBefore)),
});

export const certificateProperties = (certificate: TenantCertificate) => ({
  ...(certificate.status === "Expired"
    ? {}
    : { certificate: parseCertificate(certificate.pem).raw.toString("base64") }),
  status: certificate.status,
  subject: certificate.subject,
  thumbprint: certificate.thumbprint,
  expiryUtc: certificate.notAfter,
  notBeforeUtc: certificate.notBefore,
  ...SUCCEEDED,
});

export const insightResource = (insight: Insight) => ({
  deviceId: insight.deviceId,
  description: insight.description,
  startTimestampUtc: iso(insight.startedAt),
  endTimestampUtc: iso(insight.endedAt),
  eventCategory: insight.eventCategory,
  eventClass: insight.eventClass,
  eventType: insight.eventType,
  eventCount: insight.eventCount,
});
