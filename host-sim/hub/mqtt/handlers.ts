import type { IPublishPacket, ISubscribePacket, IUnsubscribePacket, Packet } from "mqtt-packet";
import { LabError, messageOf } from "../../errors.ts";
import { HubError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import type { RefusalReason } from "../refusals.ts";
import { twinForDevice } from "../twins.ts";
import type { MqttConnection } from "./connection.ts";
import { messageSize } from "./property-bag.ts";
import { type Publication, parsePublication, parseSubscription } from "./topics.ts";

const LARGEST_MESSAGE = 262_144;
const LARGEST_METHOD_PAYLOAD = 131_072;
const MOST_SUBSCRIPTIONS = 5;

/** A publish of the device: telemetry, twin, or the answer to a direct method. */
export function onPublish(connection: MqttConnection, packet: IPublishPacket): void {
  if (packet.qos === 2) {
    connection.refuse("forbidden-qos", "IoT Hub does not speak QoS 2.");
    return;
  }
  const publication = parsePublication(packet.topic, connection.device);
  if (!publication) {
    connection.refuse("forbidden-topic", `A device may not publish to ${packet.topic}.`);
    return;
  }
  const { payload } = packet;
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  if (publication.kind === "telemetry") {
    onTelemetry(connection, publication.bag, packet, bytes);
  } else if (serve(connection, publication, bytes)) acknowledge(connection, packet);
}

function acknowledge(connection: MqttConnection, packet: IPublishPacket): void {
  if (packet.qos === 1) connection.acknowledge(packet.messageId ?? 0);
}

/** @returns false when the connection was closed over it */
function serve(
  connection: MqttConnection,
  publication: Exclude<Publication, { kind: "telemetry" }>,
  payload: Buffer,
): boolean {
  const { hub } = connection;
  switch (publication.kind) {
    case "twin-get":
      answerTwin(connection, publication.requestId, () => {
        hub.limits.take("twinReads");
        return { status: 200, body: twinForDevice(hub.twins.get(connection.id)) };
      });
      return true;
    case "twin-patch":
      answerTwin(connection, publication.requestId, () => {
        hub.limits.take("twinUpdates");
        requireNumber(publication.version);
        const patch = JSON.parse(payload.toString("utf8"));
        const twin = hub.twins.patchReported(connection.id, patch, publication.version);
        return { status: 204, suffix: `&$version=${twin.reported.version}` };
      });
      return true;
    case "method-answer":
      return onMethodAnswer(connection, publication, payload);
  }
}

function requireNumber(version: number | undefined): void {
  if (version === undefined || Number.isSafeInteger(version)) return;
  throw new HubError("ArgumentInvalid", "The $version of the topic is no whole number");
}

function onTelemetry(
  connection: MqttConnection,
  bag: string,
  packet: IPublishPacket,
  payload: Buffer,
): void {
  connection.hold();
  try {
    storeTelemetry(connection, bag, packet, payload, undefined, () => {
      connection.release();
      acknowledge(connection, packet);
    });
  } catch (error) {
    connection.refuse(refusalOf(error), messageOf(error));
  }
}

function refusalOf(error: unknown): RefusalReason {
  if (!(error instanceof HubError)) return "protocol-error";
  return error.name === "MessageTooLarge" ? "message-too-large" : "throttled";
}

/** Keeps a message; used for the will as well. */
export function storeTelemetry(
  connection: MqttConnection,
  bag: string,
  packet: { readonly retain?: boolean; readonly dup?: boolean },
  payload: Buffer,
  more?: Readonly<Record<string, string>>,
  onStored?: () => void,
): void {
  const bagged = connection.read(bag);
  const { properties, system } = bagged;
  // The encoded bag is never shorter than what it says: most messages need no closer look.
  const about = payload.length + Buffer.byteLength(bag);
  if (about > LARGEST_MESSAGE && messageSize(payload.length, bagged) > LARGEST_MESSAGE) {
    throw new HubError("MessageTooLarge", `A message has at most ${LARGEST_MESSAGE} bytes.`);
  }
  const { hub, sender } = connection;
  hub.limits.take("telemetry");
  hub.limits.spend(payload.length);
  const message = {
    sender,
    body: payload.toString("base64"),
    properties: packet.retain || packet.dup || more ? marked(properties, packet, more) : properties,
    systemProperties: system,
  };
  hub.events.enqueue(message, onStored);
}

function marked(
  properties: Readonly<Record<string, string | null>>,
  { retain, dup }: { readonly retain?: boolean; readonly dup?: boolean },
  more: Readonly<Record<string, string>> | undefined,
) {
  return {
    ...properties,
    ...(retain ? { "mqtt-retain": "true" } : {}),
    ...(dup ? { "mqtt-dup": "true" } : {}),
    ...more,
  };
}

interface TwinAnswer {
  readonly status: number;
  readonly body?: JsonObject;
  readonly suffix?: string;
}

/** Answers are only sent to a device that subscribed to them. */
function answerTwin(connection: MqttConnection, requestId: string, run: () => TwinAnswer): void {
  const answer = orProblem(connection, run);
  if (!connection.subscriptions.has("twin-answers")) return;
  connection.send({
    cmd: "publish",
    qos: 0,
    dup: false,
    retain: false,
    topic: `$iothub/twin/res/${answer.status}/?$rid=${requestId}${answer.suffix ?? ""}`,
    payload: answer.body ? JSON.stringify(answer.body) : "",
  });
}

/** Node's SDK sees an error only by `errorCode` and `message` in the body. */
function orProblem(connection: MqttConnection, run: () => TwinAnswer): TwinAnswer {
  try {
    return run();
  } catch (error) {
    const problem = error instanceof HubError ? error : undefined;
    const status = problem?.status ?? (error instanceof LabError ? 500 : 400);
    return {
      status,
      body: {
        errorCode: problem?.code ?? (status === 500 ? 500_001 : 400_012),
        trackingId: connection.trackingId(),
        message: messageOf(error),
        timestampUtc: new Date(connection.hub.clock.now()).toISOString(),
      },
    };
  }
}

function onMethodAnswer(
  connection: MqttConnection,
  answer: { readonly requestId: string; readonly status: number },
  payload: Buffer,
): boolean {
  if (payload.length > LARGEST_METHOD_PAYLOAD) {
    connection.refuse("message-too-large", "A method's answer has at most 128 KiB.");
    return false;
  }
  const { status, requestId } = answer;
  const text = payload.toString("utf8");
  connection.hub.connections.answer(connection.id, requestId, { status, payload: text });
  return true;
}

/** A filter that a device may not have closes the connection, as the service does. */
export function onSubscribe(connection: MqttConnection, packet: ISubscribePacket): void {
  const { subscriptions } = connection;
  const granted: number[] = [];
  for (const { topic, qos } of packet.subscriptions) {
    const kind = parseSubscription(topic, connection.device);
    if (!kind) {
      connection.refuse("forbidden-topic", `A device may not subscribe to ${topic}.`);
      return;
    }
    const allowed = qos === 0 ? 0 : 1;
    if (!subscriptions.has(kind) && subscriptions.size >= MOST_SUBSCRIPTIONS) {
      const detail = `A device has at most ${MOST_SUBSCRIPTIONS} subscriptions at a time.`;
      connection.refuse("forbidden-topic", detail);
      return;
    }
    subscriptions.set(kind, allowed);
    granted.push(allowed);
  }
  connection.subscriptionsChanged();
  connection.send({ cmd: "suback", messageId: packet.messageId, granted });
  connection.deliverMessages();
}

export function onUnsubscribe(connection: MqttConnection, packet: IUnsubscribePacket): void {
  for (const filter of packet.unsubscriptions) {
    const kind = parseSubscription(filter, connection.device);
    if (kind) connection.subscriptions.delete(kind);
  }
  connection.subscriptionsChanged();
  // The types ask for what only MQTT 5 has.
  connection.send({ cmd: "unsuback", messageId: packet.messageId } as Packet);
}
