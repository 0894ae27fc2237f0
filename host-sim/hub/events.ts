import type { Clock } from "../clock/index.ts";
import type { Store } from "../store/index.ts";

/** A stored device-to-cloud message, as readers of the events endpoint see it. */
export interface StoredMessage {
  readonly sequenceNumber: number;
  /** ISO 8601. */
  readonly enqueuedTime: string;
  readonly deviceId: string;
  /** Base64 of the body. */
  readonly body: string;
  readonly properties: Readonly<Record<string, string | null>>;
  readonly systemProperties: Readonly<Record<string, string>>;
}

export type Events = ReturnType<typeof createEvents>;

/** How many messages are kept; the oldest go first. */
const KEPT = 100_000;

export function createEvents(store: Store, clock: Clock) {
  const key = (sequence: number) => `hub/events/${String(sequence).padStart(12, "0")}`;
  const listeners = new Set<(message: StoredMessage) => void>();
  let next = store.get<number>("hub/next-event") ?? 0;

  return {
    get nextSequenceNumber() {
      return next;
    },
    /** When it returns the message is kept; the acknowledgement may be sent. */
    append(message: Omit<StoredMessage, "sequenceNumber" | "enqueuedTime">): StoredMessage {
      const enqueuedTime = new Date(clock.now()).toISOString();
      const stored = { sequenceNumber: next, enqueuedTime, ...message };
      store.transaction(() => {
        store.put(key(next), stored);
        store.put("hub/next-event", next + 1);
        if (next >= KEPT) store.delete(key(next - KEPT));
      });
      next += 1;
      for (const listener of listeners) listener(stored);
      return stored;
    },
    /** Messages from `sequenceNumber` on that are kept now. */
    *read(sequenceNumber = 0): Iterable<StoredMessage> {
      for (let at = Math.max(sequenceNumber, next - KEPT, 0); at < next; at++) {
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
