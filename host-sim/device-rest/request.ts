import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type DeviceError,
  ERRORS,
  type RefusalKind,
  refuseIf,
} from "../device/system/device-error.ts";

/** What a route gets. */
export interface RestRequest {
  /** Of the path, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

/** Who may call: everybody, whoever has a device that is not locked, or application developers. */
export type Access = "open" | "unlocked" | "development";

export interface Route {
  readonly access: Access;
  /** The answer: an object for JSON, a Buffer for bytes, a Reply for something more, or Later. */
  readonly run: (request: RestRequest) => unknown;
}

/** `GET /certstore/certs/{id}` → route. */
export type Routes = Readonly<Record<string, Route>>;

/** An answer with another status than 200, or one after which the device restarts. */
export class Reply {
  constructor(
    readonly body: unknown,
    readonly options: { readonly status?: number; readonly restart?: boolean } = {},
  ) {}
}

/** An answer that comes when the next requests have had their turn. */
export class Later {
  constructor(readonly answer: Promise<object>) {}
}

type Run = Route["run"];
export const open = (run: Run): Route => ({ access: "open", run });
export const unlocked = (run: Run): Route => ({ access: "unlocked", run });
export const development = (run: Run): Route => ({ access: "development", run });

const STATUS: Readonly<Record<RefusalKind, number>> = {
  invalid: 400,
  forbidden: 403,
  absent: 404,
  conflict: 409,
  "media-type": 415,
  internal: 500,
};

/** Longer than the flash for applications; nothing that fits is refused for its length. */
const LONGEST_BODY = 2 * 1024 * 1024;

/** @throws DeviceError contentTooLarge */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    // The rest is read and dropped: a client that still sends would not see the refusal.
    if (size <= LONGEST_BODY) chunks.push(chunk);
  }
  refuseIf(size > LONGEST_BODY, ERRORS.contentTooLarge);
  return Buffer.concat(chunks);
}

/** A body without a media type is taken; some tools send none. @throws DeviceError media-type */
export function requireMediaType({ contentType }: RestRequest, wanted: string): void {
  const given = contentType?.split(";")[0]?.trim().toLowerCase();
  refuseIf(given !== undefined && given !== wanted, ERRORS.invalidParameter, "media-type");
}

/** The value as the device writes it: compact, with `/` as `\/`. */
export function writeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("/", "\\/");
}

export function sendReply(response: ServerResponse, reply: Reply): void {
  const { body, options } = reply;
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(writeJson(body));
  response.writeHead(options.status ?? 200, {
    "content-type": Buffer.isBuffer(body) ? "application/octet-stream" : "application/json",
    "content-length": bytes.length,
    ...(options.restart ? { connection: "close" } : {}),
  });
  response.end(bytes);
}

/** Real devices send the number alone; what ours knows more is in a header that nobody has to read. */
export function sendRefusal(response: ServerResponse, { kind, number, detail }: DeviceError): void {
  if (detail !== undefined) response.setHeader("Spherule-Detail", encodeURIComponent(detail));
  sendReply(response, new Reply({ error: number }, { status: STATUS[kind] }));
}
