import type { JsonObject } from "../../../hub/json.ts";
import type { LabContext } from "../../context.ts";
import { parseJsonOrFile } from "../../options.ts";
import { hubRest } from "../../rest.ts";
import { DEVICE, MODULE, pathOf } from "./identities.ts";
import { type Entry, ETAG, type Given, ifMatch, text, wholeNumberOf } from "./table.ts";

const CHANGES = {
  "--desired <json>": "desired properties; null deletes one; a file's name in place of JSON",
  "--tags <json>": "tags; null deletes one; a file's name in place of JSON",
};

/** Twins, direct methods and queries, as `az iot hub` has them. */
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
        options: { ...who, ...CHANGES, ...ETAG },
        run: (lab, given) => change(lab, given, "PATCH"),
      },
      {
        words: `${kind}-twin replace`,
        description: "put desired properties and tags in place of the twin's",
        options: {
          ...who,
          "-j, --json <json>": "the whole twin; a file's name in place of JSON",
          ...CHANGES,
          ...ETAG,
        },
        run: (lab, given) => change(lab, given, "PUT"),
      },
      {
        words: `invoke-${kind}-method`,
        description: "call a direct method and print its answer",
        options: {
          ...who,
          "!--mn, --method-name <name>": "the method",
          "--mp, --method-payload <json>": "its payload; a file's name in place of JSON",
          "--to, --timeout <seconds>": "how long to wait for the answer, 5 to 300",
          "--cto, --connect-timeout <seconds>": "how long to wait for the device, 0 to 300",
        },
        run: invoke,
      },
    ];
  }),
  {
    words: "device-twin list",
    description: "print all devices' twins",
    options: { "--top <count>": "at most so many" },
    run: (lab, given) =>
      hubRest(lab).rows("/devices/query", "SELECT * FROM devices", wholeNumberOf(given, "top")),
  },
  {
    words: "query",
    description: "ask in the IoT Hub query language",
    options: {
      "!-q, --query-command <text>": "e.g. SELECT * FROM devices WHERE tags.floor = 2",
      "--top <count>": "at most so many rows",
    },
    run: (lab, given) =>
      hubRest(lab).rows("/devices/query", text(given, "queryCommand"), wholeNumberOf(given, "top")),
  },
];

function change(lab: LabContext, given: Given, method: "PATCH" | "PUT"): Promise<unknown> {
  const body = given.json === undefined ? changeFrom(given) : jsonOf(given, "json");
  return hubRest(lab)(method, pathOf(given, "/twins"), { body, headers: ifMatch(given) });
}

function changeFrom(given: Given): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  if (given.desired !== undefined) body.properties = { desired: jsonOf(given, "desired") };
  if (given.tags !== undefined) body.tags = jsonOf(given, "tags");
  return body;
}

function jsonOf(given: Given, name: string): JsonObject {
  return parseJsonOrFile(text(given, name), `--${name}`) as JsonObject;
}

function invoke(lab: LabContext, given: Given): Promise<unknown> {
  const payload = text(given, "methodPayload");
  return hubRest(lab)("POST", `${pathOf(given, "/twins")}/methods`, {
    body: {
      methodName: text(given, "methodName"),
      payload: payload === "" ? null : parseJsonOrFile(payload, "The payload"),
      responseTimeoutInSeconds: wholeNumberOf(given, "timeout") ?? 30,
      connectTimeoutInSeconds: wholeNumberOf(given, "connectTimeout") ?? 10,
    },
  });
}
