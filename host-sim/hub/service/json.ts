import { HubError } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";

/** @throws HubError ArgumentInvalid */
export function asObject(value: unknown, what = "The body"): JsonObject {
  if (isObject(value)) return value;
  throw new HubError("ArgumentInvalid", `${what} has to be a JSON object`);
}

/** The ETag of an If-Match header, without its quotes; undefined when there is none. */
export function ifMatch(header: string | undefined): string | undefined {
  return header?.replace(/^"(.*)"$/, "$1");
}

export function etagHeader(etag: unknown): Record<string, string> {
  return { ETag: `"${etag}"` };
}
