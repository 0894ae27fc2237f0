import { createHash } from "node:crypto";
import type { Clock } from "../clock/index.ts";
import type { Change, Store } from "../store/index.ts";
import type { Device } from "./devices.ts";
import { createPeers, type Peers } from "./peers.ts";

/** A stored device-to-cloud message, as readers of the events endpoint see it. */
export interface StoredMessage {
  /** Grows over all partitions. */
  readonly sequenceNumber: number;
  /** ISO 8601. */
  readonly enqueuedTime: string;
  readonly deviceId: string;
  readonly moduleId?: string;
  /** Base64 of the body. */
  readonly body: string;
  readonly properties: Readonly<Record<string, string | null>>;
  readonly systemProperties: Readonly<Record<string, string>>;
}

/** Who sends: the same object for all messages of a connection. */
export interface Sender {
  readonly deviceId: string;
  readonly moduleId?: string;
  /** What the hub notes on each message, among the system properties. */
  readonly annotations: Readonly<Record<string, string>>;
}

export interface NewMessage {
  readonly sender: Sender;
  /** Base64 of the body. */
  readonly body: string;
  readonly properties: Readonly<Record<string, string | null>>;
  readonly systemProperties: Readonly<Record<string, string>>;
}

export type Events = ReturnType<typeof createEvents>;

/** As many as a new S1 hub has. */
export const PARTITIONS = 4;
/** How many messages are kept; the oldest go first. */
const KEPT = 100_000;
/** Old messages are looked for after so many new ones. */
const TRIM_AFTER = 1_000;
/** Messages of a segment at most; it is read as a whole. */
const LONGEST_SEGMENT = 256;
const NEXT = "hub/next-event";
const PREFIX = "hub/events/";

/** The partition of a device's messages: always the same, so that their order is kept. */
export function partitionOf(deviceId: string): number {
  return (createHash("sha256").update(deviceId).digest()[0] ?? 0) % PARTITIONS;
}

/** Whose key or certificate let the sender in: its own, or that of a shared access policy. */
export type AuthScope = "own" | "hub";

/** The sender that a device is, with annotations that tell how it was authenticated. */
export function senderOf(device: Device, modelId = "", scope: AuthScope = "own"): Sender {
  const { deviceId, moduleId, generationId, authentication } = device;
  const annotations = {
    "iothub-connection-device-id": deviceId,
    ...(moduleId === undefined ? {} : { "iothub-connection-module-id": moduleId }),
    "iothub-connection-auth-generation-id": generationId,
    "iothub-connection-auth-method": JSON.stringify({
      scope: scope === "hub" ? "hub" : moduleId === undefined ? "device" : "module",
      type: authentication.type === "sas" ? "sas" : "x509",
      issuer: "iothub",
    }),
    "iothub-message-source": "Telemetry",
    ...(modelId ? { "dt-dataschema": modelId } : {}),
  };
  return { deviceId, ...(moduleId === undefined ? {} : { moduleId }), annotations };
}

/** A message as it is kept, without what all of its sender's have in common. */
interface Kept {
  readonly enqueuedMs: number;
  readonly body: string;
  readonly properties: NewMessage["properties"];
  readonly systemProperties: NewMessage["systemProperties"];
}

/**
 * Messages that were stored together: a put costs more than many messages. It stands under the
 * sequence number of its first one.
 */
interface Segment {
  readonly senders: readonly Sender[];
  readonly messages: readonly (Kept & { readonly sender: number })[];
}

interface Waiting {
  readonly sender: Sender;
  readonly kept: Kept;
  readonly onStored: (() => void) | undefined;
}

const keyOf = (sequence: number) => PREFIX + String(sequence).padStart(12, "0");

function segmentOf(batch: readonly Waiting[]): Segment {
  const numbers = new Map<Sender, number>();
  const messages = batch.map(({ sender, kept }) => {
    const number = numbers.get(sender) ?? numbers.size;
    numbers.set(sender, number);
    return { sender: number, ...kept };
  });
  return { senders: [...numbers.keys()], messages };
}

function storedMessage(sequenceNumber: number, sender: Sender, kept: Kept): StoredMessage {
  const { annotations, ...who } = sender;
  const { enqueuedMs, body, properties, systemProperties } = kept;
  return {
    sequenceNumber,
    enqueuedTime: new Date(enqueuedMs).toISOString(),
    ...who,
    body,
    properties,
    systemProperties: { ...systemProperties, ...annotations },
  };
}

/** The built-in events endpoint: what devices sent, in order, until it is too old. */
export function createEvents(store: Store, clock: Clock, peers: Peers = createPeers("main", true)) {
  const listeners = new Set<(messages: readonly StoredMessage[]) => void>();
  const stored = () => store.get<number>(NEXT) ?? 0;
  let queue: Waiting[] = [];
  let storing: Promise<void> = Promise.resolve();
  let sinceTrim = 0;
  /** What listeners hear next, where several processes store. */
  let untold = stored();

  function changesFor(batch: readonly Waiting[], first: number): Change[] {
    const changes: Change[] = [[NEXT, first + batch.length]];
    for (let at = 0; at < batch.length; at += LONGEST_SEGMENT) {
      changes.push([keyOf(first + at), segmentOf(batch.slice(at, at + LONGEST_SEGMENT))]);
    }
    sinceTrim += batch.length;
    if (sinceTrim >= TRIM_AFTER) changes.push(...tooOld(first));
    return changes;
  }

  function tooOld(first: number): Change[] {
    sinceTrim = 0;
    const limit = keyOf(Math.max(0, first - KEPT));
    const changes: Change[] = [];
    for (const key of store.keys(PREFIX)) {
      if (key >= limit) break;
      changes.push([key, undefined]);
    }
    return changes;
  }

  /** @returns the number of the first */
  async function keep(batch: readonly Waiting[]): Promise<number> {
    for (;;) {
      store.refresh();
      const first = stored();
      // Where another process was quicker, its segment stands under this number.
      if (await store.putSoon(changesFor(batch, first), keyOf(first))) return first;
    }
  }

  /** One transaction for all that waits: a commit costs more than many writes. */
  async function storeQueue(): Promise<void> {
    const batch = queue;
    queue = [];
    const first = await keep(batch);
    for (const { onStored } of batch) onStored?.();
    if (peers.alone) tell(batch, first);
    else tellStored();
    peers.send("stored", {});
  }

  function tell(batch: readonly Waiting[], first: number): void {
    if (listeners.size === 0) return;
    const messages = batch.map(({ sender, kept }, index) =>
      storedMessage(first + index, sender, kept),
    );
    for (const listener of listeners) listener(messages);
  }

  /** Tells all that is new, whoever stored it, in the order of the numbers. */
  function tellStored(): void {
    const messages = listeners.size > 0 ? [...read(untold)] : [];
    untold = Math.max(untold, stored(), (messages.at(-1)?.sequenceNumber ?? -1) + 1);
    if (messages.length > 0) for (const listener of listeners) listener(messages);
  }

  /**
   * What comes during a commit goes with the next one: fewer commits, and fewer writes to sockets for
   * acknowledgements. Among several processes a commit that comes too late must have none behind it.
   */
  async function storeSoon(): Promise<void> {
    const before = storing;
    await new Promise(setImmediate);
    await before;
    await storeQueue();
  }

  function* read(sequenceNumber = 0): Iterable<StoredMessage> {
    const from = Math.max(sequenceNumber, stored() - KEPT, 0);
    const start = keyOf(Math.max(0, from - LONGEST_SEGMENT + 1));
    for (const [key, { senders, messages }] of store.entries<Segment>(PREFIX, start)) {
      const first = Number(key.slice(PREFIX.length));
      for (const [index, kept] of messages.entries()) {
        const sender = senders[kept.sender];
        if (sender && first + index >= from) yield storedMessage(first + index, sender, kept);
      }
    }
  }

  peers.on("stored", tellStored);

  /** Keeps the message soon; `onStored` is called when it is, and may acknowledge it. */
  function enqueue(message: NewMessage, onStored?: () => void): void {
    if (queue.length === 0) storing = storeSoon();
    const { sender, body, properties, systemProperties } = message;
    const kept = { enqueuedMs: clock.now(), body, properties, systemProperties };
    queue.push({ sender, kept, onStored });
  }

  return {
    /** Behind the last message that is kept. */
    get nextSequenceNumber() {
      return stored();
    },
    enqueue,
    /** When it resolves the message is kept. */
    append: (message: NewMessage): Promise<void> =>
      new Promise((resolve) => enqueue(message, resolve)),
    /** When it resolves all that came before is kept. */
    flush: (): Promise<void> => storing,
    /** Messages from `sequenceNumber` on that are kept now. */
    read,
    /** Calls `listener` with what is stored together from now on, in order; the answer ends it. */
    subscribe(listener: (messages: readonly StoredMessage[]) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
