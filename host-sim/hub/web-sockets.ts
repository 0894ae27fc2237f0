import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { createWebSocketStream, WebSocketServer } from "ws";
import { peerOf } from "../pki/index.ts";
import { addressOf } from "./address.ts";
import type { AmqpAcceptor } from "./amqp/endpoint.ts";
import type { Acceptor } from "./mqtt/acceptor.ts";

/** Where the SDKs open WebSockets, for MQTT and for AMQP. */
const PATHS = ["/$iothub/websocket", "/$servicebus/websocket"];
const MQTT = "mqtt";
const AMQP = "AMQPWSB10";
const LARGEST_FRAME = 512 * 1024;

export interface WebSockets {
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Ends all connections; when it returns they have noted their end. */
  stop(): Promise<void>;
}

/** MQTT and AMQP over WebSocket, for networks that let only port 443 through. */
export function createWebSockets(mqtt: Acceptor, amqp: AmqpAcceptor): WebSockets {
  const streams = new Set<Duplex>();
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: LARGEST_FRAME,
    handleProtocols: (offered) => [AMQP, MQTT].find((name) => offered.has(name)) ?? false,
  });
  return {
    onUpgrade(request, socket, head) {
      // Whoever resets the connection meanwhile is gone; there is nothing to tell.
      socket.on("error", () => {});
      const [path = ""] = (request.url ?? "/").split("?");
      if (!PATHS.includes(path.toLowerCase())) {
        socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
        return;
      }
      server.handleUpgrade(request, socket, head, (webSocket) => {
        const stream = createWebSocketStream(webSocket);
        streams.add(stream);
        // A frame that is none ends its connection.
        stream.on("error", () => {});
        stream.on("close", () => streams.delete(stream));
        const tls = request.socket as TLSSocket;
        const identify = () => peerOf(tls);
        if (webSocket.protocol === MQTT) mqtt({ identify, stream, address: addressOf(tls) });
        else if (webSocket.protocol === AMQP) amqp(stream, addressOf(tls));
        else webSocket.close(1002, "The subprotocol is mqtt or AMQPWSB10.");
      });
    },
    async stop() {
      const gone = [...streams].map(
        (stream) => new Promise((resolve) => stream.once("close", resolve)),
      );
      for (const stream of streams) stream.destroy();
      await Promise.all(gone);
    },
  };
}
