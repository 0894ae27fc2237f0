import type { Duplex } from "node:stream";
import { generate, type IConnectPacket, type Packet } from "mqtt-packet";
import type { Clock } from "../../clock/index.ts";
import { messageOf } from "../../errors.ts";
import type { Peer } from "../../pki/index.ts";
import { idOf } from "../devices.ts";
import { HubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import type { RefusalReason } from "../refusals.ts";
import { authenticate } from "./authenticate.ts";
import { MqttConnection } from "./connection.ts";
import { createPacketReader } from "./packet-reader.ts";

/** What speaks after a CONNECT was accepted: a device, or a registration of the DPS. */
export interface Speaker {
  receive(packet: Packet): void;
  refuse(reason: "protocol-error", detail: string): void;
  closed(): void;
}

/** A byte stream that speaks MQTT, and who is at its other end. */
export interface MqttPeer {
  /** Its certificates; read when they are asked for, since they fill much memory. */
  identify(): Peer;
  readonly stream: Duplex;
  /** `host:port`. */
  readonly address: string;
}

/** The Device Provisioning Service shares the hub's port. */
export interface RegistrationEndpoint {
  /** Whether this CONNECT is meant for the DPS. */
  claims(packet: IConnectPacket): boolean;
  /** Answers the CONNECT; undefined when it was refused. */
  accept(peer: MqttPeer, packet: IConnectPacket): Speaker | undefined;
}

export interface AcceptorOptions {
  readonly hubs: readonly [Hub, ...Hub[]];
  readonly registrations?: RegistrationEndpoint;
  /** Times keep-alive and the wait for CONNECT. */
  readonly transportClock: Clock;
}

export type Acceptor = (peer: MqttPeer) => void;

/** A peer that says nothing after the handshake is let go. */
const CONNECT_WITHIN_MS = 30_000;
/** Some clients finish the handshake before they look at the certificate, and send no alert. */
const LEFT_WITHOUT_A_WORD = {
  reason: "tls-failed",
  detail:
    "It left after the TLS handshake without a CONNECT; " +
    "clients do so that do not trust the hub's certificate: give them the lab's ca.pem.",
} as const;

/** Takes byte streams from TLS and WebSocket listeners and lets devices in. */
export function createAcceptor(options: AcceptorOptions): Acceptor {
  const { hubs, registrations, transportClock } = options;
  const [main] = hubs;
  function acceptDevice(peer: MqttPeer, packet: IConnectPacket): Speaker | undefined {
    const verdict = authenticate(hubs, packet, peer);
    if (!verdict.ok) {
      const { deviceId, reason, detail, returnCode } = verdict;
      main.refusals.add({ deviceId, address: peer.address, reason, detail });
      peer.stream.end(generate({ cmd: "connack", returnCode, sessionPresent: false }));
      return undefined;
    }
    const { hub, device, modelId, scope, validUntil } = verdict;
    hub.limits.take("connections");
    const [session, sessionPresent] = hub.sessions.open(idOf(device), packet.clean === true);
    const { stream: socket, address } = peer;
    const connection = new MqttConnection({
      ...{ hub, socket, address, device, modelId, scope, validUntil, session, transportClock },
      ...{ keepAlive: packet.keepalive ?? 0, will: packet.will },
    });
    const id = idOf(device);
    hub.connections.add(id, connection);
    if (modelId) hub.twins.setModelId(id, modelId);
    hub.devices.touch(id);
    connection.send({ cmd: "connack", returnCode: 0, sessionPresent });
    connection.deliverMessages();
    hub.logger.info(`${id.slice(0, 12)}… connected`);
    return connection;
  }

  const accept = (peer: MqttPeer, packet: IConnectPacket) =>
    registrations?.claims(packet) ? registrations.accept(peer, packet) : acceptDevice(peer, packet);

  return (peer) => {
    const { stream, address } = peer;
    let speaker: Speaker | undefined;
    let silent = true;
    const fail = (detail: string, reason: RefusalReason = "protocol-error") => {
      if (speaker) return speaker.refuse("protocol-error", detail);
      main.refusals.add({ deviceId: "", address, reason, detail });
      stream.destroy();
    };
    const patience = transportClock.setTimer(CONNECT_WITHIN_MS, () => {
      silent = false;
      fail(`No CONNECT came within ${CONNECT_WITHIN_MS / 1000} s.`);
    });
    const read = createPacketReader((packet) => {
      if (stream.destroyed) return;
      if (speaker) return speaker.receive(packet);
      transportClock.clearTimer(patience);
      if (stream.writableEnded) return;
      if (packet.cmd !== "connect") return fail("The first packet is not CONNECT.");
      speaker = acceptOrDrop(() => accept(peer, packet), fail);
    });
    stream.on("data", (chunk: Buffer) => {
      if (stream.destroyed) return;
      silent = false;
      try {
        read(chunk);
      } catch (error) {
        fail(messageOf(error));
      }
    });
    // A reset is an ordinary end for a device; what matters is done on close.
    stream.on("error", () => {});
    stream.on("close", () => {
      transportClock.clearTimer(patience);
      if (silent) main.refusals.add({ deviceId: "", address, ...LEFT_WITHOUT_A_WORD });
      speaker?.closed();
    });
  };
}

/** Over the rate of new connections the service just closes them. */
function acceptOrDrop(
  accept: () => Speaker | undefined,
  fail: (detail: string, reason: RefusalReason) => void,
): Speaker | undefined {
  try {
    return accept();
  } catch (error) {
    fail(messageOf(error), error instanceof HubError ? "throttled" : "protocol-error");
    return undefined;
  }
}
