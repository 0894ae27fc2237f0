import { createHash } from "node:crypto";
import type { Clock } from "../clock/index.ts";
import type { Change, Store } from "../store/index.ts";
import type { Device } from "./devices.ts";

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

export type NewMessage = Omit<StoredMessage, "sequenceNumber" | "enqueuedTime">;
export type Events = ReturnType<typeof createEvents>;

/** As many as a new S1 hub has. */
export const PARTITIONS = 4;
/** How many messages are kept; the oldest go first. */
const KEPT = 100_000;

/** The partition of a device's messages: always the same, so that their order is kept. */
export function partitionOf(deviceId: string): number {
  return (createHash("sha256").update(deviceId).digest()[0] ?? 0) % PARTITIONS;
}

/** Whose key or certificate let the sender in: its own, or that of a shared access policy. */
export type AuthScope = "own" | "hub";

/** The annotations that tell a reader who sent a message, and how it was authenticated. */
export function connectionProperties(
  device: Device,
  modelId = "",
  scope: AuthScope = "own",
): Record<string, string> {
  const { deviceId, moduleId, generationId, authentication } = device;
  return {
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
}

interface Waiting {
  readonly message: StoredMessage;
  readonly onStored: (() => void) | undefined;
}

/** The built-in events endpoint: what devices sent, in order, until it is too old. */
export function createEvents(store: Store, clock: Clock) {
  const key = (sequence: number) => `hub/events/${String(sequence).padStart(12, "0")}`;
  const listeners = new Set<(message: StoredMessage) => void>();
  let stored = store.get<number>("hub/next-event") ?? 0;
  let next = stored;
  let queue: Waiting[] = [];
  let storing: Promise<void> = Promise.resolve();

  function changesOf(batch: readonly Waiting[], end: number): Change[] {
    const changes: Change[] = [["hub/next-event", end]];
    for (const { message } of batch) {
      changes.push([key(message.sequenceNumber), message]);
      const oldest = message.sequenceNumber - KEPT;
      if (oldest >= 0) changes.push([key(oldest), undefined]);
    }
    return changes;
  }

  /** One transaction for all of a turn: a commit costs more than many writes. */
  async function storeQueue(): Promise<void> {
    const batch = queue;
    const end = next;
    queue = [];
    await store.putSoon(changesOf(batch, end));
    stored = end;
    for (const { message, onStored } of batch) {
      onStored?.();
      for (const listener of listeners) listener(message);
    }
  }

  /** The next turn's messages do not wait for this turn's commit; commits keep their order. */
  async function storeSoon(): Promise<void> {
    const before = storing;
    await new Promise(setImmediate);
    await Promise.all([storeQueue(), before]);
  }

  function enqueue(message: NewMessage, onStored?: () => void): StoredMessage {
    const enqueuedTime = new Date(clock.now()).toISOString();
    const complete = { sequenceNumber: next++, enqueuedTime, ...message };
    if (queue.length === 0) storing = storeSoon();
    queue.push({ message: complete, onStored });
    return complete;
  }

  return {
    get nextSequenceNumber() {
      return stored;
    },
    /** When it resolves the message is kept. */
    append: (message: NewMessage): Promise<StoredMessage> =>
      new Promise((resolve) => {
        const complete = enqueue(message, () => resolve(complete));
      }),
    /** Keeps the message soon; `onStored` is called when it is, and may acknowledge it. */
    enqueue,
    /** When it resolves all that came before is kept. */
    flush: (): Promise<void> => storing,
    /** Messages from `sequenceNumber` on that are kept now. */
    *read(sequenceNumber = 0): Iterable<StoredMessage> {
      for (let at = Math.max(sequenceNumber, stored - KEPT, 0); at < stored; at++) {
        const message = store.get<StoredMessage>(key(at));
        if (message) yield message;
      }
    },
    /** Calls `listener` for every message from now on; the answer ends it. */
    subscribe(listener: (message: StoredMessage) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
