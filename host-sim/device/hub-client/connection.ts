import { connect, type ErrorWithReasonCode, type MqttClient } from "mqtt";
import {
  DESIRED_COMPLETE,
  DESIRED_PARTIAL,
  REASON_BAD_CREDENTIAL,
  REASON_NO_NETWORK,
} from "../../../assembly/sphere/host/abi.ts";
import type { DeviceCredentials } from "../device-auth.ts";
import type { Route } from "../network.ts";
import { parseIncoming, topicsOf } from "./topics.ts";
import { mutualTls } from "./transport.ts";

/** What the connection tells of; all of it after `connected` and before `closed`. */
export interface ConnectionEvents {
  connected(): void;
  /** Once, at the end. @param reason a REASON of the host ABI; @param detail for the log */
  closed(reason: number, detail: string): void;
  telemetrySettled(id: number, acknowledged: boolean): void;
  message(body: Uint8Array, properties: string): void;
  /** @param kind DESIRED_COMPLETE or DESIRED_PARTIAL */
  desired(kind: number, json: Uint8Array): void;
  reported(id: number, status: number): void;
  method(name: string, payload: Uint8Array, requestId: string): void;
}

export interface ConnectionRequest {
  readonly route: Route;
  readonly hostName: string;
  readonly deviceId: string;
  readonly modelId: string;
  readonly credentials: DeviceCredentials;
  readonly events: ConnectionEvents;
}

export type HubConnection = ReturnType<typeof openConnection>;

const API_VERSION = "2021-04-12";
const CLIENT_TYPE = "spherule";
/** The Azure IoT C SDK's own default. */
const KEEP_ALIVE_SECONDS = 240;
const CONNACK_NOT_AUTHORIZED = 5;
const CONNACK_BAD_CREDENTIALS = 4;
/** Request id of the whole twin; reports count from 1. */
const TWIN_REQUEST = 0;

/** One connection to a hub over mutual TLS, from CONNECT to its end. */
export function openConnection(request: ConnectionRequest) {
  const { deviceId, events } = request;
  const topics = topicsOf(deviceId);
  const client = connect(clientOptions(request));
  const inFlight = new Set<number>();
  let open = true;
  let problem = { reason: REASON_NO_NETWORK as number, detail: "the connection was closed" };

  function close(): void {
    if (!open) return;
    open = false;
    client.end(true);
    for (const id of inFlight) events.telemetrySettled(id, false);
    inFlight.clear();
    events.closed(problem.reason, problem.detail);
  }

  function settle(id: number, error: unknown): void {
    if (!open || !inFlight.delete(id)) return;
    events.telemetrySettled(id, !error);
  }

  client.on("connect", () => {
    client.subscribe([`${topics.messages}#`], { qos: 1 });
    client.subscribe([`${topics.methods}#`, `${topics.twinAnswers}#`, `${topics.desired}#`], {
      qos: 0,
    });
    client.publish(topics.twinGet(TWIN_REQUEST), "");
    if (open) events.connected();
  });
  client.on("error", (error) => {
    problem = problemOf(error);
    close();
  });
  client.on("close", close);
  client.on("message", (topic, payload) => {
    const incoming = open ? parseIncoming(topic, deviceId) : undefined;
    switch (incoming?.kind) {
      case "message":
        return events.message(payload, incoming.properties);
      case "method":
        return events.method(incoming.name, payload, incoming.requestId);
      case "desired":
        return events.desired(DESIRED_PARTIAL, payload);
      case "twin-answer":
        if (incoming.requestId !== TWIN_REQUEST) {
          events.reported(incoming.requestId, incoming.status);
        } else if (incoming.status === 200) {
          events.desired(DESIRED_COMPLETE, payload);
        }
    }
  });

  return {
    send(id: number, body: Uint8Array, properties: string): void {
      inFlight.add(id);
      const topic = topics.telemetry(properties);
      client.publish(topic, asBuffer(body), { qos: 1 }, (error) => settle(id, error));
    },
    get inFlight(): number {
      return inFlight.size;
    },
    report(id: number, json: Uint8Array): void {
      client.publish(topics.twinPatch(id), asBuffer(json));
    },
    answerMethod(requestId: string, status: number, json: Uint8Array): void {
      client.publish(topics.methodAnswer(status, requestId), asBuffer(json));
    },
    /** Ends it with DISCONNECT; `closed` is not called. */
    async end(): Promise<void> {
      open = false;
      await endPolitely(client);
    },
    /** Cuts it, as a lost network does. */
    cut: close,
  };
}

const asBuffer = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function clientOptions({ route, hostName, deviceId, modelId, credentials }: ConnectionRequest) {
  const model = modelId && `&model-id=${encodeURIComponent(modelId)}`;
  const query = `?api-version=${API_VERSION}&DeviceClientType=${CLIENT_TYPE}${model}`;
  return {
    ...mutualTls(route, hostName, credentials),
    clientId: deviceId,
    username: `${hostName}/${deviceId}/${query}`,
    // The hub keeps the queue of messages and the subscriptions of a device between connections.
    clean: false,
    keepalive: KEEP_ALIVE_SECONDS,
    resubscribe: false,
  };
}

function problemOf(error: Error | ErrorWithReasonCode): { reason: number; detail: string } {
  const code = (error as ErrorWithReasonCode).code as number | string | undefined;
  if (code === CONNACK_NOT_AUTHORIZED || code === CONNACK_BAD_CREDENTIALS) {
    return { reason: REASON_BAD_CREDENTIAL, detail: `the hub refused the device (${code})` };
  }
  return { reason: REASON_NO_NETWORK, detail: error.message };
}

async function endPolitely(client: MqttClient): Promise<void> {
  // A client that never connected has nobody to say goodbye to.
  await client.endAsync(!client.connected);
}
