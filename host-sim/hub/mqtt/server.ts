import { createServer } from "node:tls";
import type { Logger } from "../../log.ts";
import { peerOf, type ServerCredentials, tlsOptions } from "../../pki/index.ts";
import { createServerService } from "../../server-service.ts";
import type { Service } from "../../service.ts";
import { addressOf } from "../address.ts";
import type { Acceptor } from "./acceptor.ts";

export interface MqttServerOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: ServerCredentials;
  readonly logger: Logger;
}

/** The MQTT 3.1.1 endpoint over mutual TLS. */
export function createMqttServer(accept: Acceptor, options: MqttServerOptions): Service {
  const { host, port, credentials, logger } = options;
  return createServerService({
    host,
    port,
    create() {
      const server = createServer(tlsOptions(credentials), (socket) => {
        socket.setNoDelay(true);
        accept({ identify: () => peerOf(socket), stream: socket, address: addressOf(socket) });
      });
      server.on("tlsClientError", (error, socket) => {
        const who = socket.remoteAddress ?? "a client";
        logger.warn(`TLS with ${who} failed: ${error.message}`);
      });
      return server;
    },
  });
}
