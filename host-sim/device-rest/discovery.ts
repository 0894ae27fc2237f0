import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { listen } from "../listen.ts";
import type { Address, Service, ServiceState } from "../service.ts";

/** A device that is attached to this computer. */
export interface AttachedDevice {
  readonly IpAddress: string;
  /** Where its cable is plugged in. */
  readonly DeviceConnectionPath: string;
  /** Where its REST API listens when that is not 443; real services know no such field. */
  readonly Port?: number;
}

/** The device communication service: plain HTTP on this computer, tells which devices are attached. */
export function createDiscovery(options: {
  readonly host: string;
  readonly port: number;
  readonly devices: () => readonly AttachedDevice[];
}): Service {
  let state: ServiceState = "closed";
  let server: Server | undefined;

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const answer = answerTo(`${request.method} ${request.url}`);
    request.resume();
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(answer === undefined ? undefined : JSON.stringify(answer));
  }

  function answerTo(request: string): unknown {
    if (request === "GET /api/service/devices") return options.devices();
    if (request === "PUT /api/service/devices/rescan") return options.devices().length;
    return undefined;
  }

  return {
    get state() {
      return state;
    },
    async start(): Promise<Address> {
      state = "starting";
      server = createServer(serve);
      const address = await listen(server, options.host, options.port);
      state = "running";
      return address;
    },
    async stop(): Promise<void> {
      const closing = server;
      if (!closing) return;
      server = undefined;
      state = "closing";
      await new Promise((resolve) => {
        closing.close(resolve);
        closing.closeAllConnections();
      });
      state = "closed";
    },
  };
}
