import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "../../log.ts";
import {
  EPROTO,
  encodeFrame,
  type Frame,
  FrameSplitter,
  frameKind,
  i32,
  MAGIC,
  ProtocolError,
  VERSION,
} from "./frames.ts";

/** The operating system's end of one connection. */
export interface Connection {
  /** Answers the request with that serial. */
  answer(serial: number, result: number, ...rest: readonly Uint8Array[]): void;
  /** Sends a frame that wants no answer. */
  send(kind: number, ...parts: readonly Uint8Array[]): void;
}

/** What a connection is for: takes its frames, and gives everything back at its end. */
export interface Channel {
  /** @throws ProtocolError, which ends the connection */
  take(frame: Frame): void;
  closed(): void;
}

export type OpenChannel = (connection: Connection) => Channel;

export interface OsServer {
  /** Resolves when the socket file takes connections. */
  start(): Promise<void>;
  /** Resolves when no connection is left; what a dead process had sent is taken before. */
  drained(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Listens for the process of one run of an app.
 * @param channels by the number that HELLO names
 */
export function createOsServer(options: {
  readonly path: string;
  readonly logger: Logger;
  readonly channels: ReadonlyMap<number, OpenChannel>;
}): OsServer {
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  const server: Server = createServer({ allowHalfOpen: false }, (socket) => {
    sockets.add(socket);
    serve(socket, options.channels, options.logger);
    socket.on("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0) for (const done of waiting.splice(0)) done();
    });
  });

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(options.path, resolve);
      }),
    drained: () =>
      new Promise((resolve) => {
        if (sockets.size === 0) resolve();
        else waiting.push(resolve);
      }),
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function serve(socket: Socket, channels: ReadonlyMap<number, OpenChannel>, logger: Logger): void {
  const splitter = new FrameSplitter();
  const send = (kind: number, serial: number, parts: readonly Uint8Array[]) => {
    if (!socket.destroyed) socket.write(encodeFrame(kind, serial, parts));
  };
  const connection: Connection = {
    answer: (serial, result, ...rest) => send(frameKind.answer, serial, [i32(result), ...rest]),
    send: (kind, ...parts) => send(kind, 0, parts),
  };
  let channel: Channel | undefined;
  socket.on("data", (chunk: Buffer) => {
    try {
      for (const frame of splitter.push(chunk)) {
        if (channel) channel.take(frame);
        else channel = greet(frame, connection, channels);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      logger.error(`the app's process broke the protocol: ${error.message}`);
      socket.destroy();
    }
  });
  // A process that is killed resets its connections: no news.
  socket.on("error", () => {});
  socket.on("close", () => {
    channel?.closed();
    channel = undefined;
  });
}

function greet(
  { kind, serial, payload }: Frame,
  connection: Connection,
  channels: ReadonlyMap<number, OpenChannel>,
): Channel {
  if (kind !== frameKind.hello) throw new ProtocolError("a connection begins without HELLO");
  const magic = payload.u32();
  const version = payload.u16();
  const open = channels.get(payload.u16());
  payload.end();
  if (magic !== MAGIC || version !== VERSION || !open) {
    connection.answer(serial, EPROTO);
    throw new ProtocolError(`HELLO of version ${version} is not understood`);
  }
  connection.answer(serial, 0);
  return open(connection);
}
