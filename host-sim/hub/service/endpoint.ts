import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { compileRoutes, readBody } from "../../http/routes.ts";
import { type Peer, peerOf, type ServerCredentials, tlsOptions } from "../../pki/index.ts";
import { createServerService } from "../../server-service.ts";
import type { Service } from "../../service.ts";
import { addressOf } from "../address.ts";
import { HubError } from "../errors.ts";
import { type OnTlsProblem, watchHandshakes } from "../tls-problems.ts";

export interface HttpRequest {
  readonly route: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** @throws HubError ArgumentInvalid */
  json(): unknown;
  readonly peer: Peer;
  /** `host:port` of the caller. */
  readonly address: string;
}

export interface HttpAnswer {
  /** 200 when absent. */
  readonly status?: number;
  readonly json?: unknown;
  readonly body?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Handler = (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;
export type Routes = Readonly<Record<string, Handler>>;

/** Routes that check their callers and write their errors in one way. */
export interface RouteGroup {
  readonly routes: Routes;
  /** Throws when the caller may not use the route. */
  authorize(request: HttpRequest): void;
  problem(error: unknown): HttpAnswer;
}

export interface EndpointOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: ServerCredentials;
  /** The first group that has the route answers. */
  readonly groups: readonly RouteGroup[];
  readonly onTlsProblem: OnTlsProblem;
  /** Takes over WebSocket connections. */
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

const LARGEST_BODY = 1024 * 1024;

/** The HTTPS endpoint of hub, DPS and management: one port, told apart by the path. */
export function createHttpsEndpoint(options: EndpointOptions): Service {
  const groups = options.groups.map((group) => ({ group, ...compileRoutes(group.routes) }));

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = urlOf(incoming);
    if (!url) {
      const problem = new HubError("ArgumentInvalid", "The target of the request is no URL");
      return send(response, hubProblem(problem));
    }
    const method = incoming.method ?? "GET";
    for (const { group, find } of groups) {
      const match = find(method, url.pathname);
      if (match) return send(response, await answer(group, match, incoming, url));
    }
    const unknown = new HubError("ArgumentInvalid", `There is no ${method} ${url.pathname}`);
    send(response, { ...hubProblem(unknown), status: 404 });
  }

  async function answer(
    group: RouteGroup,
    match: { handler: Handler; route: string; parameters: Readonly<Record<string, string>> },
    incoming: IncomingMessage,
    url: URL,
  ): Promise<HttpAnswer> {
    try {
      const body = await readBody(incoming, LARGEST_BODY);
      if (!body) throw new HubError("MessageTooLarge", `More than ${LARGEST_BODY} bytes`);
      const socket = incoming.socket as TLSSocket;
      const request: HttpRequest = {
        route: match.route,
        parameters: match.parameters,
        query: url.searchParams,
        headers: incoming.headers,
        body,
        json: () => parsed(body),
        peer: peerOf(socket),
        address: addressOf(socket),
      };
      group.authorize(request);
      return await match.handler(request);
    } catch (error) {
      return group.problem(error);
    }
  }

  return createServerService({
    host: options.host,
    port: options.port,
    create() {
      const server = createServer(tlsOptions(options.credentials), (request, response) => {
        serve(request, response).catch(() => response.destroy());
      });
      server.on("upgrade", (request, socket, head) => {
        if (options.onUpgrade) options.onUpgrade(request, socket, head);
        else socket.destroy();
      });
      return watchHandshakes(server, options.onTlsProblem);
    },
  });
}

function urlOf({ url = "/" }: IncomingMessage): URL | undefined {
  return URL.canParse(url, "https://hub") ? new URL(url, "https://hub") : undefined;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new HubError("ArgumentInvalid", "The body is no JSON");
  }
}

function send(response: ServerResponse, answer: HttpAnswer): void {
  const { status = 200, json, body, headers } = answer;
  const type = json === undefined ? {} : { "content-type": "application/json; charset=utf-8" };
  response.writeHead(status, { ...type, ...headers });
  response.end(json === undefined ? body : JSON.stringify(json));
}

/**
 * An error as IoT Hub writes it; the SDKs pick the name out of `Message` at `:` and `;`.
 * @param time milliseconds since the Unix epoch, where a clock is known
 */
export function hubProblem(error: unknown, time?: number): HttpAnswer {
  const known = error instanceof HubError;
  const name = known ? error.name : "ServerError";
  const text = error instanceof Error ? error.message : String(error);
  const stamp = time === undefined ? "" : `-TimeStamp:${new Date(time).toISOString()}`;
  return {
    status: known ? error.status : 500,
    json: {
      Message: `ErrorCode:${name};${text}`,
      ExceptionMessage: `Tracking ID:${crypto.randomUUID()}${stamp}`,
    },
    headers: { "iothub-errorcode": name },
  };
}
