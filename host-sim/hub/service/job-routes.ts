import { desiredFrom } from "../configurations.ts";
import { HubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { isObject, type JsonObject } from "../json.ts";
import { methodCall } from "../methods.ts";
import type { HttpAnswer, HttpRequest } from "./endpoint.ts";
import type { ServiceRoutes } from "./group.ts";
import { asObject, etagHeader, ifMatch } from "./json.ts";

const LONGEST_JOB_SECONDS = 172_800;

/** Jobs and automatic device configurations. */
export function jobRoutes(hub: Hub): ServiceRoutes {
  const { jobs, configurations } = hub;
  const configuration = (id: string): HttpAnswer => {
    const found = configurations.get(id);
    const systemMetrics = { results: configurations.systemMetrics(found), queries: {} };
    return { json: { ...found, systemMetrics }, headers: etagHeader(found.etag) };
  };
  return {
    "GET /jobs/v2/query": [
      "ServiceConnect",
      ({ query }) => ({
        json: jobs
          .list()
          .filter((job) => [null, "", job.type].includes(query.get("jobType")))
          .filter((job) => [null, "", job.status].includes(query.get("jobStatus"))),
      }),
    ],
    "PUT /jobs/v2/:jobId": ["ServiceConnect", (request) => ({ json: createJob(hub, request) })],
    "GET /jobs/v2/:jobId": [
      "ServiceConnect",
      ({ parameters }) => ({ json: jobs.get(parameters.jobId as string) }),
    ],
    "POST /jobs/v2/:jobId/cancel": [
      "ServiceConnect",
      ({ parameters }) => ({ json: jobs.cancel(parameters.jobId as string) }),
    ],
    "GET /configurations": [
      "RegistryRead",
      () => ({ json: configurations.list().map(({ id }) => configuration(id).json) }),
    ],
    "GET /configurations/:id": [
      "RegistryRead",
      ({ parameters }) => configuration(parameters.id as string),
    ],
    "PUT /configurations/:id": [
      "RegistryWrite",
      ({ parameters, headers, json }) => {
        const id = parameters.id as string;
        configurations.put(id, asObject(json()), ifMatch(headers["if-match"]));
        return configuration(id);
      },
    ],
    "DELETE /configurations/:id": [
      "RegistryWrite",
      ({ parameters }) => {
        configurations.delete(parameters.id as string);
        return { status: 204 };
      },
    ],
    "POST /devices/:deviceId/applyConfigurationContent": [
      "RegistryWrite",
      ({ parameters, json }) => {
        const { deviceId } = hub.devices.get(parameters.deviceId as string);
        hub.twins.patch(deviceId, { desired: desiredFrom(asObject(json())) });
        return { status: 204 };
      },
    ],
  };
}

function createJob(hub: Hub, request: HttpRequest) {
  const body = asObject(request.json());
  const { type, queryCondition, updateTwin, cloudToDeviceMethod } = body;
  if (type !== "scheduleDeviceMethod" && type !== "scheduleUpdateTwin") {
    throw new HubError("ArgumentInvalid", `The job type ${JSON.stringify(type)} is not known`);
  }
  const method = type === "scheduleDeviceMethod" ? asObject(cloudToDeviceMethod) : undefined;
  if (method) methodCall(method);
  return hub.jobs.create({
    jobId: request.parameters.jobId as string,
    type,
    queryCondition: String(queryCondition ?? "*"),
    startTime: timeOf(body, hub.clock.now()),
    maxExecutionTimeInSeconds: Math.min(
      Number(body.maxExecutionTimeInSeconds ?? 3600),
      LONGEST_JOB_SECONDS,
    ),
    ...(method ? { cloudToDeviceMethod: method } : {}),
    ...(isObject(updateTwin) ? { updateTwin } : {}),
  });
}

function timeOf({ startTime }: JsonObject, now: number): number {
  if (startTime === undefined || startTime === null || startTime === "") return now;
  const time = Date.parse(String(startTime));
  if (Number.isNaN(time)) throw new HubError("ArgumentInvalid", "startTime is no ISO 8601 time");
  return time;
}
