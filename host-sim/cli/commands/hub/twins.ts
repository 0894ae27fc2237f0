import type { JsonObject } from "../../../hub/json.ts";
import { callLab } from "../../context.ts";
import { parseJson } from "../../options.ts";
import { hubRest } from "../../rest.ts";
import { pathOf } from "./identities.ts";
import { type Entry, type Given, text } from "./table.ts";

const DEVICE = { "!-d, --device-id <id>": "the device" };
const MODULE = { ...DEVICE, "!-m, --module-id <id>": "its module" };
const CHANGES = {
  "--desired <json>": "desired properties; null deletes one",
  "--tags <json>": "tags; null deletes one",
};

/** Twins, direct methods, messages and queries, as `az iot hub` has them. */
export const twinEntries: readonly Entry[] = [
  ...(["device", "module"] as const).flatMap((kind): Entry[] => {
    const who = kind === "device" ? DEVICE : MODULE;
    return [
      {
        words: `${kind}-twin show`,
        description: `print a ${kind}'s twin`,
        options: who,
        run: (lab, given) => hubRest(lab)("GET", pathOf(given, "/twins")),
      },
      {
        words: `${kind}-twin update`,
        description: "merge desired properties and tags into the twin",
        options: { ...who, ...CHANGES },
        run: (lab, given) => hubRest(lab)("PATCH", pathOf(given, "/twins"), changeFrom(given)),
      },
      {
        words: `${kind}-twin replace`,
        description: "put desired properties and tags in place of the twin's",
        options: { ...who, ...CHANGES },
        run: (lab, given) => hubRest(lab)("PUT", pathOf(given, "/twins"), changeFrom(given)),
      },
    ];
  }),
  {
    words: "invoke-device-method",
    description: "call a direct method and print its answer",
    options: {
      ...DEVICE,
      "!--mn, --method-name <name>": "the method",
      "--mp, --method-payload <json>": "its payload",
      "--to, --timeout <seconds>": "how long to wait for the answer, 5 to 300",
    },
    run: (lab, given) =>
      hubRest(lab)("POST", `${pathOf(given, "/twins")}/methods`, {
        body: {
          methodName: text(given, "methodName"),
          payload: parseJson(text(given, "methodPayload") || "null", "The payload"),
          responseTimeoutInSeconds: Number(text(given, "timeout") || 30),
          connectTimeoutInSeconds: 10,
        },
      }),
  },
  {
    words: "c2d-message send",
    description: "queue a message for a device",
    options: {
      ...DEVICE,
      "--data <text>": "the body",
      "-p, --props <list>": "application properties, a=1;b=2",
      "--mid, --message-id <id>": "a name that feedback carries",
      "--ack <kind>": "none, positive, negative or full",
    },
    run: (lab, given) =>
      callLab(lab, "POST", `/messages/${encodeURIComponent(text(given, "deviceId"))}`, {
        body: Buffer.from(text(given, "data")).toString("base64"),
        properties: propertiesFrom(text(given, "props")),
        messageId: given.messageId,
        ack: given.ack,
      }),
  },
  {
    words: "c2d-message purge",
    description: "drop what waits for a device",
    options: DEVICE,
    run: (lab, given) => hubRest(lab)("DELETE", `${pathOf(given)}/commands`),
  },
  {
    words: "query",
    description: "ask in the IoT Hub query language",
    options: { "!-q, --query-command <text>": "e.g. SELECT * FROM devices WHERE tags.floor = 2" },
    run: (lab, given) =>
      hubRest(lab)("POST", "/devices/query", {
        body: { query: text(given, "queryCommand") },
        headers: { "x-ms-max-item-count": "1000" },
      }),
  },
];

function changeFrom(given: Given): { body: JsonObject } {
  const part = (name: string) =>
    given[name] === undefined ? undefined : parseJson(text(given, name), `--${name}`);
  const body: Record<string, unknown> = {};
  const [desired, tags] = [part("desired"), part("tags")];
  if (desired !== undefined) body.properties = { desired };
  if (tags !== undefined) body.tags = tags;
  return { body: body as JsonObject };
}

function propertiesFrom(list: string): Record<string, string> {
  return Object.fromEntries(
    list
      .split(";")
      .filter((pair) => pair !== "")
      .map((pair) => {
        const at = pair.indexOf("=");
        return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
      }),
  );
}
