import { createServer as createTcpServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import rhea from "rhea";
import { listen } from "../../listen.ts";
import type { ServerCredentials } from "../../pki/index.ts";
import type { Address, Service, ServiceState } from "../../service.ts";
import type { Hub } from "../hub.ts";
import { tlsOptions } from "../tls.ts";
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
  let state: ServiceState = "closed";
  let server: Server | undefined;
  const sockets = new Set<Duplex>();

  function onSocket(socket: Duplex): void {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    accept(socket);
  }

  return {
    get state() {
      return state;
    },
    async start(): Promise<Address> {
      state = "starting";
      const { credentials, host, port } = options;
      server = credentials
        ? createTlsServer(tlsOptions(credentials), onSocket)
        : createTcpServer(onSocket);
      const address = await listen(server, host, port);
      state = "running";
      return address;
    },
    async stop(): Promise<void> {
      if (!server) return;
      const closing = server;
      server = undefined;
      state = "closing";
      const closed = new Promise((resolve) => closing.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      state = "closed";
    },
  };
}
