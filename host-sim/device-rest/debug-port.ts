import { createServer, type Server, type Socket } from "node:net";
import type { Applications } from "../device/applications.ts";
import { listen } from "../listen.ts";
import type { Address } from "../service.ts";

/** Output that waits for the first reader; older lines go when there is more. */
const MOST_WAITING = 64 * 1024;
/** Where a device's debug server listens. */
export const GDB_PORT = 2345;

export type DebugPort = ReturnType<typeof createDebugPort>;

/** Hands the output of the app that is being debugged to whoever connects, as plain text. */
export function createDebugPort(options: {
  readonly host: string;
  readonly port: number;
  readonly applications: Applications;
}) {
  const { applications } = options;
  const readers = new Set<Socket>();
  let waiting = "";
  let server: Server | undefined;
  let address: Address | undefined;
  let debugged = "";
  let unwatch: (() => void)[] = [];

  function write(text: string): void {
    if (readers.size === 0) waiting = (waiting + text).slice(-MOST_WAITING);
    for (const reader of readers) reader.write(text);
  }

  function accept(socket: Socket): void {
    readers.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => readers.delete(socket));
    socket.write(waiting);
    waiting = "";
  }

  async function stop(): Promise<void> {
    for (const end of unwatch) end();
    unwatch = [];
    const closing = server;
    server = undefined;
    waiting = "";
    for (const reader of readers) reader.destroy();
    if (closing) await new Promise((resolve) => closing.close(resolve));
  }

  return {
    /** Opens the port for an app; it closes when the app is debugged no more. @throws LabError */
    async open(componentId: string): Promise<number> {
      await stop();
      debugged = componentId.toLowerCase();
      server = createServer(accept);
      address = await listen(server, options.host, address?.port ?? options.port);
      unwatch = [
        applications.onOutput(({ componentId: id, text }) => {
          if (id === debugged) write(`${text}\n`);
        }),
        applications.onChange((id) => {
          if (id === debugged && applications.state(id) !== "debugging") void stop();
        }),
      ];
      return address.port;
    },
    stop,
  };
}
