import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { LabError, messageOf } from "../errors.ts";
import { compileRoutes, readBody } from "../http/routes.ts";
import { HubError } from "../hub/errors.ts";
import type { LogLine } from "../log.ts";
import { createServerService } from "../server-service.ts";
import type { Service } from "../service.ts";

/** What a route gets: path parameters, query and the JSON body. */
export interface ApiRequest {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** Aborted when the caller went away. */
  readonly signal: AbortSignal;
}

export type ApiHandler = (request: ApiRequest) => unknown | Promise<unknown>;

/** `GET /twins/:deviceId` → handler; what it returns is the JSON answer. */
export type ApiRoutes = Readonly<Record<string, ApiHandler>>;

/** What `GET /events` streams. */
export type LabEvent =
  | { readonly type: "log"; readonly line: LogLine }
  | { readonly type: "telemetry"; readonly message: unknown };

export interface ApiOptions {
  readonly host: string;
  readonly port: number;
  readonly routes: ApiRoutes;
  /** Calls the listener for each event from now on; the answer ends it. */
  readonly subscribe: (listener: (event: LabEvent) => void) => () => void;
}

const LARGEST_BODY = 2 * 1024 * 1024;

/** The lab's own HTTP API, for the command line and the dashboard; loopback callers only. */
export function createApiServer(options: ApiOptions): Service {
  const { find } = compileRoutes(options.routes);

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://lab");
    if (!isLocal(request)) return send(response, 403, forbidden());
    if (url.pathname === "/events") return stream(response, options.subscribe);
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const match = find(request.method ?? "GET", url.pathname);
    if (match) {
      const answer = await match.handler({
        parameters: match.parameters,
        query: url.searchParams,
        body: await readJson(request),
        signal: gone.signal,
      });
      return send(response, answer === undefined ? 204 : 200, answer);
    }
    send(response, 404, {
      code: "route-unknown",
      message: `The lab has no ${request.method} ${url.pathname}.`,
      hint: "Is the command as old as the lab?",
    });
  }

  return createServerService({
    host: options.host,
    port: options.port,
    create: () =>
      createServer((request, response) => {
        serve(request, response).catch((error) => sendProblem(response, error));
      }),
  });
}

/** A web page elsewhere must not drive the lab, neither by a form nor by a rebound name. */
function isLocal(request: IncomingMessage): boolean {
  const local = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;
  const origin = request.headers.origin;
  const originHost = origin === undefined ? undefined : origin.replace(/^https?:\/\//, "");
  return (
    local.test(request.headers.host ?? "") && (originHost === undefined || local.test(originHost))
  );
}

function forbidden() {
  return {
    code: "not-local",
    message: "The lab answers only callers on this computer.",
    hint: "Use its address as `spherule status` prints it.",
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request, LARGEST_BODY);
  if (!body) throw badBody(`it has more than ${LARGEST_BODY} bytes`);
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw badBody(messageOf(error));
  }
}

function badBody(problem: string): LabError {
  return new LabError("body-invalid", `The request's body was refused: ${problem}.`, "Send JSON.");
}

function sendProblem(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else send(response, error instanceof HubError ? error.status : 400, problemOf(error));
}

function problemOf(error: unknown) {
  if (error instanceof LabError) {
    return { code: error.code, message: error.message, hint: error.hint };
  }
  if (error instanceof HubError) {
    return {
      code: "hub-refused",
      message: `The hub refused with ${error.code} ${error.name}: ${error.message}.`,
      hint: "`spherule status` shows the device's state.",
    };
  }
  return { code: "internal", message: messageOf(error), hint: "Please report it." };
}

function send(response: ServerResponse, status: number, answer: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(answer === undefined ? undefined : JSON.stringify(answer));
}

/** Server-sent events; a reader that does not keep up is cut off instead of filling the memory. */
function stream(response: ServerResponse, subscribe: ApiOptions["subscribe"]): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(":\n\n");
  const end = subscribe((event) => {
    if (response.writableLength > LARGEST_BODY) response.destroy();
    else response.write(`data: ${JSON.stringify(event)}\n\n`);
  });
  response.on("close", end);
}
