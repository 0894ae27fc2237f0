import { type Device, idOf } from "./devices.ts";
import type { Hub } from "./hub.ts";
import type { JsonObject } from "./json.ts";
import type { Section } from "./twins.ts";

const NEVER = "0001-01-01T00:00:00Z";

/** An identity as the registry's routes write it. */
export function identityJson(hub: Hub, device: Device): JsonObject {
  const { authentication } = device;
  const keys = authentication.type === "sas" ? authentication.symmetricKey : undefined;
  return {
    deviceId: device.deviceId,
    ...(device.moduleId === undefined
      ? { capabilities: { iotEdge: device.iotEdge } }
      : { moduleId: device.moduleId, managedBy: device.managedBy ?? "" }),
    generationId: device.generationId,
    etag: device.etag,
    ...connectionJson(hub, device),
    status: device.status,
    statusReason: device.statusReason,
    statusUpdatedTime: device.statusUpdatedTime,
    lastActivityTime: device.lastActivityTime,
    cloudToDeviceMessageCount: hub.c2d.count(idOf(device)),
    authentication: {
      symmetricKey: keys ?? { primaryKey: null, secondaryKey: null },
      x509Thumbprint: thumbprintsOf(device),
      type: authentication.type,
    },
  };
}

function thumbprintsOf({ authentication }: Device) {
  return authentication.type === "selfSigned"
    ? authentication.x509Thumbprint
    : { primaryThumbprint: null, secondaryThumbprint: null };
}

function connectionJson(hub: Hub, device: Device) {
  const connection = hub.connections.get(idOf(device));
  return {
    connectionState: connection ? "Connected" : "Disconnected",
    connectionStateUpdatedTime: connection?.connectedSince ?? device.lastActivityTime ?? NEVER,
  };
}

/** A twin as services and queries see it. */
export function twinJson(hub: Hub, device: Device): JsonObject {
  const id = idOf(device);
  const twin = hub.twins.get(id);
  const { authentication } = device;
  return {
    deviceId: device.deviceId,
    ...(device.moduleId === undefined ? {} : { moduleId: device.moduleId }),
    etag: twin.etag,
    deviceEtag: device.etag,
    status: device.status,
    statusUpdateTime: device.statusUpdatedTime,
    connectionState: hub.connections.get(id) ? "Connected" : "Disconnected",
    lastActivityTime: device.lastActivityTime,
    cloudToDeviceMessageCount: hub.c2d.count(id),
    authenticationType: authentication.type,
    x509Thumbprint: thumbprintsOf(device),
    modelId: twin.modelId,
    version: twin.version,
    tags: twin.tags,
    properties: { desired: sectionJson(twin.desired), reported: sectionJson(twin.reported) },
    ...(device.moduleId === undefined ? { capabilities: { iotEdge: device.iotEdge } } : {}),
  };
}

function sectionJson({ values, version, metadata }: Section): JsonObject {
  return { ...values, $metadata: metadata, $version: version };
}
