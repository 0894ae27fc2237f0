import { createServer, type Server, type Socket } from "node:net";
import type { DebugGate } from "../device/app.ts";
import { listen } from "../listen.ts";
import type { Address } from "../service.ts";

type Take = Parameters<DebugGate["offer"]>[0];

export type GdbPort = ReturnType<typeof createGdbPort>;

/**
 * Where gdb connects while an app is debugged: one debugger at a time, which waits here for a program that
 * is still built or just started anew.
 */
export function createGdbPort(options: { readonly host: string; readonly port: number }) {
  let server: Server | undefined;
  let address: Address | undefined;
  let waiting: Socket | undefined;
  let connected: Socket | undefined;
  let offered: Take | undefined;
  let refusing = false;

  function accept(socket: Socket): void {
    socket.on("error", () => {});
    if (connected || refusing) return void socket.destroy();
    // Nobody would hear of it if the one before had gone meanwhile.
    waiting?.destroy();
    waiting = socket.pause();
    meet();
  }

  function meet(): void {
    if (!waiting || !offered) return;
    const [socket, take] = [waiting, offered];
    [waiting, offered, connected] = [undefined, undefined, socket];
    socket.once("close", () => {
      connected = undefined;
    });
    take(socket);
  }

  const gate: DebugGate = {
    offer(take) {
      offered = take;
      meet();
      return () => {
        if (offered === take) offered = undefined;
      };
    },
    refuse() {
      refusing = true;
      waiting?.destroy();
      waiting = undefined;
    },
  };

  return {
    gate,
    /** @throws LabError port-in-use and others of `listen` */
    async open(): Promise<number> {
      refusing = false;
      offered = undefined;
      server = createServer(accept);
      address = await listen(server, options.host, address?.port ?? options.port);
      return address.port;
    },
    async close(): Promise<void> {
      const closing = server;
      server = undefined;
      offered = undefined;
      for (const socket of [waiting, connected]) socket?.destroy();
      waiting = undefined;
      if (closing) await new Promise((resolve) => closing.close(resolve));
    },
  };
}
