import { connect, type ErrorWithReasonCode, type MqttClient } from "mqtt";
import type { Clock, TimerHandle } from "../../clock/index.ts";
import type { DeviceCredentials } from "../device-auth.ts";
import type { Route } from "../network.ts";
import { mutualTls } from "./transport.ts";

/** The name that all devices dial; the id scope tells whose service is meant. */
export const DPS_HOST = "global.azure-devices-provisioning.net";

/** Results as the Azure IoT C SDK's PROV_DEVICE_RESULT numbers them. */
export const PROVISIONED = 0;
export const TRANSPORT_FAILED = 5;
const FAILED = 10;
const HUB_NOT_SPECIFIED = 11;
export const UNAUTHORIZED = 12;
export const DISABLED = 13;

export interface ProvisionRequest {
  readonly route: Route;
  /** The service's name, such as global.azure-devices-provisioning.net. */
  readonly hostName: string;
  readonly idScope: string;
  /** For the service's allocation rules; JSON, or empty. */
  readonly json: string;
  /** A device with a certificate registers under its subject's common name. */
  readonly registrationId: string;
  readonly credentials: DeviceCredentials;
  readonly clock: Clock;
}

/** @param problem why, when the result is not PROVISIONED */
export type Provisioned = (result: number, hub: string, deviceId: string, problem: string) => void;

interface Registration {
  readonly operationId?: string;
  readonly status?: string;
  readonly registrationState?: {
    readonly status?: string;
    readonly assignedHub?: string;
    readonly deviceId?: string;
  };
}

const API_VERSION = "2021-06-01";
const DEFAULT_POLL_SECONDS = 2;
const LONGEST_POLL_SECONDS = 60;
const REFUSED = [4, 5];

/** Registers the device over MQTT and mutual TLS. `done` is called once, unless the answer is called before. */
export function provision(request: ProvisionRequest, done: Provisioned): () => void {
  const { clock } = request;
  const client = connectTo(request);
  let timer: TimerHandle | undefined;
  let requestId = 0;
  let open = true;

  function finish(result: number, hub = "", deviceId = "", problem = ""): void {
    if (!open) return;
    close();
    done(result, hub, deviceId, problem);
  }

  function close(): void {
    open = false;
    clock.clearTimer(timer);
    client.end(true);
  }

  function publish(verb: string, query: string, body: string): void {
    requestId += 1;
    client.publish(`$dps/registrations/${verb}/?$rid=${requestId}${query}`, body);
  }

  client.on("connect", () => {
    client.subscribe("$dps/registrations/res/#", { qos: 1 });
    const payload = request.json === "" ? "" : `,"payload":${request.json}`;
    const id = JSON.stringify(request.registrationId);
    publish("PUT/iotdps-register", "", `{"registrationId":${id}${payload}}`);
  });
  client.on("message", (topic, bytes) => {
    if (!open) return;
    const [, status = "0", query = ""] =
      /^\$dps\/registrations\/res\/(\d+)\/\?(.*)$/.exec(topic) ?? [];
    const answer = parse(bytes);
    if (Number(status) === 202 && answer?.operationId) {
      const { operationId } = answer;
      timer = clock.setTimer(pollDelayMs(query), () =>
        publish("GET/iotdps-get-operationstatus", `&operationId=${operationId}`, ""),
      );
    } else {
      finish(...outcome(Number(status), answer));
    }
  });
  client.on("error", (error) => finish(...refusal(error)));
  client.on("close", () => finish(TRANSPORT_FAILED, "", "", "the connection was closed"));
  return close;
}

function outcome(status: number, answer: Registration | undefined): Outcome {
  const state = answer?.registrationState;
  if (status === 401 || status === 403) return failure(UNAUTHORIZED, "the device is not enrolled");
  if (status !== 200) return failure(FAILED, `the service answered ${status}`);
  if (state?.status === "disabled" || answer?.status === "disabled") {
    return failure(DISABLED, "the enrollment is disabled");
  }
  if (state?.status !== "assigned" && answer?.status !== "assigned") {
    return failure(FAILED, "the registration failed");
  }
  if (!state?.assignedHub) return failure(HUB_NOT_SPECIFIED, "no hub was assigned");
  return [PROVISIONED, state.assignedHub, state.deviceId ?? "", ""];
}

type Outcome = [result: number, hub: string, deviceId: string, problem: string];

const failure = (result: number, problem: string): Outcome => [result, "", "", problem];

function refusal(error: Error | ErrorWithReasonCode): Outcome {
  const refused = REFUSED.includes((error as ErrorWithReasonCode).code);
  return failure(refused ? UNAUTHORIZED : TRANSPORT_FAILED, error.message);
}

function parse(bytes: Uint8Array): Registration | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}

function pollDelayMs(query: string): number {
  const seconds = Number(new URLSearchParams(query).get("retry-after") ?? DEFAULT_POLL_SECONDS);
  const sound = seconds >= 1 && seconds <= LONGEST_POLL_SECONDS;
  return (sound ? seconds : DEFAULT_POLL_SECONDS) * 1000;
}

function connectTo(request: ProvisionRequest): MqttClient {
  const { route, hostName, idScope, registrationId, credentials } = request;
  return connect({
    ...mutualTls(route, hostName, credentials),
    clientId: registrationId,
    username: `${idScope}/registrations/${registrationId}/api-version=${API_VERSION}&ClientVersion=spherule`,
    clean: true,
  });
}
