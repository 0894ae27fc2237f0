import { createServer as createTcpServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import rhea, { type ConnectionOptions } from "rhea";
import { type Clock, RealClock } from "../../clock/index.ts";
import { type ServerCredentials, tlsOptions } from "../../pki/index.ts";
import { createServerService } from "../../server-service.ts";
import type { Service } from "../../service.ts";
import { addressOf } from "../address.ts";
import type { Hub } from "../hub.ts";
import { type OnTlsProblem, watchHandshakes } from "../tls-problems.ts";
import { serveLinks } from "./links.ts";
import type { Peer } from "./tokens.ts";

export interface AmqpEndpointOptions {
  readonly host: string;
  readonly port: number;
  /** Without them it speaks plain AMQP, as Event Hub clients do with `UseDevelopmentEmulator`. */
  readonly credentials?: ServerCredentials;
  readonly onTlsProblem: OnTlsProblem;
}

/** Takes a byte stream that speaks AMQP 1.0, and the `host:port` that it comes from. */
export type AmqpAcceptor = (stream: Duplex, address: string) => void;

const CREDIT = 100;
/** Clients that hear of it send something at least this often; after twice the time one is gone. */
const IDLE_MS = 120_000;
const OPEN = { idle_time_out: IDLE_MS, max_frame_size: 65_536 } as unknown as ConnectionOptions;
/** Who has put no token by then, or has sent more before, is let go. */
const TOKEN_WITHIN_MS = 60_000;
const MOST_BEFORE_TOKEN = 256 * 1024;

/** The service side's AMQP: messages to devices, feedback, and reading what devices sent. */
export function createAmqpAcceptor(
  hub: Hub,
  transportClock: Clock = new RealClock(),
): AmqpAcceptor {
  const container = rhea.create_container({
    id: hub.hostName,
    non_fatal_errors: [],
    receiver_options: { autoaccept: false, credit_window: CREDIT },
  });
  container.sasl_server_mechanisms.enable_anonymous();
  const links = serveLinks(hub, container);
  return (stream, address) => {
    // A reset is an ordinary end for a client; rhea tells it as `disconnected`.
    stream.on("error", () => {});
    const connection = container.create_connection(OPEN);
    const peer = links.admit(connection, address);
    const server = connection as unknown as Accepting;
    server.accept(stream);
    // rhea waits for the end of what comes, which a connection that is cut off does not have.
    stream.on("close", () => server.eof());
    boundStranger(hub, peer, stream, transportClock);
  };
}

/** What nobody answers for yet has little time and little room. */
function boundStranger(hub: Hub, peer: Peer, stream: Duplex, transportClock: Clock): void {
  let heard = 0;
  const letGo = (detail: string) => {
    if (peer.authorized || stream.destroyed) return;
    hub.refusals.add({ deviceId: "", address: peer.address, reason: "bad-token", detail });
    stream.destroy();
  };
  const patience = transportClock.setTimer(TOKEN_WITHIN_MS, () =>
    letGo(`No token was put within ${TOKEN_WITHIN_MS / 1000} s.`),
  );
  stream.on("data", (chunk: Buffer) => {
    if (peer.authorized) return;
    heard += chunk.length;
    if (heard > MOST_BEFORE_TOKEN) letGo(`${heard} bytes came, and no token.`);
  });
  stream.on("close", () => transportClock.clearTimer(patience));
}

/** rhea accepts any duplex stream; its types leave these methods out. */
interface Accepting {
  accept(stream: Duplex): void;
  eof(): void;
}

/** A listener for AMQP over TLS, or plain. */
export function createAmqpEndpoint(accept: AmqpAcceptor, options: AmqpEndpointOptions): Service {
  const { host, port, credentials, onTlsProblem } = options;
  const take = (socket: Socket) => accept(socket, addressOf(socket));
  return createServerService({
    host,
    port,
    create: () =>
      credentials
        ? watchHandshakes(createTlsServer(tlsOptions(credentials), take), onTlsProblem)
        : createTcpServer(take),
  });
}
