import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import { generate, type IConnectPacket, type Packet } from "mqtt-packet";
import type { Clock, TimerHandle } from "../../clock/index.ts";
import type { Delivery, QueuedMessage } from "../c2d.ts";
import { type OwnConnection, takesMethod } from "../connections.ts";
import { type Device, idOf } from "../devices.ts";
import { type AuthScope, type Sender, senderOf } from "../events.ts";
import type { Hub } from "../hub.ts";
import type { JsonObject } from "../json.ts";
import type { RefusalReason } from "../refusals.ts";
import type { Session } from "../sessions.ts";
import { onPublish, onSubscribe, onUnsubscribe, storeTelemetry } from "./handlers.ts";
import { formatBag, type MessageProperties, parseBag } from "./property-bag.ts";
import { type SilenceWatch, watchSilence } from "./silence.ts";
import { parsePublication, type Subscription } from "./topics.ts";

/** A sender that is faster than the store is not read from until it catches up. */
const MOST_UNSTORED = 1_000;
/** A reader that does not keep up is cut off instead of filling the memory. */
const LARGEST_BACKLOG = 4 * 1024 * 1024;
/** Bytes; those of twice as many messages as a device can have under way. */
const MOST_UNREAD_ACKNOWLEDGEMENTS = 512 * 1024;

const NO_PROPERTIES: MessageProperties = parseBag("");

export interface Accepted {
  readonly hub: Hub;
  readonly socket: Duplex;
  /** `host:port` of the peer. */
  readonly address: string;
  readonly device: Device;
  readonly modelId: string;
  /** Whose key let the device in. */
  readonly scope: AuthScope;
  readonly session: Session;
  /** Seconds, as the CONNECT has them. */
  readonly keepAlive: number;
  readonly will: IConnectPacket["will"];
  /** When the device's token ends, in milliseconds since the epoch. */
  readonly validUntil: number | undefined;
  /** Real time: keep-alive is about the socket, and the lab's clock may leap over hours. */
  readonly transportClock: Clock;
}

/** One device's connection after its CONNECT was accepted. */
export class MqttConnection implements OwnConnection {
  readonly hub: Hub;
  readonly device: Device;
  readonly key = randomUUID();
  /** Who the hub says has sent the messages of this connection. */
  readonly sender: Sender;
  readonly subscriptions: Map<Subscription, number>;
  readonly #accepted: Accepted;
  /** Packet id of a message that was sent → what settles it. */
  readonly #inFlight = new Map<number, string>();
  readonly #silence: SilenceWatch;
  readonly #tokenEnd: TimerHandle | undefined;
  readonly #since: string;
  #bag = "";
  #properties = NO_PROPERTIES;
  #nextPacketId = 1;
  #corked = false;
  /** Packet ids that are acknowledged in this turn. */
  #acknowledged: number[] = [];
  #unstored = 0;
  #open = true;
  #graceful = false;

  constructor(accepted: Accepted) {
    this.#accepted = accepted;
    this.hub = accepted.hub;
    this.device = accepted.device;
    this.sender = senderOf(accepted.device, accepted.modelId, accepted.scope);
    this.subscriptions = accepted.session.subscriptions;
    this.#since = new Date(accepted.hub.clock.now()).toISOString();
    this.#silence = watchSilence(accepted.transportClock, accepted.keepAlive, (seconds) =>
      this.refuse("keep-alive", `Nothing came for ${seconds} s.`),
    );
    const { validUntil, hub } = accepted;
    if (validUntil === undefined) return;
    this.#tokenEnd = hub.clock.setTimer(validUntil - hub.clock.now(), () =>
      this.refuse("bad-token", "The token of the connection has expired."),
    );
  }

  /** `device` or `device/module`. */
  get id(): string {
    return idOf(this.device);
  }

  get connectedSince(): string {
    return this.#since;
  }

  get methods(): readonly string[] {
    return [...this.subscriptions.keys()].flatMap((kind) => {
      const [subject, method = "*"] = kind.split("/");
      return subject === "methods" ? [method] : [];
    });
  }

  takesMethod(name: string): boolean {
    return takesMethod(this.methods, name);
  }

  /** What it subscribed to has changed. */
  subscriptionsChanged(): void {
    this.#accepted.session.keep();
    this.hub.connections.subscriptionsChanged(this.id);
  }

  /** A bag of properties; most devices say the same of message after message, and pay for it once. */
  read(bag: string): MessageProperties {
    if (bag !== this.#bag) {
      this.#properties = parseBag(bag);
      this.#bag = bag;
    }
    return this.#properties;
  }

  trackingId(): string {
    return randomUUID();
  }

  /** Handles a packet after CONNECT. */
  receive(packet: Packet): void {
    // Behind a DISCONNECT nothing counts.
    if (!this.#open || this.#graceful) return;
    this.#silence.heard();
    switch (packet.cmd) {
      case "publish":
        onPublish(this, packet);
        return;
      case "subscribe":
        onSubscribe(this, packet);
        return;
      case "unsubscribe":
        onUnsubscribe(this, packet);
        return;
      case "puback":
        this.#complete(packet.messageId ?? 0);
        return;
      case "pingreq":
        this.send({ cmd: "pingresp" });
        return;
      case "disconnect":
        this.#graceful = true;
        void this.#endWhenStored();
        return;
      default:
        this.refuse("protocol-error", `A device does not send ${packet.cmd}.`);
    }
  }

  /** What came before the DISCONNECT is acknowledged before the end. */
  async #endWhenStored(): Promise<void> {
    const { socket } = this.#accepted;
    try {
      await this.hub.events.flush();
    } finally {
      socket.end();
    }
  }

  send(packet: Packet): void {
    if (!this.#open) return;
    const { socket } = this.#accepted;
    if (socket.writableLength > LARGEST_BACKLOG) {
      this.refuse("protocol-error", "The device does not read what it is sent.");
      return;
    }
    this.#corkForThisTurn();
    socket.write(generate(packet));
  }

  /** PUBACK; thousands a second go out, so those of a turn are written by hand as one buffer. */
  acknowledge(packetId: number): void {
    if (!this.#open) return;
    const { socket } = this.#accepted;
    if (socket.writableLength > MOST_UNREAD_ACKNOWLEDGEMENTS) {
      this.refuse(
        "protocol-error",
        "The device does not read the acknowledgements of its messages.",
      );
      return;
    }
    this.#corkForThisTurn();
    this.#acknowledged.push(packetId);
  }

  /** Counts a message that is not kept yet. */
  hold(): void {
    this.#unstored += 1;
    if (this.#unstored === MOST_UNSTORED) this.#accepted.socket.pause();
  }

  /** The message is kept, or will never be. */
  release(): void {
    this.#unstored -= 1;
    if (this.#unstored === MOST_UNSTORED / 2) this.#accepted.socket.resume();
  }

  sendDesired(patch: JsonObject): void {
    if (!this.subscriptions.has("desired")) return;
    const topic = `$iothub/twin/PATCH/properties/desired/?$version=${patch.$version}`;
    this.#publish(topic, JSON.stringify(patch));
  }

  sendMethod(requestId: string, name: string, payload: string): void {
    this.#publish(`$iothub/methods/POST/${name}/?$rid=${requestId}`, payload);
  }

  /** Sends what waits in the device's queue and is not under way. */
  deliverMessages(): void {
    const qos = this.subscriptions.get("messages");
    if (qos === undefined) return;
    const { c2d } = this.hub;
    if (qos === 0) for (const message of c2d.take(this.id)) this.#deliver(message);
    else
      for (const { message, ...way } of c2d.deliver(this.id, this.key)) this.#deliver(message, way);
  }

  close(reason: "replaced" | "disabled-device", detail: string): void {
    this.refuse(reason, detail);
  }

  /** Ends the connection and keeps the reason where users find it. */
  refuse(reason: RefusalReason, detail: string): void {
    if (!this.#open) return;
    const { socket, address } = this.#accepted;
    this.hub.refusals.add({ deviceId: this.id, address, reason, detail });
    socket.destroy();
    this.closed();
  }

  /** The socket is gone: sends the will after an end without DISCONNECT. */
  closed(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#silence.stop();
    this.hub.clock.clearTimer(this.#tokenEnd);
    this.hub.connections.remove(this.id, this);
    this.hub.devices.touch(this.id);
    if (!this.#graceful) this.#sendWill();
  }

  #publish(topic: string, payload: string): void {
    this.send({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false });
  }

  /** @param way absent for QoS 0 */
  #deliver(message: QueuedMessage, way?: Pick<Delivery, "token" | "again">): void {
    const to = `/devices/${this.device.deviceId}/messages/devicebound`;
    const bag = formatBag([
      ["$.to", to],
      ["$.mid", message.messageId],
      ...systemPairs(message),
      ...Object.entries(message.properties),
    ]);
    const packetId = this.#packetId();
    if (way) this.#inFlight.set(packetId, way.token);
    this.send({
      cmd: "publish",
      topic: `${to.slice(1)}/${bag}`,
      payload: Buffer.from(message.body, "base64"),
      qos: way ? 1 : 0,
      messageId: packetId,
      dup: way?.again ?? false,
      retain: false,
    });
  }

  #packetId(): number {
    do {
      this.#nextPacketId = (this.#nextPacketId % 65_535) + 1;
    } while (this.#inFlight.has(this.#nextPacketId));
    return this.#nextPacketId;
  }

  #complete(packetId: number): void {
    const token = this.#inFlight.get(packetId);
    if (token === undefined) return;
    this.#inFlight.delete(packetId);
    this.hub.c2d.acknowledge(this.id, token);
  }

  /** What is sent in one turn leaves in one TLS record and one system call. */
  #corkForThisTurn(): void {
    if (this.#corked) return;
    this.#corked = true;
    const { socket } = this.#accepted;
    socket.cork();
    queueMicrotask(() => {
      this.#corked = false;
      if (this.#acknowledged.length > 0) socket.write(pubacks(this.#acknowledged));
      this.#acknowledged = [];
      socket.uncork();
    });
  }

  #sendWill(): void {
    const { will } = this.#accepted;
    const publication = will && parsePublication(will.topic, this.device);
    if (publication?.kind !== "telemetry") return;
    const more = { "iothub-MessageType": "Will" };
    try {
      const { retain, payload = "" } = will as { retain?: boolean; payload?: string | Buffer };
      storeTelemetry(this, publication.bag, { retain }, Buffer.from(payload), more);
    } catch (error) {
      this.hub.logger.warn(`the will of ${this.id} was dropped: ${error}`);
    }
  }
}

function pubacks(packetIds: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * packetIds.length);
  let at = 0;
  for (const packetId of packetIds) {
    bytes.writeUInt16BE(0x4002, at);
    bytes.writeUInt16BE(packetId, at + 2);
    at += 4;
  }
  return bytes;
}

function systemPairs(message: QueuedMessage): [string, string][] {
  const { correlationId, userId, contentType, contentEncoding, expires, ack } = message;
  const pairs: [string, string | undefined][] = [
    ["$.cid", correlationId],
    ["$.uid", userId],
    ["$.ct", contentType],
    ["$.ce", contentEncoding],
    ["$.exp", new Date(expires).toISOString()],
    ["iothub-ack", ack === "none" ? undefined : ack],
  ];
  return pairs.filter((pair): pair is [string, string] => pair[1] !== undefined);
}
