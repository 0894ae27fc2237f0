import { createServer, type Server, type Socket } from "node:net";
import { createSecureContext, TLSSocket, type TLSSocketOptions } from "node:tls";
import type { Clock } from "../../clock/index.ts";
import { peerOf, type ServerCredentials, tlsOptions } from "../../pki/index.ts";
import { createServerService } from "../../server-service.ts";
import type { Service } from "../../service.ts";
import { addressOf } from "../address.ts";
import { explainTls, type OnTlsProblem } from "../tls-problems.ts";
import type { Acceptor } from "./acceptor.ts";
import { SocketStream } from "./socket-stream.ts";

export interface HandshakeOptions {
  readonly credentials: ServerCredentials;
  /** Times the handshake. */
  readonly transportClock: Clock;
  readonly onTlsProblem: OnTlsProblem;
}

export interface MqttServerOptions extends HandshakeOptions {
  readonly host: string;
  readonly port: number;
  /** Is given the server when it listens, so that other processes may accept on it, too. */
  onListening?(server: Server): void;
}

/** A peer that does not come through the handshake is let go. */
const HANDSHAKE_WITHIN_MS = 120_000;

/** The MQTT 3.1.1 endpoint over mutual TLS. */
export function createMqttServer(accept: Acceptor, options: MqttServerOptions): Service {
  const { host, port, onListening } = options;
  return createServerService({
    host,
    port,
    create() {
      const server = createServer({ allowHalfOpen: true });
      acceptOn(server, accept, options);
      if (onListening) server.once("listening", () => onListening(server));
      return server;
    },
  });
}

/** Lets devices in that come to a server, after a TLS handshake. */
export function acceptOn(server: Server, accept: Acceptor, options: HandshakeOptions): void {
  const { requestCert, rejectUnauthorized, ...context } = tlsOptions(options.credentials);
  const secureContext = createSecureContext(context);
  const tls = { isServer: true, secureContext, requestCert, rejectUnauthorized };
  server.on("connection", (socket: Socket) => {
    socket.setNoDelay(true);
    shakeHands(socket, tls, options, (secure, address) => {
      server.emit("secureConnection", secure);
      accept({ identify: () => peerOf(secure), stream: secure, address });
    });
  });
}

function shakeHands(
  socket: Socket,
  tls: TLSSocketOptions,
  { onTlsProblem, transportClock }: HandshakeOptions,
  onSecure: (secure: TLSSocket, address: string) => void,
): void {
  const address = addressOf(socket);
  const secure = new TLSSocket(new SocketStream(socket), tls);
  secure.on("end", () => secure.end());
  const patience = transportClock.setTimer(HANDSHAKE_WITHIN_MS, () =>
    secure.destroy(new Error("it took too long")),
  );
  let problem: Error | undefined;
  const onError = (error: Error) => {
    problem = error;
  };
  const onClose = () => {
    transportClock.clearTimer(patience);
    // Who only looks whether the port is open has not failed at anything.
    if (socket.bytesRead > 0) onTlsProblem(address, explainTls(problem));
  };
  secure.on("error", onError);
  secure.on("close", onClose);
  secure.once("secure", () => {
    transportClock.clearTimer(patience);
    secure.off("error", onError);
    secure.off("close", onClose);
    onSecure(secure, address);
  });
}
