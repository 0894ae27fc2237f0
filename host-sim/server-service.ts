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
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let state: ServiceState = "closed";

  function watch(socket: Socket): void {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  }

  return {
    get state() {
      return state;
    },
    async start(): Promise<Address> {
      state = "starting";
      server = create();
      // A TLS server tells of the bare socket first and of the encrypted one after its handshake.
      server.on("connection", watch);
      server.on("secureConnection", watch);
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
      const gone = [...sockets].map(
        (socket) => new Promise((resolve) => socket.once("close", resolve)),
      );
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...gone]);
      state = "closed";
    },
  };
}
