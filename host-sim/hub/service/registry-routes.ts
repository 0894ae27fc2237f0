import { type Device, type DeviceRequest, idOf } from "../devices.ts";
import { HubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { isObject, type JsonObject } from "../json.ts";
import { identityJson } from "../views.ts";
import type { HttpAnswer, HttpRequest } from "./endpoint.ts";
import type { ServiceRoutes } from "./group.ts";
import { asObject, etagHeader, ifMatch } from "./json.ts";

const LARGEST_LIST = 1000;
const LARGEST_BULK = 100;

/** Identities of devices and modules: one by one, in bulk, and counted. */
export function registryRoutes(hub: Hub): ServiceRoutes {
  const shown = (device: Device): HttpAnswer => ({
    json: identityJson(hub, device),
    headers: etagHeader(device.etag),
  });
  const put = (request: HttpRequest) => {
    hub.limits.take("registry");
    return shown(createOrUpdate(hub, request));
  };
  const get = ({ parameters }: HttpRequest) => {
    hub.limits.take("registry");
    return shown(hub.devices.get(idFrom(parameters)));
  };
  const remove = ({ parameters, headers }: HttpRequest): HttpAnswer => {
    hub.limits.take("registry");
    hub.devices.delete(idFrom(parameters), ifMatch(headers["if-match"]) ?? "*");
    return { status: 204 };
  };
  return {
    "PUT /devices/:deviceId": ["RegistryWrite", put],
    "GET /devices/:deviceId": ["RegistryRead", get],
    "DELETE /devices/:deviceId": ["RegistryWrite", remove],
    "PUT /devices/:deviceId/modules/:moduleId": ["RegistryWrite", put],
    "GET /devices/:deviceId/modules/:moduleId": ["RegistryRead", get],
    "DELETE /devices/:deviceId/modules/:moduleId": ["RegistryWrite", remove],
    "GET /devices/:deviceId/modules": [
      "RegistryRead",
      ({ parameters }) => {
        const { deviceId } = hub.devices.get(idFrom(parameters));
        return { json: hub.devices.modulesOf(deviceId).map((each) => identityJson(hub, each)) };
      },
    ],
    "GET /devices": [
      "RegistryRead",
      ({ query }) => {
        hub.limits.take("registry");
        const devices = hub.devices.list().slice(0, topFrom(query.get("top")));
        return { json: devices.map((device) => identityJson(hub, device)) };
      },
    ],
    "POST /devices": ["RegistryWrite", (request) => bulk(hub, request.json())],
    "DELETE /devices/:deviceId/commands": [
      "ServiceConnect",
      ({ parameters }) => {
        const { deviceId } = hub.devices.get(idFrom(parameters));
        const totalMessagesPurged = hub.c2d.purge(deviceId);
        return { json: { deviceId, moduleId: null, totalMessagesPurged } };
      },
    ],
    "GET /statistics/devices": ["RegistryRead", () => ({ json: statistics(hub) })],
    "GET /statistics/service": [
      "RegistryRead",
      () => ({ json: { connectedDeviceCount: hub.connections.count() } }),
    ],
  };
}

function topFrom(text: string | null): number {
  const top = Number(text ?? LARGEST_LIST);
  if (Number.isInteger(top) && top >= 1) return Math.min(top, LARGEST_LIST);
  throw new HubError("ArgumentInvalid", `top is a whole number from 1 to ${LARGEST_LIST}`);
}

function statistics({ devices }: Hub) {
  const all = devices.list();
  const enabledDeviceCount = all.filter((device) => device.status === "enabled").length;
  return {
    totalDeviceCount: all.length,
    enabledDeviceCount,
    disabledDeviceCount: all.length - enabledDeviceCount,
  };
}

/** Path parameters name a device, or a module of one. */
export function idFrom({ deviceId = "", moduleId }: Readonly<Record<string, string>>): string {
  // `a%2Fb` would be the module b of the device a.
  if (deviceId.includes("/") || moduleId?.includes("/")) {
    throw new HubError("ArgumentInvalid", "An id has no slash");
  }
  return idOf({ deviceId, moduleId });
}

/** Without If-Match it creates, with it it updates. */
function createOrUpdate(hub: Hub, request: HttpRequest): Device {
  const body = asObject(request.json());
  for (const name of ["deviceId", "moduleId"] as const) {
    if (body[name] === undefined || body[name] === request.parameters[name]) continue;
    throw new HubError("ArgumentInvalid", `The ${name} of body and path differ`);
  }
  const wanted = requestFrom({ ...body, ...request.parameters });
  const etag = ifMatch(request.headers["if-match"]);
  return etag === undefined ? create(hub, wanted) : hub.devices.update(wanted, etag);
}

function create(hub: Hub, wanted: DeviceRequest): Device {
  if (wanted.moduleId === undefined) hub.limits.takeDevice(() => hub.devices.list().length);
  return hub.devices.create(wanted);
}

function requestFrom(body: JsonObject): DeviceRequest {
  const { deviceId, moduleId, managedBy, status, statusReason, authentication } = body;
  if (status !== undefined && status !== "enabled" && status !== "disabled") {
    throw new HubError("ArgumentInvalid", `The status ${JSON.stringify(status)} is not known`);
  }
  const capabilities = isObject(body.capabilities) ? body.capabilities : {};
  return {
    deviceId: String(deviceId),
    moduleId: typeof moduleId === "string" ? moduleId : undefined,
    managedBy: typeof managedBy === "string" ? managedBy : undefined,
    status,
    statusReason:
      statusReason === null || typeof statusReason === "string" ? statusReason : undefined,
    authentication: isObject(authentication)
      ? (authentication as DeviceRequest["authentication"])
      : undefined,
    iotEdge: capabilities.iotEdge === undefined ? undefined : capabilities.iotEdge === true,
  };
}

/** Each entry for itself; the answer lists those that failed. */
function bulk(hub: Hub, body: unknown): HttpAnswer {
  if (!Array.isArray(body) || body.length > LARGEST_BULK) {
    throw new HubError("ArgumentInvalid", `A bulk request is a list of up to ${LARGEST_BULK}`);
  }
  const errors = body.flatMap((entry) => {
    try {
      hub.limits.take("registry");
      runChange(hub, asObject(entry, "An entry"));
      return [];
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      const { name: errorCode, message: errorStatus } = error;
      const { id, moduleId } = isObject(entry) ? entry : {};
      const module = moduleId === undefined ? {} : { moduleId };
      return [{ deviceId: String(id ?? ""), ...module, errorCode, errorStatus }];
    }
  });
  const isSuccessful = errors.length === 0;
  return { status: isSuccessful ? 200 : 400, json: { isSuccessful, errors, warnings: [] } };
}

function runChange(hub: Hub, change: JsonObject): void {
  const request = requestFrom({ ...change, deviceId: change.id ?? change.deviceId ?? "" });
  const id = idOf(request);
  const etag = ifMatch(String(change.eTag ?? change.etag ?? "")) ?? "";
  const twinEtag = ifMatch(String(change.twinETag ?? "")) ?? "";
  const addNew = () =>
    hub.store.transaction(() => {
      create(hub, request);
      if (twinIn(change)) hub.twins.patch(id, twinIn(change) ?? {});
    });
  const changeTwin = (version: string) =>
    hub.twins.patch(idOf(hub.devices.get(id)), twinIn(change) ?? {}, version);
  const modes: Readonly<Record<string, () => unknown>> = {
    create: addNew,
    update: () => hub.devices.update(request, "*"),
    updateifmatchetag: () => hub.devices.update(request, etag),
    createorupdate: () => (hub.devices.find(id) ? hub.devices.update(request, "*") : addNew()),
    updatetwin: () => changeTwin("*"),
    updatetwinifmatchetag: () => changeTwin(twinEtag),
    delete: () => hub.devices.delete(id),
    deleteifmatchetag: () => hub.devices.delete(id, etag),
  };
  const mode = String(change.importMode ?? "create").toLowerCase();
  const run = Object.hasOwn(modes, mode) ? modes[mode] : undefined;
  if (!run) throw new HubError("ArgumentInvalid", `importMode ${change.importMode} is not known`);
  run();
}

/** Tags and desired properties that an entry brings along. */
function twinIn({ tags, properties }: JsonObject) {
  const desired = isObject(properties) ? properties.desired : undefined;
  return tags === undefined && desired === undefined ? undefined : { tags, desired };
}
