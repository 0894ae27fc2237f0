import { createServer } from "node:tls";
import { peerOf, type ServerCredentials, tlsOptions } from "../../pki/index.ts";
import { createServerService } from "../../server-service.ts";
import type { Service } from "../../service.ts";
import { addressOf } from "../address.ts";
import type { Acceptor } from "./acceptor.ts";

export interface MqttServerOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: ServerCredentials;
  /** A handshake did not come to its end. */
  onTlsProblem(address: string, detail: string): void;
}

/** The MQTT 3.1.1 endpoint over mutual TLS. */
export function createMqttServer(accept: Acceptor, options: MqttServerOptions): Service {
  const { host, port, credentials, onTlsProblem } = options;
  return createServerService({
    host,
    port,
    create() {
      const server = createServer(tlsOptions(credentials), (socket) => {
        socket.setNoDelay(true);
        accept({ identify: () => peerOf(socket), stream: socket, address: addressOf(socket) });
      });
      server.on("tlsClientError", (error, socket) => {
        onTlsProblem(addressOf(socket), explained(error));
      });
      return server;
    },
  });
}

/** OpenSSL's words, and what they mean to somebody who is stuck on them. */
function explained(error: Error & { readonly reason?: string }): string {
  const reason = error.reason ?? error.message;
  const hint = /unknown ca|hang up|reset/i.test(reason)
    ? "; clients that do not trust the hub's certificate end it so: give them the lab's ca.pem"
    : "";
  return `The TLS handshake failed: ${reason}${hint}.`;
}
