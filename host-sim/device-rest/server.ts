import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Duplex } from "node:stream";
import type { SphereOs } from "../device/sphere-os.ts";
import { DeviceError, ERRORS } from "../device/system/device-error.ts";
import { messageOf } from "../errors.ts";
import { listen } from "../listen.ts";
import type { Logger } from "../log.ts";
import type { ServerCredentials } from "../pki/index.ts";
import type { Address, Service, ServiceState } from "../service.ts";
import { createDebugPorts } from "./debug-ports.ts";
import { type Access, Later, Reply, readBody, sendRefusal, sendReply } from "./request.ts";
import { createRouter } from "./router.ts";
import { deviceRoutes } from "./routes/index.ts";

export interface DeviceRestOptions {
  readonly os: SphereOs;
  readonly logger: Logger;
  readonly host: string;
  /** 0 for any free one; 443 on a real device. */
  readonly port: number;
  readonly credentials: ServerCredentials;
  /** What the header `REST-API-Version` says; 4.6.0 when absent. */
  readonly apiVersion?: string;
  /** Where the output of a debugged app can be read; 0, any free one, when absent. */
  readonly outputPort?: number;
  /** Where a debugger finds a debugged app; 0, any free one, when absent. */
  readonly gdbPort?: number;
}

export const API_VERSION = "4.6.0";

/** A device's REST API. It listens while the device is on, and always on the same port. */
export function createDeviceRestServer(options: DeviceRestOptions): Service {
  const { os, logger, host } = options;
  const apiVersion = options.apiVersion ?? API_VERSION;
  const { outputPort = 0, gdbPort = 0 } = options;
  const { applications } = os;
  const debugPorts = createDebugPorts({ host, outputPort, gdbPort, applications });
  const route = createRouter(deviceRoutes(os, debugPorts));
  const sockets = new Set<Duplex>();
  let state: ServiceState = "closed";
  let server: Server | undefined;
  let port = options.port;
  let turn: Promise<unknown> = Promise.resolve();
  let unwatch = () => {};

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const method = request.method ?? "GET";
    response.setHeader("REST-API-Version", apiVersion);
    note(method, path);
    const body = await readBody(request);
    const { route: found, parameters } = route(method, path);
    requireAccess(os, found.access);
    const contentType = request.headers["content-type"];
    const turned = await inTurn(() => found.run({ parameters, body, contentType }));
    const answer = turned instanceof Later ? await turned.answer : turned;
    const reply = answer instanceof Reply ? answer : new Reply(answer);
    // The answer leaves first; then the device is gone.
    if (reply.options.restart) response.once("finish", () => setImmediate(() => void os.restart()));
    sendReply(response, reply);
  }

  /** One request at a time: none sees what another has done by half. */
  function inTurn(run: () => unknown): Promise<unknown> {
    const answer = turn.then(run);
    turn = answer.catch(() => {});
    return answer;
  }

  function note(method: string, path: string): void {
    os.system.log.add("debug", "request", [
      { type: "string", value: method },
      { type: "string", value: path },
    ]);
  }

  function refuse(response: ServerResponse, error: unknown): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
    } else if (error instanceof DeviceError) {
      sendRefusal(response, error);
    } else {
      logger.error(`the REST API failed: ${messageOf(error)}`);
      sendRefusal(response, new DeviceError(ERRORS.busy, "internal"));
    }
  }

  async function open(): Promise<Address> {
    const { key, cert } = options.credentials;
    server = createServer({ key, cert }, (request, response) => {
      serve(request, response).catch((error) => refuse(response, error));
    });
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    const address = await listen(server, host, port);
    port = address.port;
    return address;
  }

  /** No connection of before answers any more when this returns. */
  async function close(): Promise<void> {
    const closing = server;
    server = undefined;
    const closed = closing && new Promise((resolve) => closing.close(resolve));
    for (const socket of sockets) socket.destroy();
    await Promise.all([closed, debugPorts.stop()]);
  }

  function followPower(on: boolean): void {
    if (!on) return void close();
    if (server) return;
    open().catch((error) => logger.error(`the REST API is gone: ${messageOf(error)}`));
  }

  return {
    get state() {
      return state;
    },
    async start() {
      state = "starting";
      const address = await open();
      unwatch = os.onPower(followPower);
      state = "running";
      return address;
    },
    async stop() {
      if (state === "closed") return;
      state = "closing";
      unwatch();
      await close();
      state = "closed";
    },
  };
}

/** @throws DeviceError permission */
function requireAccess({ system }: SphereOs, access: Access): void {
  const { locked, mayDevelop } = system.manufacturing;
  const refused = { open: false, unlocked: locked, development: !mayDevelop }[access];
  if (refused) throw new DeviceError(ERRORS.permission, "forbidden");
}
