import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { TLSSocket } from "node:tls";
import { readBody } from "../http/routes.ts";
import { peerOf, type ServerCredentials, tlsOptions } from "../pki/index.ts";
import { createServerService } from "../server-service.ts";
import type { Service } from "../service.ts";
import { ArmError, armErrorOf, errorBody } from "./arm/errors.ts";
import type { ArmResponse } from "./arm/http.ts";
import { createRouter } from "./arm/router.ts";
import { createArmApi } from "./arm/routes.ts";
import { createTokens, type Tokens } from "./arm/tokens.ts";
import { createDeviceProtocol } from "./device-protocol.ts";
import type { SecurityService } from "./security-service.ts";

export const API_VERSION = "2024-04-01";
/** Of role assignments. */
const AUTHORIZATION_VERSION = "2022-04-01";

export interface SecurityServerOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: ServerCredentials;
  /** How long, in lab time, long-running operations take; as good as nothing when absent. */
  readonly operationMs?: number;
}

export interface SecurityServer extends Service {
  readonly tokens: Tokens;
  /** How long, in lab time, long-running operations take that begin from now on. */
  setOperationTime(ms: number): void;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, or bytes as they are. */
  readonly body?: unknown;
}

/** A package of 1 MiB in base64, with room for what is around it. */
const LARGEST_BODY = 4 * 1024 * 1024;

/** The Security Service over HTTPS: Azure Resource Manager for owners, the lab's own for devices. */
export function createSecurityServer(
  service: SecurityService,
  options: SecurityServerOptions,
): SecurityServer {
  const tokens = createTokens(service);
  const arm = createArmApi(service, options.operationMs ?? 0);
  const route = createRouter(arm.routes);
  const devices = createDeviceProtocol(service);

  async function answer(request: IncomingMessage): Promise<Answer> {
    const { method = "GET" } = request;
    const base = `https://${request.headers.host ?? `${options.host}:${options.port}`}`;
    const url = urlOf(request.url ?? "/", base);
    const path = url.pathname;
    if (method === "GET" && path === "/versions/mt3620an.json") {
      return { status: 200, body: service.releases.published() };
    }
    if (path.startsWith("/downloads/")) return download(service, method, url);
    if (path.startsWith("/device/")) {
      const peer = peerOf(request.socket as TLSSocket);
      const body = devices.handle(method, path, { body: await readJson(request), peer });
      if (body !== undefined) return { status: 200, body };
    }
    const { handler, parameters, route: pattern } = route(method, path);
    // What is said about the caller comes before what is said about the request.
    const user = tokens.check(request.headers.authorization);
    checkVersion(path, url.searchParams);
    const asked = { method, path, parameters, query: url.searchParams, base, user };
    arm.authorize(pattern, { ...asked, body: undefined });
    return handler({ ...asked, body: await readJson(request) });
  }

  const listener = createServerService({
    host: options.host,
    port: options.port,
    create() {
      const server = createServer(tlsOptions(options.credentials), (request, response) => {
        answer(request)
          .catch((error): Answer => refusal(service, error))
          .then((given) => send(request, response, given));
      });
      server.on("tlsClientError", (error, socket) => {
        service.logger.debug(`TLS with ${socket.remoteAddress ?? "a client"}: ${error.message}`);
      });
      return server;
    },
  });
  return {
    tokens,
    get state() {
      return listener.state;
    },
    setOperationTime: arm.operations.setDuration,
    async start() {
      const address = await listener.start();
      arm.operations.resume(route);
      return address;
    },
    async stop() {
      await listener.stop();
      arm.operations.stop();
    },
  };
}

function urlOf(path: string, base: string): URL {
  try {
    return new URL(path, base);
  } catch {
    throw new ArmError(400, "InvalidRequestUri", `'${path}' is no path.`);
  }
}

function download(service: SecurityService, method: string, url: URL): ArmResponse {
  const [, tenantId, imageId] = /^\/downloads\/([\w-]+)\/([\w-]+)$/.exec(url.pathname) ?? [];
  if (method !== "GET" || !tenantId || !imageId) {
    throw new ArmError(404, "ResourceNotFound", `There is nothing at '${url.pathname}'.`);
  }
  service.images.checkLink(tenantId, imageId, url.searchParams);
  return { status: 200, body: service.images.bytes(tenantId, imageId) };
}

function checkVersion(path: string, query: URLSearchParams): void {
  const version = query.get("api-version");
  const wanted = /\/Microsoft\.Authorization\//i.test(path) ? AUTHORIZATION_VERSION : API_VERSION;
  if (version === wanted) return;
  if (version === null) {
    const message = "The api-version query parameter (?api-version=) is required for all requests.";
    throw new ArmError(400, "MissingApiVersionParameter", message);
  }
  const message = `The api-version '${version}' is invalid. The supported one is '${wanted}'.`;
  throw new ArmError(400, "InvalidApiVersionParameter", message);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request, LARGEST_BODY);
  if (!body) {
    const message = `The request's body has more than ${LARGEST_BODY} bytes.`;
    throw new ArmError(413, "RequestContentTooLarge", message);
  }
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new ArmError(400, "InvalidRequestContent", "The request's body is no JSON.");
  }
}

function refusal(service: SecurityService, error: unknown): Answer {
  const refused = armErrorOf(error);
  if (refused.status >= 500) service.logger.error(`the request failed: ${refused.message}`);
  const { status, headers } = refused;
  return { status, headers, body: errorBody(refused) };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const bytes = answer.body instanceof Uint8Array;
  const id = randomUUID();
  response.writeHead(answer.status, {
    "content-type": bytes ? "application/octet-stream" : "application/json; charset=utf-8",
    "cache-control": "no-cache",
    "x-ms-request-id": id,
    "x-ms-correlation-request-id": id,
    // What was not read of a refused request would be taken for the next one.
    ...(request.complete ? {} : { connection: "close" }),
    ...answer.headers,
  });
  if (answer.body === undefined) response.end();
  else response.end(bytes ? answer.body : JSON.stringify(answer.body));
}
