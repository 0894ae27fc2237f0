import { randomUUID } from "node:crypto";
import type { Clock, TimerHandle } from "../clock/index.ts";
import type { Store } from "../store/index.ts";
import { HubError } from "./errors.ts";
import type { FeedbackStatus } from "./feedback.ts";
import type { Settings } from "./settings.ts";

const ACKNOWLEDGEMENTS = ["none", "positive", "negative", "full"] as const;
export type Acknowledgement = (typeof ACKNOWLEDGEMENTS)[number];

export function isAcknowledgement(value: unknown): value is Acknowledgement {
  return ACKNOWLEDGEMENTS.some((each) => each === value);
}

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

/** A message that is in somebody's hands. */
interface Lock {
  /** Settles it. */
  readonly token: string;
  /** The MQTT connection that has it: the lock ends with it. */
  readonly connection?: string;
  /** Without a connection it ends by itself, in milliseconds since the Unix epoch. */
  readonly until?: number;
}

interface Kept extends QueuedMessage {
  readonly lock?: Lock;
  /** It was sent over MQTT before. */
  readonly delivered?: boolean;
}

/** A message that was given to a connection. */
export interface Delivery {
  readonly message: QueuedMessage;
  readonly token: string;
  /** It was sent before and came back. */
  readonly again: boolean;
}

export interface CloudToDeviceOptions {
  readonly settings: Pick<Settings, "get" | "defaultTtlMs">;
  /** Whether a connection of the device still is the present one. */
  isCurrent(deviceId: string, connection: string): boolean;
  /** A message has come, or come back. */
  onQueued(deviceId: string): void;
  /** A message has met its fate. */
  onSettled(deviceId: string, message: QueuedMessage, status: FeedbackStatus): void;
}

/**
 * Queues of cloud-to-device messages. A message is enqueued, then locked while a device has it, then
 * completed or dead-lettered.
 */
export function createCloudToDevice(store: Store, clock: Clock, options: CloudToDeviceOptions) {
  const prefix = (deviceId: string) => `hub/c2d/${deviceId}/`;
  const key = (deviceId: string, sequence: number) =>
    prefix(deviceId) + String(sequence).padStart(12, "0");
  let expiry: TimerHandle | undefined;
  let nextExpiry = Number.POSITIVE_INFINITY;

  /** Two processes may find at once that a message has expired; it meets its fate once. */
  function settle(deviceId: string, { sequence }: QueuedMessage, status: FeedbackStatus): void {
    store.transaction(() => {
      const message = store.get<Kept>(key(deviceId, sequence));
      if (!message) return;
      store.delete(key(deviceId, sequence));
      options.onSettled(deviceId, message, status);
    });
  }

  /** All that are alive, oldest first; what has expired is settled on the way. */
  function queued(deviceId: string): Kept[] {
    const alive: Kept[] = [];
    for (const [, message] of [...store.entries<Kept>(prefix(deviceId))]) {
      if (message.expires <= clock.now()) settle(deviceId, message, "Expired");
      else alive.push(message);
    }
    return alive;
  }

  function isLocked(deviceId: string, { lock }: Kept): boolean {
    if (lock?.connection !== undefined) return options.isCurrent(deviceId, lock.connection);
    return (lock?.until ?? 0) > clock.now();
  }

  /** Enqueued and in nobody's hands. */
  const waiting = (deviceId: string) =>
    queued(deviceId).filter((message) => !isLocked(deviceId, message));

  /** Takes a message out of sight. */
  function lock(deviceId: string, message: Kept, holder: Omit<Lock, "token">): Delivery {
    const token = randomUUID();
    const delivered = message.delivered === true || holder.connection !== undefined;
    store.put(key(deviceId, message.sequence), {
      ...message,
      lock: { token, ...holder },
      delivered,
    });
    return { message, token, again: message.delivered === true };
  }

  const held = (deviceId: string, token: string) =>
    queued(deviceId).find((each) => each.lock?.token === token && isLocked(deviceId, each));

  function holderOf(deviceId: string, token: string): Kept {
    const found = held(deviceId, token);
    if (found) return found;
    throw new HubError("DeviceMessageLockLost", "The message is locked no longer by this token");
  }

  function add(deviceId: string, { body, ...request }: MessageRequest): QueuedMessage {
    if (queued(deviceId).length >= QUEUE_DEPTH) {
      throw new HubError(
        "DeviceMaximumQueueDepthExceeded",
        `${QUEUE_DEPTH} messages wait for ${deviceId} already`,
      );
    }
    const sequence = (store.get<number>("hub/next-c2d") ?? 0) + 1;
    const message: QueuedMessage = {
      ...request,
      sequence,
      messageId: request.messageId ?? randomUUID(),
      body: Buffer.from(body).toString("base64"),
      properties: request.properties ?? {},
      ack: request.ack ?? "none",
      enqueuedTime: new Date(clock.now()).toISOString(),
      expires: request.expires ?? clock.now() + options.settings.defaultTtlMs(),
      deliveryCount: 0,
    };
    store.put("hub/next-c2d", sequence);
    store.put(key(deviceId, sequence), message);
    return message;
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
    waiting: (deviceId: string): readonly QueuedMessage[] => waiting(deviceId),
    /** Gives all messages that wait to a connection. */
    deliver(deviceId: string, connection: string): readonly Delivery[] {
      if (waiting(deviceId).length === 0) return [];
      return store.transaction(() =>
        waiting(deviceId).map((message) => lock(deviceId, message, { connection })),
      );
    },
    /** Gives them without waiting for an answer. */
    take(deviceId: string): readonly QueuedMessage[] {
      const messages = waiting(deviceId);
      for (const message of messages) settle(deviceId, message, "Success");
      return messages;
    },
    count: (deviceId: string) => queued(deviceId).length,
    /** @throws HubError MessageTooLarge, InvalidMessageExpiryTime, DeviceMaximumQueueDepthExceeded */
    enqueue(deviceId: string, request: MessageRequest): QueuedMessage {
      requireAcceptable(request, clock.now());
      const message = store.transaction(() => add(deviceId, request));
      watchExpiry(message.expires);
      options.onQueued(deviceId);
      return message;
    },
    /** Locks the oldest message that waits, for a device that asks over HTTPS. */
    receive(
      deviceId: string,
    ): { readonly message: QueuedMessage; readonly token: string } | undefined {
      return store.transaction(() => {
        const [message] = waiting(deviceId);
        return message && lock(deviceId, message, { until: clock.now() + LOCK_MS });
      });
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
      store.transaction(() => {
        const { lock: _lock, ...message } = holderOf(deviceId, token);
        const next = { ...message, deliveryCount: message.deliveryCount + 1 };
        store.put(key(deviceId, message.sequence), next);
        if (next.deliveryCount < options.settings.get().maxDeliveryCount) return;
        settle(deviceId, next, "DeliveryCountExceeded");
      });
      options.onQueued(deviceId);
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
  const { body, expires } = request;
  const texts = textsOf(request);
  // Half a surrogate pair cannot be written in UTF-8: the message would stick in its queue.
  if (texts.some((text) => Buffer.from(text).toString() !== text)) {
    throw new HubError("ArgumentInvalid", "A text of the message is no Unicode");
  }
  if (texts.reduce((sum, text) => sum + Buffer.byteLength(text), body.length) > MAX_BYTES) {
    throw new HubError("MessageTooLarge", `A message to a device has at most ${MAX_BYTES} bytes`);
  }
  if (expires === undefined) return;
  if (!(expires > now && expires <= now + LONGEST_LIFE_MS)) {
    throw new HubError("InvalidMessageExpiryTime", "A message expires within the next two days");
  }
}

/** Values of system properties, names and values of application properties: they count too. */
function textsOf({ properties = {}, ...system }: MessageRequest): string[] {
  const { messageId, correlationId, userId, contentType, contentEncoding } = system;
  const texts = [messageId, correlationId, userId, contentType, contentEncoding];
  for (const [name, value] of Object.entries(properties)) texts.push(name, value);
  return texts.filter((text) => text !== undefined);
}
