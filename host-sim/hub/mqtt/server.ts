import type { X509Certificate } from "node:crypto";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { generate, type IConnectPacket, type Packet, parser } from "mqtt-packet";
import { type Clock, RealClock } from "../../clock/index.ts";
import { listen } from "../../listen.ts";
import { parseCertificate, type ServerCredentials } from "../../pki/index.ts";
import type { Address, Service, ServiceState } from "../../service.ts";
import type { Hub } from "../hub.ts";
import { authenticate, type Peer } from "./authenticate.ts";
import { MqttConnection, type Session } from "./connection.ts";

export interface MqttServerOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: ServerCredentials;
  /** Times keep-alive and the wait for CONNECT; real time when absent. */
  readonly transportClock?: Clock;
}

/** A peer that says nothing after the handshake is let go. */
const CONNECT_WITHIN_MS = 30_000;
/** No packet is larger than a message with its topic; a longer one is an attack or a mistake. */
const LARGEST_PACKET = 512 * 1024;
const LONGEST_CHAIN = 8;

/** The hub's MQTT 3.1.1 endpoint over mutual TLS. */
export function createMqttServer(hub: Hub, options: MqttServerOptions): Service {
  const transportClock = options.transportClock ?? new RealClock();
  const sessions = new Map<string, Session>();
  const sockets = new Set<TLSSocket>();
  let server: Server | undefined;
  let state: ServiceState = "closed";

  const sessionOf = (packet: IConnectPacket): readonly [Session, boolean] => {
    const kept = packet.clean ? undefined : sessions.get(packet.clientId);
    const session = kept ?? { subscriptions: new Map(), delivered: new Set() };
    sessions.set(packet.clientId, session);
    return [session, kept !== undefined];
  };

  function accept(socket: TLSSocket, packet: IConnectPacket): MqttConnection | undefined {
    const verdict = authenticate(hub, packet, peerOf(socket));
    if (!verdict.ok) {
      const address = `${socket.remoteAddress}:${socket.remotePort}`;
      const { deviceId, reason, detail, returnCode } = verdict;
      hub.refusals.add({ deviceId, address, reason, detail });
      socket.end(generate({ cmd: "connack", returnCode, sessionPresent: false }));
      return undefined;
    }
    const [session, sessionPresent] = sessionOf(packet);
    const { device, modelId } = verdict;
    const accepted = { hub, socket, device, modelId, session, connect: packet, transportClock };
    const connection = new MqttConnection(accepted);
    hub.connections.add(device.deviceId, connection);
    if (modelId) hub.twins.setModelId(device.deviceId, modelId);
    hub.devices.touch(device.deviceId);
    connection.send({ cmd: "connack", returnCode: 0, sessionPresent });
    connection.deliverMessages();
    hub.logger.info(`${device.deviceId.slice(0, 12)}… connected`);
    return connection;
  }

  function onSocket(socket: TLSSocket): void {
    sockets.add(socket);
    socket.setNoDelay(true);
    let connection: MqttConnection | undefined;
    let size = 0;
    const packets = parser({ protocolVersion: 4 });
    const patience = transportClock.setTimer(CONNECT_WITHIN_MS, () => socket.destroy());
    const fail = (detail: string) => {
      const address = `${socket.remoteAddress}:${socket.remotePort}`;
      if (connection) return connection.refuse("protocol-error", detail);
      hub.refusals.add({ deviceId: "", address, reason: "protocol-error", detail });
      socket.destroy();
    };
    packets.on("error", (error: Error) => fail(error.message));
    packets.on("packet", (packet: Packet) => {
      size = 0;
      if (connection) return connection.receive(packet);
      transportClock.clearTimer(patience);
      if (socket.writableEnded || socket.destroyed) return;
      if (packet.cmd !== "connect") return fail("The first packet is not CONNECT.");
      connection = accept(socket, packet);
    });
    socket.on("data", (chunk) => {
      size += chunk.length;
      if (size > LARGEST_PACKET + chunk.length) return fail("A packet is too long.");
      packets.parse(chunk);
    });
    // A reset is an ordinary end for a device; what matters is done on close.
    socket.on("error", () => {});
    socket.on("close", () => {
      transportClock.clearTimer(patience);
      sockets.delete(socket);
      connection?.closed();
    });
  }

  return {
    get state() {
      return state;
    },
    async start(): Promise<Address> {
      state = "starting";
      server = createServer(
        {
          ...options.credentials,
          minVersion: "TLSv1.2",
          // Token devices show no certificate, and a refusal must reach the CONNACK: the chain is
          // checked by `authenticate`, on the lab's clock.
          requestCert: true,
          rejectUnauthorized: false,
        },
        onSocket,
      );
      server.on("tlsClientError", (error, socket) => {
        hub.logger.warn(`TLS with ${socket.remoteAddress ?? "a client"} failed: ${error.message}`);
      });
      const address = await listen(server, options.host, options.port);
      state = "running";
      return address;
    },
    async stop(): Promise<void> {
      if (!server) return;
      const closing = server;
      server = undefined;
      state = "closing";
      const closed = new Promise((resolve) => closing.close(resolve));
      // A connection notes its end in the store, which may be closed as soon as this returns.
      const gone = [...sockets].map(
        (socket) => new Promise((resolve) => socket.once("close", resolve)),
      );
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...gone]);
      state = "closed";
    },
  };
}

/** The certificates that the peer presented; OpenSSL's own verdict is not used. */
function peerOf(socket: TLSSocket): Peer {
  const leaf = socket.getPeerX509Certificate();
  const presented: X509Certificate[] = [];
  for (let next = leaf?.issuerCertificate; next && presented.length < LONGEST_CHAIN; ) {
    presented.push(parseCertificate(next.raw));
    if (next.issuerCertificate === next) break;
    next = next.issuerCertificate;
  }
  return { leaf: leaf && parseCertificate(leaf.raw), presented };
}
