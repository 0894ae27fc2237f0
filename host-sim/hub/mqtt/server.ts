import { createServer, type Server, type TLSSocket } from "node:tls";
import { listen } from "../../listen.ts";
import type { Logger } from "../../log.ts";
import type { ServerCredentials } from "../../pki/index.ts";
import type { Address, Service, ServiceState } from "../../service.ts";
import { addressOf, peerOf, tlsOptions } from "../tls.ts";
import type { Acceptor } from "./acceptor.ts";

export interface MqttServerOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: ServerCredentials;
  readonly logger: Logger;
}

/** The MQTT 3.1.1 endpoint over mutual TLS. */
export function createMqttServer(accept: Acceptor, options: MqttServerOptions): Service {
  const sockets = new Set<TLSSocket>();
  let server: Server | undefined;
  let state: ServiceState = "closed";

  function onSocket(socket: TLSSocket): void {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.setNoDelay(true);
    accept({ identify: () => peerOf(socket), stream: socket, address: addressOf(socket) });
  }

  return {
    get state() {
      return state;
    },
    async start(): Promise<Address> {
      state = "starting";
      server = createServer(tlsOptions(options.credentials), onSocket);
      server.on("tlsClientError", (error, socket) => {
        const who = socket.remoteAddress ?? "a client";
        options.logger.warn(`TLS with ${who} failed: ${error.message}`);
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
