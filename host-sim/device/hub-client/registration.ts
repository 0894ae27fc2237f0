import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { type Clock, sleep } from "../../clock/index.ts";
import type { DeviceCredentials } from "../device-auth.ts";
import type { Route } from "../network.ts";

/** The name that all devices dial; the id scope tells whose service is meant. */
export const DPS_HOST = "global.azure-devices-provisioning.net";

export interface RegistrationRequest {
  readonly clock: Clock;
  readonly route: Route;
  readonly idScope: string;
  readonly deviceId: string;
  readonly modelId: string;
  readonly credentials: DeviceCredentials;
  /** Aborted when the app or the network goes. */
  readonly signal: AbortSignal;
}

/** Where the Device Provisioning Service sends a device. */
export interface Assignment {
  readonly hostName: string;
  readonly deviceId: string;
}

const API_VERSION = "2021-06-01";
const ANSWERS = "$dps/registrations/res/";
const DEFAULT_WAIT_SECONDS = 2;
const REQUEST_TIMEOUT_MS = 30_000;
/** An assignment that takes longer than this many questions is given up. */
const MOST_POLLS = 100;

/** Registers with the DPS over MQTT and waits for the assignment; throws with the reason. */
export async function registerDevice(request: RegistrationRequest): Promise<Assignment> {
  const client = connect(clientOptions(request));
  const cut = () => void client.end(true);
  request.signal.addEventListener("abort", cut, { once: true });
  try {
    return await converse(client, request);
  } finally {
    request.signal.removeEventListener("abort", cut);
    client.end(true);
  }
}

async function converse(client: MqttClient, request: RegistrationRequest): Promise<Assignment> {
  const { deviceId, modelId, clock, signal } = request;
  const ask = createAsker(client, clock);
  await opened(client);
  await client.subscribeAsync(`${ANSWERS}#`, { qos: 1 });
  const payload = modelId === "" ? undefined : { modelId };
  let answer = await ask(
    (id) => `$dps/registrations/PUT/iotdps-register/?$rid=${id}`,
    JSON.stringify({ registrationId: deviceId, payload }),
  );
  for (let poll = 0; answer.status === 202 && poll < MOST_POLLS; poll++) {
    await sleep(clock, answer.waitSeconds * 1000, signal);
    const operation = answer.body.operationId;
    answer = await ask(
      (id) =>
        `$dps/registrations/GET/iotdps-get-operationstatus/?$rid=${id}&operationId=${operation}`,
      "",
    );
  }
  return assignmentFrom(answer);
}

interface Answer {
  readonly status: number;
  readonly waitSeconds: number;
  readonly body: Readonly<Record<string, unknown>>;
}

function assignmentFrom({ status, body }: Answer): Assignment {
  const state = (body.registrationState ?? {}) as Record<string, unknown>;
  const { assignedHub, deviceId } = state;
  if (status === 200 && typeof assignedHub === "string" && typeof deviceId === "string") {
    return { hostName: assignedHub, deviceId };
  }
  const reason = state.errorMessage ?? body.message ?? body.status ?? `status ${status}`;
  throw new Error(`the Device Provisioning Service answered: ${reason}`);
}

/** Asks and waits for the answer with the same request id. */
function createAsker(client: MqttClient, clock: Clock) {
  const waiting = new Map<string, (answer: Answer) => void>();
  let next = 1;
  client.on("message", (topic, payload) => {
    const match = /^\$dps\/registrations\/res\/(\d+)\/\?\$rid=([^&]*)(.*)$/.exec(topic);
    const resolve = match && waiting.get(match[2] ?? "");
    if (!match || !resolve) return;
    const wait = /&retry-after=(\d+)/.exec(match[3] ?? "")?.[1];
    const waitSeconds = wait === undefined ? DEFAULT_WAIT_SECONDS : Number(wait);
    resolve({ status: Number(match[1]), waitSeconds, body: parsed(payload) });
  });
  return async (topicFor: (requestId: string) => string, payload: string): Promise<Answer> => {
    const requestId = String(next++);
    const done = new AbortController();
    const gone = new Promise<never>((_, reject) => {
      client.once("close", () => reject(new Error("the connection to the service was closed")));
    });
    gone.catch(() => {});
    const late = sleep(clock, REQUEST_TIMEOUT_MS, done.signal).then(() => {
      throw new Error("the Device Provisioning Service did not answer in 30 s");
    });
    late.catch(() => {});
    const answered = new Promise<Answer>((resolve) => waiting.set(requestId, resolve));
    client.publish(topicFor(requestId), payload, { qos: 1 });
    try {
      return await Promise.race([answered, gone, late]);
    } finally {
      done.abort();
      waiting.delete(requestId);
    }
  };
}

function opened(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", (error) =>
      reject(new Error(`the Device Provisioning Service refused the device: ${error.message}`)),
    );
    client.once("close", () => reject(new Error("no server answers to the service's name")));
  });
}

function parsed(payload: Buffer): Answer["body"] {
  try {
    return JSON.parse(payload.toString("utf8")) ?? {};
  } catch {
    return {};
  }
}

function clientOptions({ route, idScope, deviceId, credentials }: RegistrationRequest) {
  const query = `api-version=${API_VERSION}&ClientVersion=spherule`;
  return {
    protocol: "mqtts",
    host: route.host,
    port: route.port,
    servername: DPS_HOST,
    ...(route.ca ? { ca: route.ca } : {}),
    key: credentials.key,
    cert: credentials.certificate,
    clientId: deviceId,
    username: `${idScope}/registrations/${deviceId}/${query}`,
    clean: true,
    reconnectPeriod: 0,
    protocolVersion: 4,
  } as IClientOptions;
}
