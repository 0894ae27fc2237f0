import * as abi from "../../../assembly/sphere/host/abi.ts";
import {
  EAGAIN,
  EBUSY,
  EINVAL,
  EMSGSIZE,
  ENOENT,
  ENOTCONN,
} from "../../../assembly/sphere/host/errors.ts";
import {
  createHubClient,
  type HubClient,
  type HubClientOptions,
  type HubTarget,
} from "../hub-client/client.ts";
import { heardProperties } from "./properties.ts";

const LARGEST_MESSAGE = 262_144;
const LARGEST_REPORT = 32_768;
const LARGEST_ANSWER = 131_072;
const LONGEST_MODEL_ID = 256;
const MOST_PROPERTIES = 64;
const LONGEST_PROPERTIES = 16_384;
/** On its way a byte of the properties may become three. */
const ESCAPED = 3;
/** What a model id of DTDL may have in it. */
const MODEL_ID = /^[\w.:;]*$/;
const MAX_REPORTS = 32;
const UNANSWERED = 501;
/** The Azure IoT C SDK sends no answer that is empty, so every body sends JSON's null. */
const NO_PAYLOAD = Buffer.from("null");
/** Percent-encoded pairs; what MQTT forbids in a topic cannot be among them. */
const PROPERTIES = /^[\w\-.~%&=$!'()*,:;@]*$/;

/** Whether a text is `name=value&…`, percent-encoded, as it may stand in a topic. */
export const areProperties = (text: string) => PROPERTIES.test(text);

/** What native programs, too, refuse before anything is sent. @returns 0 or a negative error */
function problemOf(properties: string): number {
  if (!areProperties(properties) || !isEncodedText(properties)) return EINVAL;
  const pairs = properties.split("&").length;
  return pairs > MOST_PROPERTIES || properties.length > LONGEST_PROPERTIES ? EMSGSIZE : 0;
}

/** Whether its escapes are UTF-8 without a zero byte. */
function isEncodedText(properties: string): boolean {
  try {
    return !decodeURIComponent(properties).includes("\0");
  } catch {
    return false;
  }
}

/** What can be read while its event is handled. */
interface Payload {
  readonly desired?: Uint8Array;
  readonly message?: { readonly body: Uint8Array; readonly properties: Uint8Array };
  readonly method?: Method;
}

interface Method {
  readonly name: Uint8Array;
  readonly payload: Uint8Array;
  readonly requestId: string;
  answered: boolean;
}

export interface IothubOptions extends Omit<HubClientOptions, "events" | "modelId" | "target"> {
  /** From the manifest's arguments; undefined when they name no hub. */
  readonly target: HubTarget | undefined;
  /** Hands an event to the app; `prepare` and `finish` run right before and after it. */
  readonly emit: (
    kind: number,
    id: number,
    value: number,
    prepare?: () => void,
    finish?: () => void,
  ) => void;
}

/** IoT Hub as one run of the app sees it: telemetry, messages, twin and direct methods. */
export function createIothub(options: IothubOptions) {
  const { emit } = options;
  let client: HubClient | undefined;
  let readable: Payload = {};
  const reports = new Set<number>();

  function emitWith(kind: number, id: number, value: number, payload: Payload, after?: () => void) {
    const prepare = () => {
      readable = payload;
    };
    const finish = () => {
      readable = {};
      after?.();
    };
    emit(kind, id, value, prepare, finish);
  }

  const events: HubClientOptions["events"] = {
    connected: () => emit(abi.EVENT_CONNECTION, abi.CONNECTED, abi.REASON_OK),
    closed: (reason) => {
      reports.clear();
      emit(abi.EVENT_CONNECTION, abi.DISCONNECTED, reason);
    },
    telemetrySettled: (id, acknowledged) =>
      emit(abi.EVENT_TELEMETRY, id, acknowledged ? 0 : ENOTCONN),
    reported: (id, status) => {
      if (reports.delete(id)) emit(abi.EVENT_REPORTED, id, status);
    },
    desired: (kind, json) => emitWith(abi.EVENT_DESIRED, kind, json.length, { desired: json }),
    message: (body, properties) => {
      const message = { body, properties: Buffer.from(heardProperties(properties)) };
      emitWith(abi.EVENT_MESSAGE, 0, body.length, { message });
    },
    method: (name, payload, requestId) => {
      const method = { name: Buffer.from(name), payload, requestId, answered: false };
      emitWith(abi.EVENT_METHOD, 0, payload.length, { method }, () => {
        if (!method.answered) answer(method, UNANSWERED, new Uint8Array(0));
      });
    },
  };

  function answer(method: Method, status: number, json: Uint8Array): void {
    method.answered = true;
    const payload = json.length > 0 ? json : NO_PAYLOAD;
    client?.connection?.answerMethod(method.requestId, status, payload);
  }

  return {
    open(modelId: string): number {
      if (client) return EBUSY;
      const { target } = options;
      if (target === undefined) return EINVAL;
      if (modelId.length > LONGEST_MODEL_ID || !MODEL_ID.test(modelId)) return EINVAL;
      client = createHubClient({ ...options, target, modelId, events });
      return 0;
    },
    send(id: number, body: Uint8Array, properties: string): number {
      const connection = client?.connection;
      const problem = problemOf(properties);
      if (problem !== 0) return problem;
      if (body.length + ESCAPED * properties.length > LARGEST_MESSAGE) return EMSGSIZE;
      if (!connection) return ENOTCONN;
      if (connection.inFlight >= abi.MAX_IN_FLIGHT) return EAGAIN;
      connection.send(id, body, properties);
      return 0;
    },
    messageBody: (): Uint8Array | number => readable.message?.body ?? ENOENT,
    messageProperties: (): Uint8Array | number => readable.message?.properties ?? ENOENT,
    settleMessage(disposition: number): number {
      if (!readable.message) return ENOENT;
      return disposition === 0 ? 0 : EINVAL;
    },
    report(id: number, json: Uint8Array): number {
      if (json.length === 0) return EINVAL;
      if (json.length > LARGEST_REPORT) return EMSGSIZE;
      if (!client?.connection) return ENOTCONN;
      if (reports.size >= MAX_REPORTS) return EAGAIN;
      reports.add(id);
      client.connection.report(id, json);
      return 0;
    },
    desired: (): Uint8Array | number => readable.desired ?? ENOENT,
    methodName: (): Uint8Array | number => readable.method?.name ?? ENOENT,
    methodPayload: (): Uint8Array | number => readable.method?.payload ?? ENOENT,
    reply(status: number, json: Uint8Array): number {
      if (!readable.method || readable.method.answered) return ENOENT;
      if (json.length > LARGEST_ANSWER) return EMSGSIZE;
      answer(readable.method, status, json);
      return 0;
    },
    get connected(): boolean {
      return client?.connection !== undefined;
    },
    async end(): Promise<void> {
      await client?.stop();
    },
  };
}
