import type { Server, Socket } from "node:net";
import { listen } from "./listen.ts";
import type { Address, Service, ServiceState } from "./service.ts";

export interface ServerServiceOptions {
  readonly host: string;
  /** 0 asks for any free port. */
  readonly port: number;
  /** Makes the server anew at each start. */
  create(): Server;
}

/**
 * A server of Node with the life of a service. `stop` ends all of its connections, and when it is done
 * they have noted their end: what they write to may be closed right after.
 */
export function createServerService({ host, port, create }: ServerServiceOptions): Service {
  let server: Server | undefined;
  let endSockets = async () => {};
  let state: ServiceState = "closed";

  return {
    get state() {
      return state;
    },
    async start(): Promise<Address> {
      state = "starting";
      server = create();
      endSockets = watchSockets(server);
      try {
        const address = await listen(server, host, port);
        state = "running";
        return address;
      } catch (error) {
        server = undefined;
        state = "closed";
        throw error;
      }
    },
    async stop(): Promise<void> {
      const closing = server;
      if (!closing) return;
      server = undefined;
      state = "closing";
      const closed = new Promise((resolve) => closing.close(resolve));
      await Promise.all([closed, endSockets()]);
      state = "closed";
    },
  };
}

/** Keeps track of a server's connections; the answer ends those there are, and waits for that. */
export function watchSockets(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>();
  const watch = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  };
  // A TLS server tells of the bare socket first and of the encrypted one after its handshake.
  server.on("connection", watch);
  server.on("secureConnection", watch);
  return async () => {
    const gone = [...sockets].map(
      (socket) => new Promise((resolve) => socket.once("close", resolve)),
    );
    for (const socket of sockets) socket.destroy();
    await Promise.all(gone);
  };
}
