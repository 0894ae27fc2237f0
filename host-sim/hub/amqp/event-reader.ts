import type { Duplex } from "node:stream";
import rhea, { type Message, type Sender } from "rhea";
import { PARTITIONS, partitionOf, type StoredMessage } from "../events.ts";
import type { Hub } from "../hub.ts";

/** What a reader attached its link with. */
export interface ReaderOptions {
  readonly group: string;
  readonly partition: number;
  /** `amqp.annotation.x-opt-offset > '12'`; empty for all there is. */
  readonly filter: string;
  /** Of a reader that wants the partition for itself. */
  readonly epoch: number | undefined;
}

export type EventReaders = ReturnType<typeof createEventReaders>;

/** Sent before the client's socket is looked at: a client that grants credit may still not read. */
const MOST_BYTES_A_TURN = 1024 * 1024;
const STOLEN = "amqp:link:stolen";

/** Readers of the Event Hub-compatible endpoint. */
export function createEventReaders(hub: Hub) {
  const owners = new Map<string, { readonly epoch: number; readonly sender: Sender }>();

  /** Of two readers that want a partition for themselves the higher epoch has it. */
  function claim(sender: Sender, { group, partition, epoch }: ReaderOptions): boolean {
    const name = `${group}/${partition}`;
    const owner = owners.get(name);
    if (owner?.sender.is_open() && (epoch === undefined || epoch < owner.epoch)) {
      const description = `A reader with epoch ${owner.epoch} has the partition ${partition}.`;
      sender.close({ condition: STOLEN, description });
      return false;
    }
    if (epoch === undefined) return true;
    owner?.sender.close({ condition: STOLEN, description: `Epoch ${epoch} took the partition.` });
    owners.set(name, { epoch, sender });
    return true;
  }

  return {
    /** Sends a partition's messages on a link, from where its filter says; the answer ends it. */
    open(sender: Sender, options: ReaderOptions): () => void {
      const { partition, filter } = options;
      const isAfter = startFrom(filter);
      if (partition >= PARTITIONS) {
        const description = `The hub has the partitions 0 to ${PARTITIONS - 1}.`;
        sender.close({ condition: "com.microsoft:argument-out-of-range", description });
      } else if (!isAfter) {
        const description = `The filter ${filter.slice(0, 200)} is not known.`;
        sender.close({ condition: "amqp:invalid-field", description });
      } else if (claim(sender, options)) return read(hub, sender, partition, filter, isAfter);
      return () => {};
    },
  };
}

type Test = (message: StoredMessage) => boolean;

function read(
  hub: Hub,
  sender: Sender,
  partition: number,
  filter: string,
  isAfter: Test,
): () => void {
  const { socket } = sender.connection as unknown as { socket: Duplex };
  let next = filter.includes("@latest") ? hub.events.nextSequenceNumber : 0;
  let waiting = false;

  const pump = () => send(hub.events.read(next));
  function send(messages: Iterable<StoredMessage>): void {
    let bytes = 0;
    for (const message of messages) {
      if (waiting || !sender.is_open() || !sender.sendable()) return;
      if (bytes > MOST_BYTES_A_TURN) return wait();
      next = message.sequenceNumber + 1;
      if (partitionOf(message.deviceId) !== partition || !isAfter(message)) continue;
      if (isSecurityMessage(message)) continue;
      bytes += message.body.length;
      sender.send(amqpMessage(message));
    }
  }

  /** rhea writes in the next turn; what the socket does not take by then, the client does not read. */
  function wait(): void {
    waiting = true;
    const goOn = () => {
      waiting = false;
      pump();
    };
    setImmediate(() => {
      if (socket.writableNeedDrain) socket.once("drain", goOn);
      else goOn();
    });
  }

  sender.on("sendable", pump);
  return hub.events.subscribe((messages) => {
    if (waiting || !sender.sendable()) return;
    // Who keeps up needs nothing from the store: reading it costs more than storing.
    if (messages[0]?.sequenceNumber === next) send(messages);
    else pump();
  });
}

/** They go to Defender for IoT, past the readers of the endpoint. */
function isSecurityMessage({ systemProperties }: StoredMessage): boolean {
  return systemProperties["iothub-interface-id"] === "urn:azureiot:Security:SecurityAgent:1";
}

const FILTER =
  /^amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time)\s*(>=?)\s*'?([^']*)'?$/;

/** @returns undefined for a filter that is not known */
function startFrom(filter: string): Test | undefined {
  const match = FILTER.exec(filter.trim());
  const [, kind, operator, text = ""] = match ?? [];
  if (filter.trim() === "" || text === "@latest" || text === "-1") return () => true;
  const bound = Number(text);
  if (!match || text === "" || Number.isNaN(bound)) return undefined;
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
  const annotations: Record<string, unknown> = {};
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message.systemProperties)) {
    const field = MESSAGE_FIELDS[name];
    if (field !== undefined) fields[field] = value;
    else if (name === "user-id") fields.user_id = Buffer.from(value);
    else annotations[name] = value;
  }
  const time = types.wrap_timestamp(Date.parse(message.enqueuedTime));
  return {
    ...fields,
    body: rhea.message.data_section(Buffer.from(message.body, "base64")),
    application_properties: { ...message.properties },
    message_annotations: {
      ...annotations,
      "x-opt-sequence-number": types.wrap_long(message.sequenceNumber),
      "x-opt-offset": String(message.sequenceNumber),
      "x-opt-enqueued-time": time,
      "iothub-enqueuedtime": time,
    },
  } as Message;
}
