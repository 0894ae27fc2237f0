import { type Acknowledgement, isAcknowledgement } from "../hub/c2d.ts";
import { isObject, type Json, type JsonObject } from "../hub/json.ts";
import type { Lab } from "../lab.ts";
import type { ApiRequest, ApiRoutes } from "./api.ts";
import { badField, object, text } from "./body.ts";

const TEXTS = ["messageId", "correlationId", "userId", "contentType", "contentEncoding"] as const;

/** Messages to devices, and what became of them. */
export function messageRoutes({ hub }: Lab): ApiRoutes {
  const known = ({ parameters }: ApiRequest) =>
    hub.devices.get(parameters.deviceId as string).deviceId;
  return {
    "POST /messages/:deviceId": (request) => {
      const { messageId, sequence } = hub.c2d.enqueue(known(request), messageFrom(object(request)));
      return { messageId, sequence };
    },
    "POST /messages/:deviceId/receive": (request) => hub.c2d.receive(known(request)),
    "POST /messages/:deviceId/settle": (request) => {
      const body = object(request);
      const how = text(body, "how");
      if (how !== "complete" && how !== "abandon" && how !== "reject") {
        throw badField("how", "complete, abandon or reject");
      }
      hub.c2d[how](known(request), text(body, "token"));
    },
    /** Takes what waits of feedback: no other reader gets it. */
    "POST /feedback": () => {
      const batch = hub.feedback.take();
      batch?.accept();
      return batch?.records ?? [];
    },
  };
}

function messageFrom(given: JsonObject) {
  const { body, properties, ack, expires } = given;
  const pairs = isObject(properties) ? Object.entries(properties) : [];
  const texts = TEXTS.filter((name) => given[name] !== undefined).map((name) => [
    name,
    text(given, name),
  ]);
  return {
    body: Buffer.from(String(body ?? ""), "base64"),
    properties: Object.fromEntries(pairs.map(([name, value]) => [name, String(value)])),
    ...(Object.fromEntries(texts) as Partial<Record<(typeof TEXTS)[number], string>>),
    ...(ack === undefined ? {} : { ack: acknowledgement(ack) }),
    ...(expires === undefined || expires === null ? {} : { expires: Number(expires) }),
  };
}

function acknowledgement(value: Json): Acknowledgement {
  if (isAcknowledgement(value)) return value;
  throw badField("ack", "none, positive, negative or full");
}
