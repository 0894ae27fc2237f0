import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServerService } from "../server-service.ts";
import type { Service } from "../service.ts";

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

  return createServerService({
    host: options.host,
    port: options.port,
    create: () => createServer(serve),
  });
}
