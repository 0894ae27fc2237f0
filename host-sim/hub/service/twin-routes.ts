import { idOf } from "../devices.ts";
import { HubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { isObject } from "../json.ts";
import { callMethod, methodCall } from "../methods.ts";
import { runQuery } from "../query/query.ts";
import { twinJson } from "../views.ts";
import type { HttpAnswer, HttpRequest } from "./endpoint.ts";
import type { ServiceRoutes } from "./group.ts";
import { asObject, etagHeader, ifMatch } from "./json.ts";
import { idFrom } from "./registry-routes.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1000;

/** Twins, direct methods and queries, of devices and of modules. */
export function twinRoutes(hub: Hub): ServiceRoutes {
  const get = ({ parameters }: HttpRequest) => {
    hub.limits.take("twinReads");
    return shownTwin(hub, idFrom(parameters));
  };
  const patch = (request: HttpRequest) => changeTwin(hub, request, "patch");
  const replace = (request: HttpRequest) => changeTwin(hub, request, "replace");
  const invoke = (request: HttpRequest) => invokeMethod(hub, request);
  const both = (path: string, handlers: ServiceRoutes): ServiceRoutes =>
    Object.fromEntries(
      Object.entries(handlers).flatMap(([method, route]) => [
        [`${method} /twins/:deviceId${path}`, route],
        [`${method} /twins/:deviceId/modules/:moduleId${path}`, route],
      ]),
    );
  return {
    ...both("", {
      GET: ["ServiceConnect", get],
      PATCH: ["ServiceConnect", patch],
      PUT: ["ServiceConnect", replace],
    }),
    ...both("/methods", { POST: ["ServiceConnect", invoke] }),
    "POST /devices/query": ["RegistryRead", (request) => query(hub, request)],
  };
}

function shownTwin(hub: Hub, id: string): HttpAnswer {
  const twin = twinJson(hub, hub.devices.get(id));
  return { json: twin, headers: etagHeader(twin.etag) };
}

function changeTwin(hub: Hub, request: HttpRequest, how: "patch" | "replace"): HttpAnswer {
  hub.limits.take("twinUpdates");
  const id = idOf(hub.devices.get(idFrom(request.parameters)));
  const { tags, properties } = asObject(request.json());
  const desired = isObject(properties) ? properties.desired : undefined;
  hub.twins[how](id, { tags, desired }, ifMatch(request.headers["if-match"]) ?? "*");
  return shownTwin(hub, id);
}

async function invokeMethod(hub: Hub, request: HttpRequest): Promise<HttpAnswer> {
  const id = idOf(hub.devices.get(idFrom(request.parameters)));
  return { json: await callMethod(hub, id, methodCall(asObject(request.json()))) };
}

function query(hub: Hub, request: HttpRequest): HttpAnswer {
  hub.limits.take("queries");
  const { query: text } = asObject(request.json());
  const { rows, itemType } = runQuery(hub, String(text ?? ""));
  const wanted = Number(request.headers["x-ms-max-item-count"] ?? DEFAULT_PAGE);
  const size = Math.min(Math.max(1, wanted || DEFAULT_PAGE), LARGEST_PAGE);
  const from = offsetFrom(request.headers["x-ms-continuation"]);
  const more = rows.length > from + size;
  return {
    json: rows.slice(from, from + size),
    headers: {
      "x-ms-item-type": itemType,
      ...(more ? { "x-ms-continuation": encodeOffset(from + size) } : {}),
    },
  };
}

function encodeOffset(offset: number): string {
  return Buffer.from(`offset:${offset}`).toString("base64");
}

function offsetFrom(token: string | string[] | undefined): number {
  if (token === undefined || token === "") return 0;
  const match = /^offset:(\d+)$/.exec(Buffer.from(String(token), "base64").toString());
  if (match) return Number(match[1]);
  throw new HubError("ArgumentInvalid", "The continuation token is none of this hub");
}
