import type { QueuedMessage } from "../c2d.ts";
import { type Device, idOf } from "../devices.ts";
import { HubError } from "../errors.ts";
import { senderOf } from "../events.ts";
import type { Hub } from "../hub.ts";
import { isObject } from "../json.ts";
import { authScopeOf, problemWithCredentials } from "../mqtt/authenticate.ts";
import { messageSize } from "../mqtt/property-bag.ts";
import { type HttpAnswer, type HttpRequest, hubProblem, type RouteGroup } from "./endpoint.ts";
import { requireAddress, requireApiVersion } from "./group.ts";
import { notThere } from "./left-out.ts";
import { idFrom } from "./registry-routes.ts";

const LARGEST_MESSAGE = 262_144;
const APPLICATION = "iothub-app-";
const BATCH_TYPE = "application/vnd.microsoft.iothub.json";

/** What a device can do over HTTPS: send telemetry, and fetch and settle its messages. */
export function deviceGroup(hub: Hub): RouteGroup {
  const known = (request: HttpRequest) => hub.devices.get(idFrom(request.parameters));
  const settle =
    (how: (id: string, token: string) => void) =>
    (request: HttpRequest): HttpAnswer => {
      how(idOf(known(request)), request.parameters.lock as string);
      return { status: 204 };
    };
  const finish = settle(hub.c2d.complete);
  const reject = settle(hub.c2d.reject);
  return {
    routes: {
      "POST /devices/:deviceId/messages/events": (request) => takeEvents(hub, request),
      "POST /devices/:deviceId/modules/:moduleId/messages/events": (request) =>
        takeEvents(hub, request),
      "GET /devices/:deviceId/messages/devicebound": (request) => receive(hub, known(request)),
      "DELETE /devices/:deviceId/messages/devicebound/:lock": (request) =>
        request.query.has("reject") ? reject(request) : finish(request),
      "POST /devices/:deviceId/messages/devicebound/:lock/abandon": settle(hub.c2d.abandon),
      "POST /devices/:deviceId/files": notThere,
      "POST /devices/:deviceId/files/notifications": notThere,
    },
    authorize(request) {
      requireApiVersion(request);
      requireAddress(hub, request.address, idFrom(request.parameters));
      requireDevice(hub, request);
    },
    problem: (error) => hubProblem(error, hub.clock.now()),
  };
}

/** An unknown device is refused as one with a wrong token: the answer tells strangers nothing. */
function requireDevice(hub: Hub, request: HttpRequest): void {
  const id = idFrom(request.parameters);
  const refuse = (reason: Parameters<typeof hub.refusals.add>[0]["reason"], detail: string) => {
    hub.refusals.add({ deviceId: id, address: request.address, reason, detail });
    return new HubError("IotHubUnauthorizedAccess", "Unauthorized");
  };
  const device = hub.devices.find(id);
  if (!device) throw refuse("unknown-device", "The registry has no such device.");
  const token = request.headers.authorization ?? "";
  const problem = problemWithCredentials(hub, device, { ...request.peer, token });
  if (problem) throw refuse(...problem);
  hub.devices.touch(id);
}

async function takeEvents(hub: Hub, request: HttpRequest): Promise<HttpAnswer> {
  const device = hub.devices.get(idFrom(request.parameters));
  const batch = request.headers["content-type"]?.startsWith(BATCH_TYPE);
  const messages = batch ? batchOf(request.json()) : [single(request)];
  const read = messages.map(({ body, headers }) => ({ body, ...propertiesOf(headers) }));
  const size = read.reduce((sum, each) => sum + messageSize(each.body.length, each), 0);
  if (size > LARGEST_MESSAGE) {
    throw new HubError("MessageTooLarge", `Messages have at most ${LARGEST_MESSAGE} bytes`);
  }
  const { modelId } = hub.twins.get(idOf(device));
  const scope = authScopeOf(device, request.headers.authorization ?? "");
  const sender = senderOf(device, modelId, scope);
  // All of a batch or nothing: who is refused sends the whole again.
  for (const { body } of read) {
    hub.limits.take("telemetry");
    hub.limits.spend(body.length);
  }
  const kept = read.map(({ body, properties, system }) =>
    hub.events.append({
      sender,
      body: body.toString("base64"),
      properties,
      systemProperties: system,
    }),
  );
  await Promise.all(kept);
  return { status: 204 };
}

interface HttpMessage {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, unknown>>;
}

function single({ body, headers }: HttpRequest): HttpMessage {
  return { body, headers };
}

function batchOf(list: unknown): HttpMessage[] {
  if (!Array.isArray(list)) throw new HubError("ArgumentInvalid", "A batch is a list of messages");
  return list.map((entry) => {
    if (!isObject(entry) || typeof entry.body !== "string") {
      throw new HubError("ArgumentInvalid", "Each message of a batch has a body in base64");
    }
    const encoding = entry.base64Encoded === false ? "utf8" : "base64";
    const headers = isObject(entry.properties) ? lowerCased(entry.properties) : {};
    return { body: Buffer.from(entry.body, encoding), headers };
  });
}

function lowerCased(properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, value]) =>
      name.toLowerCase().startsWith(APPLICATION)
        ? [APPLICATION + name.slice(APPLICATION.length), value]
        : [name.toLowerCase(), value],
    ),
  );
}

const SYSTEM_HEADERS = new Map(
  Object.entries({
    "iothub-messageid": "message-id",
    "iothub-correlationid": "correlation-id",
    "iothub-userid": "user-id",
    "iothub-contenttype": "content-type",
    "iothub-contentencoding": "content-encoding",
    "iothub-interface-id": "iothub-interface-id",
    "iothub-to": "to",
    "dt-subject": "dt-subject",
  }),
);

function propertiesOf(headers: Readonly<Record<string, unknown>>) {
  const properties: [string, string][] = [];
  const system: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    const systemName = SYSTEM_HEADERS.get(name);
    if (systemName !== undefined) system.push([systemName, String(value)]);
    else if (name.startsWith(APPLICATION)) {
      properties.push([name.slice(APPLICATION.length), String(value)]);
    }
  }
  return { properties: Object.fromEntries(properties), system: Object.fromEntries(system) };
}

function receive(hub: Hub, device: Device): HttpAnswer {
  const received = hub.c2d.receive(idOf(device));
  if (!received) return { status: 204 };
  const { message, token } = received;
  return {
    body: Buffer.from(message.body, "base64"),
    headers: { ETag: `"${token}"`, ...messageHeaders(device.deviceId, message) },
  };
}

function messageHeaders(deviceId: string, message: QueuedMessage): Record<string, string> {
  const { correlationId, userId, contentType, contentEncoding, ack, properties } = message;
  const named: [name: string, value: string | undefined][] = [
    ["iothub-messageid", message.messageId],
    ["iothub-to", `/devices/${encodeURIComponent(deviceId)}/messages/deviceBound`],
    ["iothub-sequencenumber", String(message.sequence)],
    ["iothub-enqueuedtime", message.enqueuedTime],
    ["iothub-expiry", new Date(message.expires).toISOString()],
    ["iothub-deliverycount", String(message.deliveryCount)],
    ["iothub-correlationid", correlationId],
    ["iothub-userid", userId],
    ["content-type", contentType],
    ["content-encoding", contentEncoding],
    ["iothub-ack", ack === "none" ? undefined : ack],
    ...Object.entries(properties).map(([name, value]): [string, string] => [
      APPLICATION + headerName(name),
      value,
    ]),
  ];
  return Object.fromEntries(
    named.flatMap(([name, value]) => (value === undefined ? [] : [[name, headerValue(value)]])),
  );
}

/** What HTTP cannot carry is percent-encoded: a message must not stick in its queue over it. */
function headerName(name: string): string {
  const encoded = encodeURIComponent(name);
  return encoded.replace(/[()]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
}

function headerValue(value: string): string {
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$|^$/.test(value)
    ? value
    : encodeURIComponent(value);
}
