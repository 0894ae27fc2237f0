import { isObject, type JsonObject } from "../hub/json.ts";
import { callMethod, methodCall } from "../hub/methods.ts";
import { twinJson } from "../hub/views.ts";
import type { Lab } from "../lab.ts";
import type { ApiRequest, ApiRoutes } from "./api.ts";
import { badField, object, text } from "./body.ts";
import { deviceOf, deviceRoutes } from "./device-routes.ts";
import type { LabDevice } from "./lab-device.ts";
import { messageRoutes } from "./message-routes.ts";

const CONNECT_TIMEOUT_SECONDS = 10;

/** The lab's HTTP API: what the command line and the dashboard can ask for. */
export function labRoutes(lab: Lab): ApiRoutes {
  return {
    "GET /lab": () => lab.description,
    "GET /status": ({ query }) => statusOf(lab, deviceOf(lab, query)),
    "GET /telemetry": ({ query }) => [...lab.hub.events.read(Number(query.get("from") ?? 0))],
    "GET /refusals": () => lab.hub.refusals.list(),
    ...twinRoutes(lab),
    ...deviceRoutes(lab),
    ...securityServiceRoutes(lab),
    "POST /methods/:deviceId": (request) => invoke(lab, request),
    ...messageRoutes(lab),
    "POST /hub/restart": () => lab.restartHub(),
    "POST /clock": (request) => setClock(lab, object(request)),
    "POST /export": (request) => lab.exportTo(text(object(request), "folder")),
  };
}

function twinRoutes({ hub }: Lab): ApiRoutes {
  const known = ({ parameters }: ApiRequest) =>
    hub.devices.get(parameters.deviceId as string).deviceId;
  return {
    "GET /twins/:deviceId": (request) => {
      const deviceId = known(request);
      return twinJson(hub, hub.devices.get(deviceId));
    },
    "PATCH /twins/:deviceId": (request) => {
      const deviceId = known(request);
      const { desired, tags } = object(request);
      hub.twins.patch(deviceId, { desired, tags });
      return twinJson(hub, hub.devices.get(deviceId));
    },
  };
}

function securityServiceRoutes({ service, tokens, clock, setOperationTime }: Lab): ApiRoutes {
  return {
    /** A bearer token for an hour, or for `seconds`; for `user`, or the lab's own. */
    "POST /token": ({ body }) => {
      const given = isObject(body as JsonObject) ? (body as JsonObject) : {};
      const { seconds = 3_600 } = given;
      if (typeof seconds !== "number" || !(seconds > 0)) throw badField("seconds", "positive");
      return tokens.issue(
        seconds * 1000,
        given.user === undefined ? undefined : text(given, "user"),
      );
    },
    /** `{operationSeconds}`: how long the long-running operations of the Security Service take. */
    "POST /security-service": (request) => {
      const { operationSeconds } = object(request);
      if (typeof operationSeconds !== "number" || !(operationSeconds >= 0)) {
        throw badField("operationSeconds", "a number of seconds, not negative");
      }
      setOperationTime(operationSeconds * 1000);
    },
    "POST /os-releases": (request) => {
      const body = object(request);
      return service.releases.publish(text(body, "version"), body.retailNow === true);
    },
    /** `{package}` in base64: what comes to a device with application development. */
    "GET /debug-server": () => ({
      package: Buffer.from(service.signing.debugServer()).toString("base64"),
    }),
    "POST /tenants/:tenantId/rotate": (request) => {
      const { activeInSeconds = 0 } = isObject(request.body as JsonObject) ? object(request) : {};
      const certificate = service.rotateAuthority(
        request.parameters.tenantId as string,
        Number(activeInSeconds) * 1000,
      );
      return { ...certificate, now: new Date(clock.now()).toISOString() };
    },
  };
}

/** @param chosen what `device` tells of */
function statusOf(lab: Lab, chosen: LabDevice) {
  const { description, devices, hub, clock } = lab;
  return {
    device: statusOfDevice(lab, chosen),
    devices: devices.map((each) => statusOfDevice(lab, each)),
    hub: {
      hostName: description.hub.hostName,
      address: `${description.hub.address}:${description.hub.mqttPort}`,
      connectedDevices: hub.connections.count(),
      messages: hub.events.nextSequenceNumber,
      refusals: hub.refusals.list().length,
    },
    clock: { now: new Date(clock.now()).toISOString(), speed: clock.speed },
    api: description.api,
    stateFolder: description.stateFolder,
    processId: description.processId,
  };
}

function statusOfDevice({ service }: Lab, { deviceId, powered, rest, os }: LabDevice) {
  return {
    deviceId,
    power: powered,
    tenant: service.tenantOf(deviceId) ?? null,
    network: powered && os.network.up,
    rest: `https://${rest.address}:${rest.port}`,
    app: os.status(),
  };
}

async function invoke({ hub }: Lab, request: ApiRequest): Promise<JsonObject> {
  const { deviceId } = hub.devices.get(request.parameters.deviceId as string);
  const call = methodCall(object(request));
  const connectTimeoutInSeconds = call.connectTimeoutInSeconds ?? CONNECT_TIMEOUT_SECONDS;
  return callMethod(hub, deviceId, { ...call, connectTimeoutInSeconds });
}

/** `{speed}`, `{jumpSeconds}` or `{time}` (ISO 8601). */
function setClock({ clock }: Lab, { speed, jumpSeconds, time }: JsonObject): void {
  if (typeof time === "string") {
    const moment = Date.parse(time);
    if (Number.isNaN(moment)) throw badField("time", "an ISO 8601 time");
    clock.setTime(moment);
  }
  if (typeof jumpSeconds === "number") {
    if (jumpSeconds < 0) throw badField("jumpSeconds", "not negative; `time` sets the clock back");
    clock.jump(jumpSeconds * 1000);
  }
  if (typeof speed === "number") {
    if (!(speed >= 0 && speed <= 10_000)) throw badField("speed", "from 0 to 10000");
    clock.setSpeed(speed);
  }
}
