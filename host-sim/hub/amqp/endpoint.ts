import { createServer as createTcpServer } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import rhea from "rhea";
import { type ServerCredentials, tlsOptions } from "../../pki/index.ts";
import { createServerService } from "../../server-service.ts";
import type { Service } from "../../service.ts";
import type { Hub } from "../hub.ts";
import { serveLinks } from "./links.ts";

export interface AmqpEndpointOptions {
  readonly host: string;
  readonly port: number;
  /** Without them it speaks plain AMQP, as Event Hub clients do with `UseDevelopmentEmulator`. */
  readonly credentials?: ServerCredentials;
}

/** Takes a byte stream that speaks AMQP 1.0. */
export type AmqpAcceptor = (stream: Duplex) => void;

const CREDIT = 100;

/** The service side's AMQP: messages to devices, feedback, and reading what devices sent. */
export function createAmqpAcceptor(hub: Hub): AmqpAcceptor {
  const container = rhea.create_container({
    id: hub.hostName,
    non_fatal_errors: [],
    receiver_options: { autoaccept: false, credit_window: CREDIT },
  });
  container.sasl_server_mechanisms.enable_anonymous();
  serveLinks(hub, container);
  return (stream) => {
    // A reset is an ordinary end for a client; rhea tells it as `disconnected`.
    stream.on("error", () => {});
    const connection = container.create_connection() as unknown as Accepting;
    connection.accept(stream);
  };
}

/** rhea accepts any duplex stream; its types leave the method out. */
interface Accepting {
  accept(stream: Duplex): void;
}

/** A listener for AMQP over TLS, or plain. */
export function createAmqpEndpoint(accept: AmqpAcceptor, options: AmqpEndpointOptions): Service {
  const { host, port, credentials } = options;
  return createServerService({
    host,
    port,
    create: () =>
      credentials ? createTlsServer(tlsOptions(credentials), accept) : createTcpServer(accept),
  });
}
