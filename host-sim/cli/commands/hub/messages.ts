import type { StoredMessage } from "../../../hub/events.ts";
import type { FeedbackRecord } from "../../../hub/feedback.ts";
import type { JsonObject } from "../../../hub/json.ts";
import { callLab, type LabContext } from "../../context.ts";
import { readGiven } from "../../options.ts";
import { hubRest } from "../../rest.ts";
import { bodyOf, messagesOf } from "../telemetry.ts";
import { DEVICE, pathOf } from "./identities.ts";
import { type Entry, type Given, oneOf, present, text, wholeNumberOf } from "./table.ts";

const LOCK = { ...DEVICE, "!-e, --etag <token>": "what `receive` printed as etag" };

/** Messages to devices and what comes from them, as `az iot device` and `az iot hub` have it. */
export const messageEntries: readonly Entry[] = [
  {
    words: "c2d-message send",
    description: "queue a message for a device",
    options: {
      ...DEVICE,
      "--da, --data <text>": "the body",
      "--dfp, --data-file-path <file>": "a file with the body",
      "-p, --props <list>": "application properties, a=1;b=2",
      "--mid, --message-id <id>": "a name that feedback carries",
      "--cid, --correlation-id <id>": "what it answers",
      "--uid, --user-id <id>": "who sends",
      "--ct, --content-type <type>": "e.g. application/json",
      "--ce, --content-encoding <name>": "e.g. utf-8",
      "--expiry, --expiry-time-utc <ms>": "milliseconds since the Unix epoch; in an hour if absent",
      "--ack <kind>": "none, positive, negative or full",
      "-w, --wait": "wait for the feedback; with an --ack",
    },
    run: send,
  },
  {
    words: "c2d-message receive",
    description: "take a device's oldest message; it is locked for a minute",
    options: {
      ...DEVICE,
      "--complete": "and settle it",
      "--abandon": "and give it back",
      "--reject": "and dead-letter it",
    },
    run: receive,
  },
  ...(["complete", "abandon", "reject"] as const).map(
    (how): Entry => ({
      words: `c2d-message ${how}`,
      description: {
        complete: "settle a message that was received",
        abandon: "give a message back to its queue",
        reject: "dead-letter a message",
      }[how],
      options: LOCK,
      run: (lab, given) => settle(lab, given, text(given, "etag"), how),
    }),
  ),
  {
    words: "c2d-message purge",
    description: "drop what waits for a device",
    options: DEVICE,
    run: (lab, given) => hubRest(lab)("DELETE", `${pathOf(given)}/commands`),
  },
  {
    words: "monitor-feedback",
    description: "print what became of messages to devices, as it is told",
    options: {
      "-d, --device-id <id>": "of one device only",
      "-w, --wait-on-msg <id>": "end when this message's fate is told",
      "--to, --timeout <seconds>": "end after so long; 300 when absent",
    },
    run: monitorFeedback,
  },
  {
    words: "monitor-events",
    description: "print what devices send, as it comes",
    options: {
      "-d, --device-id <id>": "of one device only",
      "-m, --module-id <id>": "of one module only",
      "-p, --props <kind>": "sys, app, anno or all",
      "--et, --enqueued-time <ms>": "from this time on, milliseconds since the Unix epoch",
      "--mc, --message-count <count>": "end after so many",
      "--to, --timeout <seconds>": "end after so long without one; 300 when absent",
    },
    run: monitorEvents,
  },
];

const messagePath = (given: Given) => `/messages/${encodeURIComponent(text(given, "deviceId"))}`;

async function send(lab: LabContext, given: Given): Promise<unknown> {
  const { messageId, correlationId, userId, contentType, contentEncoding, ack } = given;
  const data =
    given.dataFilePath === undefined
      ? Buffer.from(text(given, "data"))
      : readGiven(text(given, "dataFilePath"));
  const sent = await callLab<{ messageId: string }>(lab, "POST", messagePath(given), {
    body: data.toString("base64"),
    properties: propertiesFrom(text(given, "props")),
    ...present({ messageId, correlationId, userId, contentType, contentEncoding, ack }),
    expires: wholeNumberOf(given, "expiryTimeUtc"),
  });
  if (!given.wait) return undefined;
  return monitorFeedback(lab, { deviceId: given.deviceId, waitOnMsg: sent.messageId });
}

interface Received {
  readonly token: string;
  readonly message: JsonObject;
}

async function receive(lab: LabContext, given: Given): Promise<unknown> {
  const received = await callLab<Received | undefined>(
    lab,
    "POST",
    `${messagePath(given)}/receive`,
  );
  if (!received) return undefined;
  const { token, message } = received;
  const how = (["complete", "abandon", "reject"] as const).find((each) => given[each]);
  if (how) await settle(lab, given, token, how);
  const { body, properties, ack, deliveryCount, enqueuedTime, expires, sequence, ...system } =
    message;
  return {
    ack: how ?? ack,
    data: Buffer.from(String(body), "base64").toString("utf8"),
    etag: token,
    properties: {
      app: properties,
      system: {
        ...system,
        ...{ deliveryCount, enqueuedTime, sequenceNumber: sequence },
        expiry: new Date(Number(expires)).toISOString(),
      },
    },
  };
}

function settle(lab: LabContext, given: Given, token: string, how: string): Promise<unknown> {
  return callLab(lab, "POST", `${messagePath(given)}/settle`, { token, how });
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

const POLL_MS = 200;

/** Feedback is a queue: what is printed here, no other reader gets. */
async function monitorFeedback(lab: LabContext, given: Given): Promise<void> {
  const until = performance.now() + (wholeNumberOf(given, "timeout") ?? 300) * 1000;
  const [deviceId, wanted] = [text(given, "deviceId"), text(given, "waitOnMsg")];
  while (performance.now() < until) {
    const records = await callLab<FeedbackRecord[]>(lab, "POST", "/feedback");
    const shown = records.filter((each) => deviceId === "" || each.deviceId === deviceId);
    for (const record of shown) write({ feedback: record });
    if (wanted !== "" && shown.some((each) => each.originalMessageId === wanted)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function monitorEvents(lab: LabContext, given: Given): Promise<void> {
  const props = oneOf(given, "props", ["sys", "app", "anno", "all"]);
  const patience = (wholeNumberOf(given, "timeout") ?? 300) * 1000;
  const since = wholeNumberOf(given, "enqueuedTime");
  const end = new AbortController();
  let timer = setTimeout(() => end.abort(), patience);
  let left = wholeNumberOf(given, "messageCount") ?? Number.POSITIVE_INFINITY;
  try {
    for await (const message of messagesOf(lab, since === undefined ? undefined : 0, end.signal)) {
      if (!isMeant(message, given, since ?? 0)) continue;
      write({ event: eventOf(message, props) });
      clearTimeout(timer);
      timer = setTimeout(() => end.abort(), patience);
      left -= 1;
      if (left === 0) return;
    }
  } catch (error) {
    if (!end.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}

function isMeant(message: StoredMessage, given: Given, since: number): boolean {
  const { deviceId = message.deviceId, moduleId = message.moduleId } = given;
  return (
    message.deviceId === deviceId &&
    message.moduleId === moduleId &&
    Date.parse(message.enqueuedTime) >= since
  );
}

const SYSTEM = ["content-type", "content-encoding", "message-id", "correlation-id", "user-id"];

/** An event as `az iot hub monitor-events` prints it. */
function eventOf(message: StoredMessage, props: string | undefined): JsonObject {
  const { systemProperties, properties, deviceId, moduleId = "" } = message;
  const has = (kind: string) => props === kind || props === "all";
  const chosen = (isSystem: boolean) =>
    Object.fromEntries(
      Object.entries(systemProperties).filter(([name]) => SYSTEM.includes(name) === isSystem),
    );
  return {
    ...{ origin: deviceId, module: moduleId },
    interface: systemProperties["dt-dataschema"] ?? "",
    component: systemProperties["dt-subject"] ?? "",
    ...(has("sys") || has("app")
      ? {
          properties: {
            ...(has("sys") ? { system: chosen(true) } : {}),
            ...(has("app") ? { application: properties } : {}),
          },
        }
      : {}),
    ...(has("anno") ? { annotations: chosen(false) } : {}),
    payload: bodyOf(message) as JsonObject,
  };
}

function write(value: JsonObject | { readonly feedback: FeedbackRecord }): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
