import { randomUUID } from "node:crypto";
import type { Clock, TimerHandle } from "../clock/index.ts";
import type { Store } from "../store/index.ts";
import { HubError } from "./errors.ts";
import type { FeedbackStatus } from "./feedback.ts";
import type { Settings } from "./settings.ts";

export type Acknowledgement = "none" | "positive" | "negative" | "full";

/** A cloud-to-device message that waits for its device. */
export interface QueuedMessage {
  readonly sequence: number;
  readonly messageId: string;
  /** Base64 of the body. */
  readonly body: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly correlationId?: string;
  readonly userId?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  /** What the sender wants to hear about the message's fate. */
  readonly ack: Acknowledgement;
  /** ISO 8601. */
  readonly enqueuedTime: string;
  /** Milliseconds since the Unix epoch. */
  readonly expires: number;
  /** How often the device gave it back. */
  readonly deliveryCount: number;
}

export type MessageRequest = Pick<QueuedMessage, "contentType" | "contentEncoding" | "userId"> & {
  readonly body: Uint8Array;
  readonly messageId?: string;
  readonly correlationId?: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly expires?: number;
  readonly ack?: Acknowledgement;
};

export type CloudToDevice = ReturnType<typeof createCloudToDevice>;

const QUEUE_DEPTH = 50;
const MAX_BYTES = 65_536;
const LONGEST_LIFE_MS = 2 * 86_400_000;
const LOCK_MS = 60_000;

interface Lock {
  readonly token: string;
  /** Milliseconds since the Unix epoch. */
  readonly until: number;
}

export interface CloudToDeviceOptions {
  readonly settings: Pick<Settings, "get" | "defaultTtlMs">;
  /** A message has come, or come back. */
  onQueued(deviceId: string): void;
  /** A message has met its fate. */
  onSettled(deviceId: string, message: QueuedMessage, status: FeedbackStatus): void;
}

/**
 * Queues of cloud-to-device messages. A message is enqueued, then locked while a device has it, then
 * completed or dead-lettered. Locks live in memory: after a restart everything is enqueued again.
 */
export function createCloudToDevice(store: Store, clock: Clock, options: CloudToDeviceOptions) {
  const prefix = (deviceId: string) => `hub/c2d/${deviceId}/`;
  const key = (deviceId: string, sequence: number) =>
    prefix(deviceId) + String(sequence).padStart(12, "0");
  const locks = new Map<string, Lock>();
  let expiry: TimerHandle | undefined;
  let nextExpiry = Number.POSITIVE_INFINITY;

  function settle(deviceId: string, message: QueuedMessage, status: FeedbackStatus): void {
    locks.delete(key(deviceId, message.sequence));
    store.transaction(() => {
      store.delete(key(deviceId, message.sequence));
      options.onSettled(deviceId, message, status);
    });
  }

  /** All that are alive, oldest first; what has expired is settled on the way. */
  function queued(deviceId: string): QueuedMessage[] {
    const alive: QueuedMessage[] = [];
    for (const [, message] of [...store.entries<QueuedMessage>(prefix(deviceId))]) {
      if (message.expires <= clock.now()) settle(deviceId, message, "Expired");
      else alive.push(message);
    }
    return alive;
  }

  function lockOf(deviceId: string, sequence: number): Lock | undefined {
    const name = key(deviceId, sequence);
    const lock = locks.get(name);
    if (!lock || lock.until > clock.now()) return lock;
    locks.delete(name);
    return undefined;
  }

  /** Enqueued and in nobody's hands. */
  const waiting = (deviceId: string) =>
    queued(deviceId).filter((message) => !lockOf(deviceId, message.sequence));

  /** Takes a message out of sight; the token settles it. `until` absent: as long as the lock holds. */
  function lock(deviceId: string, message: QueuedMessage, until = clock.now() + LOCK_MS): string {
    const token = randomUUID();
    locks.set(key(deviceId, message.sequence), { token, until });
    return token;
  }

  const held = (deviceId: string, token: string) =>
    queued(deviceId).find((each) => lockOf(deviceId, each.sequence)?.token === token);

  function holderOf(deviceId: string, token: string): QueuedMessage {
    const found = held(deviceId, token);
    if (found) return found;
    throw new HubError("DeviceMessageLockLost", "The message is locked no longer by this token");
  }

  function watchExpiry(time: number): void {
    if (time >= nextExpiry) return;
    clock.clearTimer(expiry);
    nextExpiry = time;
    expiry = clock.setTimer(Math.max(0, time - clock.now()), sweep);
  }

  /** Settles what has expired, so that senders hear of it though no device comes. */
  function sweep(): void {
    nextExpiry = Number.POSITIVE_INFINITY;
    for (const [name, message] of [...store.entries<QueuedMessage>("hub/c2d/")]) {
      const deviceId = name.slice("hub/c2d/".length, name.lastIndexOf("/"));
      if (message.expires <= clock.now()) settle(deviceId, message, "Expired");
      else watchExpiry(message.expires);
    }
  }
  sweep();

  return {
    waiting,
    lock,
    count: (deviceId: string) => queued(deviceId).length,
    /** @throws HubError MessageTooLarge, InvalidMessageExpiryTime, DeviceMaximumQueueDepthExceeded */
    enqueue(deviceId: string, request: MessageRequest): QueuedMessage {
      requireAcceptable(request, clock.now());
      if (queued(deviceId).length >= QUEUE_DEPTH) {
        throw new HubError(
          "DeviceMaximumQueueDepthExceeded",
          `${QUEUE_DEPTH} messages wait for ${deviceId} already`,
        );
      }
      const sequence = (store.get<number>("hub/next-c2d") ?? 0) + 1;
      const { body, ...rest } = request;
      const message: QueuedMessage = {
        ...rest,
        sequence,
        messageId: request.messageId ?? randomUUID(),
        body: Buffer.from(body).toString("base64"),
        properties: request.properties ?? {},
        ack: request.ack ?? "none",
        enqueuedTime: new Date(clock.now()).toISOString(),
        expires: request.expires ?? clock.now() + options.settings.defaultTtlMs(),
        deliveryCount: 0,
      };
      store.transaction(() => {
        store.put("hub/next-c2d", sequence);
        store.put(key(deviceId, sequence), message);
      });
      watchExpiry(message.expires);
      options.onQueued(deviceId);
      return message;
    },
    /** Locks the oldest message that waits, for a device that asks over HTTPS. */
    receive(
      deviceId: string,
    ): { readonly message: QueuedMessage; readonly token: string } | undefined {
      const [message] = waiting(deviceId);
      return message && { message, token: lock(deviceId, message) };
    },
    /** Completes a message that may have expired or been purged in the device's hands. */
    acknowledge(deviceId: string, token: string): void {
      const message = held(deviceId, token);
      if (message) settle(deviceId, message, "Success");
    },
    complete: (deviceId: string, token: string) =>
      settle(deviceId, holderOf(deviceId, token), "Success"),
    reject: (deviceId: string, token: string) =>
      settle(deviceId, holderOf(deviceId, token), "Rejected"),
    /** Gives a message back; one that came back too often is dead-lettered. */
    abandon(deviceId: string, token: string): void {
      const message = holderOf(deviceId, token);
      const next = { ...message, deliveryCount: message.deliveryCount + 1 };
      if (next.deliveryCount >= options.settings.get().maxDeliveryCount) {
        return settle(deviceId, next, "DeliveryCountExceeded");
      }
      locks.delete(key(deviceId, message.sequence));
      store.put(key(deviceId, message.sequence), next);
      options.onQueued(deviceId);
    },
    /** The connection that had the message is gone; it waits again, uncounted. */
    release(token: string): void {
      for (const [name, lock] of locks) if (lock.token === token) locks.delete(name);
    },
    /** @returns how many messages were dropped */
    purge(deviceId: string): number {
      const messages = queued(deviceId);
      for (const message of messages) settle(deviceId, message, "Purged");
      return messages.length;
    },
    stop: () => clock.clearTimer(expiry),
  };
}

function requireAcceptable(request: MessageRequest, now: number): void {
  const { expires } = request;
  if (sizeOf(request) > MAX_BYTES) {
    throw new HubError("MessageTooLarge", `A message to a device has at most ${MAX_BYTES} bytes`);
  }
  if (expires === undefined) return;
  if (!(expires > now && expires <= now + LONGEST_LIFE_MS)) {
    throw new HubError("InvalidMessageExpiryTime", "A message expires within the next two days");
  }
}

/** The body, the values of system properties, names and values of application properties. */
function sizeOf({ body, properties = {}, ...system }: MessageRequest): number {
  const { messageId, correlationId, userId, contentType, contentEncoding } = system;
  const texts = [messageId, correlationId, userId, contentType, contentEncoding];
  for (const [name, value] of Object.entries(properties)) texts.push(name, value);
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text ?? ""), body.length);
}
