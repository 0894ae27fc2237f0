import { randomUUID } from "node:crypto";
import type { Clock } from "../clock/index.ts";
import type { Store } from "../store/index.ts";
import { HubError } from "./errors.ts";

/** A cloud-to-device message that waits for its device. */
export interface QueuedMessage {
  readonly sequence: number;
  readonly messageId: string;
  /** Base64 of the body. */
  readonly body: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly correlationId?: string;
  /** Milliseconds since the Unix epoch. */
  readonly expires: number;
  readonly deliveryCount: number;
}

export interface MessageRequest {
  readonly body: Uint8Array;
  readonly messageId?: string;
  readonly correlationId?: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly expires?: number;
}

export type CloudToDevice = ReturnType<typeof createCloudToDevice>;

const QUEUE_DEPTH = 50;
const MAX_BYTES = 65_536;
const TIME_TO_LIVE_MS = 3_600_000;
const MAX_DELIVERY_COUNT = 10;

/** Queues of cloud-to-device messages. `onQueued` is told when one has come. */
export function createCloudToDevice(
  store: Store,
  clock: Clock,
  onQueued: (deviceId: string) => void,
) {
  const prefix = (deviceId: string) => `hub/c2d/${deviceId}/`;
  const key = (deviceId: string, sequence: number) =>
    prefix(deviceId) + String(sequence).padStart(12, "0");

  /** What waits, oldest first; expired messages and those delivered too often are dropped. */
  function waiting(deviceId: string): QueuedMessage[] {
    const alive: QueuedMessage[] = [];
    for (const [, message] of [...store.entries<QueuedMessage>(prefix(deviceId))]) {
      const dead = message.expires <= clock.now() || message.deliveryCount >= MAX_DELIVERY_COUNT;
      if (dead) store.delete(key(deviceId, message.sequence));
      else alive.push(message);
    }
    return alive;
  }

  return {
    waiting,
    enqueue(deviceId: string, request: MessageRequest): QueuedMessage {
      if (request.body.length > MAX_BYTES) {
        throw new HubError(
          "MessageTooLarge",
          `A message to a device has at most ${MAX_BYTES} bytes`,
        );
      }
      if (waiting(deviceId).length >= QUEUE_DEPTH) {
        throw new HubError(
          "DeviceMaximumQueueDepthExceeded",
          `${QUEUE_DEPTH} messages wait for ${deviceId} already`,
        );
      }
      const sequence = (store.get<number>("hub/next-c2d") ?? 0) + 1;
      const message: QueuedMessage = {
        sequence,
        messageId: request.messageId ?? randomUUID(),
        body: Buffer.from(request.body).toString("base64"),
        properties: request.properties ?? {},
        correlationId: request.correlationId,
        expires: request.expires ?? clock.now() + TIME_TO_LIVE_MS,
        deliveryCount: 0,
      };
      store.transaction(() => {
        store.put("hub/next-c2d", sequence);
        store.put(key(deviceId, sequence), message);
      });
      onQueued(deviceId);
      return message;
    },
    complete: (deviceId: string, sequence: number) => store.delete(key(deviceId, sequence)),
    /** @returns how many messages were dropped */
    purge(deviceId: string): number {
      const messages = waiting(deviceId);
      for (const message of messages) store.delete(key(deviceId, message.sequence));
      return messages.length;
    },
  };
}
