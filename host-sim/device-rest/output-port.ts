import { createServer, type Server, type Socket } from "node:net";
import { listen } from "../listen.ts";
import type { Address } from "../service.ts";

/** Output that waits for the first reader; older lines go when there is more. */
const MOST_WAITING = 64 * 1024;

export type OutputPort = ReturnType<typeof createOutputPort>;

/** Hands the output of the app that is being debugged to whoever connects, as plain text. */
export function createOutputPort(options: { readonly host: string; readonly port: number }) {
  const readers = new Set<Socket>();
  let waiting = "";
  let server: Server | undefined;
  let address: Address | undefined;

  function accept(socket: Socket): void {
    readers.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => readers.delete(socket));
    socket.write(waiting);
    waiting = "";
  }

  return {
    /** @throws LabError port-in-use and others of `listen` */
    async open(): Promise<number> {
      server = createServer(accept);
      address = await listen(server, options.host, address?.port ?? options.port);
      return address.port;
    },
    write(text: string): void {
      if (readers.size === 0) waiting = (waiting + text).slice(-MOST_WAITING);
      for (const reader of readers) reader.write(text);
    },
    async close(): Promise<void> {
      const closing = server;
      server = undefined;
      waiting = "";
      for (const reader of readers) reader.destroy();
      if (closing) await new Promise((resolve) => closing.close(resolve));
    },
  };
}
