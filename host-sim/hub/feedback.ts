import type { Clock, TimerHandle } from "../clock/index.ts";
import type { Store } from "../store/index.ts";
import { createPeers, type Peers } from "./peers.ts";

export type FeedbackStatus =
  | "Success"
  | "Expired"
  | "DeliveryCountExceeded"
  | "Rejected"
  | "Purged";

/** What became of a cloud-to-device message, as the service writes it. */
export interface FeedbackRecord {
  readonly originalMessageId: string;
  readonly description: string;
  readonly deviceGenerationId: string;
  readonly deviceId: string;
  /** ISO 8601. */
  readonly enqueuedTimeUtc: string;
  readonly statusCode: FeedbackStatus;
}

export interface FeedbackBatch {
  readonly records: readonly FeedbackRecord[];
  /** The reader has it: the records are forgotten. */
  accept(): void;
  /** The reader is gone: the records wait for the next one. */
  giveBack(): void;
}

export type Feedback = ReturnType<typeof createFeedback>;

const BATCH = 64;
const INTERVAL_MS = 15_000;

/** The hub's queue of feedback: batches of up to 64 records, at the latest every 15 seconds. */
export function createFeedback(store: Store, clock: Clock, peers: Peers = createPeers()) {
  const key = (sequence: number) => `hub/feedback/${String(sequence).padStart(12, "0")}`;
  const underWay = new Set<string>();
  const readers = new Set<() => void>();
  let timer: TimerHandle | undefined;

  const waiting = () =>
    [...store.entries<FeedbackRecord>("hub/feedback/")].filter(([name]) => !underWay.has(name));

  function wake(): void {
    for (const reader of [...readers]) reader();
  }

  function schedule(): void {
    if (timer !== undefined) return;
    timer = clock.setTimer(INTERVAL_MS, () => {
      timer = undefined;
      wake();
    });
  }

  function wakeOrSchedule(): void {
    if (waiting().length >= BATCH) wake();
    else schedule();
  }
  peers.on("feedback", wakeOrSchedule);

  return {
    add(record: FeedbackRecord): void {
      store.transaction(() => {
        const sequence = (store.get<number>("hub/next-feedback") ?? 0) + 1;
        store.put("hub/next-feedback", sequence);
        store.put(key(sequence), record);
      });
      wakeOrSchedule();
      peers.send("feedback", {});
    },
    /** Up to 64 records that nobody has, or undefined. */
    take(): FeedbackBatch | undefined {
      const entries = waiting().slice(0, BATCH);
      if (entries.length === 0) return undefined;
      for (const [name] of entries) underWay.add(name);
      const free = () => {
        for (const [name] of entries) underWay.delete(name);
      };
      return {
        records: entries.map(([, record]) => record),
        accept() {
          for (const [name] of entries) store.delete(name);
          free();
        },
        giveBack() {
          free();
          schedule();
        },
      };
    },
    /** Calls `reader` when a batch is due; the answer ends it. */
    subscribe(reader: () => void): () => void {
      readers.add(reader);
      if (waiting().length > 0) schedule();
      return () => void readers.delete(reader);
    },
    stop: () => clock.clearTimer(timer),
  };
}
