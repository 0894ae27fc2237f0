import type { Delivery, Message } from "rhea";
import { LabError, messageOf } from "../../errors.ts";
import { type Acknowledgement, isAcknowledgement } from "../c2d.ts";
import { idOf } from "../devices.ts";
import { HubError } from "../errors.ts";
import type { Hub } from "../hub.ts";

const CONDITIONS: Readonly<Record<string, string>> = {
  DeviceNotFound: "amqp:not-found",
  ModuleNotFound: "amqp:not-found",
  DeviceMaximumQueueDepthExceeded: "amqp:resource-limit-exceeded",
  IotHubQuotaExceeded: "amqp:resource-limit-exceeded",
  ThrottlingException: "com.microsoft:device-container-throttled",
  MessageTooLarge: "amqp:link:message-size-exceeded",
};

/** A service's message to a device: queued and accepted, or rejected with its reason. */
export function onDeviceboundMessage(hub: Hub, message: Message, delivery: Delivery): void {
  try {
    hub.limits.take("messages");
    queue(hub, message);
    delivery.accept();
  } catch (error) {
    const name = error instanceof HubError ? error.name : "";
    const ours = error instanceof LabError ? "amqp:internal-error" : "amqp:not-allowed";
    const condition = CONDITIONS[name] ?? ours;
    delivery.reject({ condition, description: messageOf(error) });
  }
}

function queue(hub: Hub, message: Message): void {
  const to = /^\/devices\/([^/]+)(?:\/modules\/([^/]+))?\/messages\/devicebound$/i.exec(
    String(message.to ?? ""),
  );
  if (!to) throw new HubError("ArgumentInvalid", `A message cannot go to ${message.to}`);
  const deviceId = decodeURIComponent(to[1] ?? "");
  const moduleId = to[2] === undefined ? undefined : decodeURIComponent(to[2]);
  const device = hub.devices.get(idOf({ deviceId, moduleId }));
  const { "iothub-ack": ack, ...properties } = message.application_properties ?? {};
  const body = bodyOf(message.body);
  hub.limits.spend(body.length);
  hub.c2d.enqueue(idOf(device), {
    body,
    messageId: textOf(message.message_id),
    correlationId: textOf(message.correlation_id),
    userId: textOf(message.user_id),
    contentType: message.content_type,
    contentEncoding: message.content_encoding,
    ack: acknowledgementOf(ack),
    expires: expiryOf(message),
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [name, String(value)]),
    ),
  });
}

function acknowledgementOf(value: unknown): Acknowledgement {
  if (value === undefined || value === null) return "none";
  if (isAcknowledgement(value)) return value;
  throw new HubError("ArgumentInvalid", `iothub-ack is none, positive, negative or full`);
}

function expiryOf(message: Message): number | undefined {
  const time = message.absolute_expiry_time as number | Date | undefined;
  return time === undefined || time === null ? undefined : Number(time);
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return Buffer.isBuffer(value) ? value.toString("utf8") : String(value);
}

/** AMQP carries data, a text, or a value. */
function bodyOf(body: unknown): Buffer {
  const content = (body as { content?: unknown } | null)?.content ?? body;
  if (Buffer.isBuffer(content)) return content;
  if (Array.isArray(content)) return Buffer.concat(content.map(bodyOf));
  if (content === undefined || content === null) return Buffer.alloc(0);
  return Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
}
