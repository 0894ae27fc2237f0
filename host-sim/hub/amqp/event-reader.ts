import rhea, { type Message, type Sender } from "rhea";
import { PARTITIONS, partitionOf, type StoredMessage } from "../events.ts";
import type { Hub } from "../hub.ts";

/** Sends a partition's messages on a link, from where its filter says; the answer ends it. */
export function readEvents(
  hub: Hub,
  sender: Sender,
  partition: number,
  filter: string,
): () => void {
  if (partition >= PARTITIONS) {
    const description = `The hub has the partitions 0 to ${PARTITIONS - 1}.`;
    sender.close({ condition: "com.microsoft:argument-out-of-range", description });
    return () => {};
  }
  const isAfter = startFrom(filter);
  let next = filter.includes("@latest") ? hub.events.nextSequenceNumber : 0;
  const pump = () => {
    for (const message of hub.events.read(next)) {
      if (!sender.is_open() || !sender.sendable()) return;
      next = message.sequenceNumber + 1;
      if (partitionOf(message.deviceId) === partition && isAfter(message)) {
        sender.send(amqpMessage(message));
      }
    }
  };
  sender.on("sendable", pump);
  return hub.events.subscribe(pump);
}

/** `amqp.annotation.x-opt-offset > '12'`, and the same by sequence number or enqueued time. */
function startFrom(filter: string): (message: StoredMessage) => boolean {
  const match = /x-opt-(offset|sequence-number|enqueued-time)\s*(>=?)\s*'([^']*)'/.exec(filter);
  const [, kind, operator, text = ""] = match ?? [];
  if (!match || text === "@latest" || text === "-1") return () => true;
  const bound = Number(text);
  const markOf = (message: StoredMessage) =>
    kind === "enqueued-time" ? Date.parse(message.enqueuedTime) : message.sequenceNumber;
  return operator === ">="
    ? (message) => markOf(message) >= bound
    : (message) => markOf(message) > bound;
}

const MESSAGE_FIELDS: Readonly<Record<string, string>> = {
  "message-id": "message_id",
  "correlation-id": "correlation_id",
  "content-type": "content_type",
  "content-encoding": "content_encoding",
  to: "to",
};

/** A stored message as the Event Hub-compatible endpoint gives it. */
function amqpMessage(message: StoredMessage): Message {
  const { types } = rhea;
  const time = types.wrap_timestamp(Date.parse(message.enqueuedTime));
  const annotations: Record<string, unknown> = {
    "x-opt-sequence-number": types.wrap_long(message.sequenceNumber),
    "x-opt-offset": String(message.sequenceNumber),
    "x-opt-enqueued-time": time,
    "iothub-enqueuedtime": time,
  };
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message.systemProperties)) {
    const field = MESSAGE_FIELDS[name];
    if (field !== undefined) fields[field] = value;
    else if (name === "user-id") fields.user_id = Buffer.from(value);
    else annotations[name] = value;
  }
  return {
    ...fields,
    body: rhea.message.data_section(Buffer.from(message.body, "base64")),
    application_properties: { ...message.properties },
    message_annotations: annotations,
  } as Message;
}
