import { desiredFrom } from "../configurations.ts";
import { HubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { isObject, type JsonObject } from "../json.ts";
import { methodCall } from "../methods.ts";
import { parseCondition } from "../query/parse.ts";
import { runQuery } from "../query/query.ts";
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
    const metrics = configurations.metrics(found);
    return { json: { ...found, metrics, systemMetrics }, headers: etagHeader(found.etag) };
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
        hub.limits.take("configurations");
        configurations.put(id, asObject(json()), ifMatch(headers["if-match"]));
        return configuration(id);
      },
    ],
    "DELETE /configurations/:id": [
      "RegistryWrite",
      ({ parameters, headers }) => {
        hub.limits.take("configurations");
        configurations.delete(parameters.id as string, ifMatch(headers["if-match"]));
        return { status: 204 };
      },
    ],
    "POST /configurations/testQueries": ["RegistryRead", ({ json }) => testQueries(hub, json())],
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

/** Tells what is wrong with a condition and with queries, before they are kept. */
function testQueries(hub: Hub, body: unknown): HttpAnswer {
  const { targetCondition, customMetricQueries } = asObject(body);
  const problemOf = (run: () => unknown) => {
    try {
      run();
      return undefined;
    } catch (error) {
      if (error instanceof HubError) return error.message;
      throw error;
    }
  };
  const condition = String(targetCondition ?? "");
  const conditionError =
    condition === "" || condition === "*" ? undefined : problemOf(() => parseCondition(condition));
  const queries = isObject(customMetricQueries) ? customMetricQueries : {};
  const errors = Object.entries(queries)
    .map(([name, query]) => [name, problemOf(() => runQuery(hub, String(query)))] as const)
    .filter(([, problem]) => problem !== undefined);
  return {
    json: {
      targetConditionError: conditionError ?? null,
      customMetricQueryErrors: Object.fromEntries(errors),
    },
  };
}

function createJob(hub: Hub, request: HttpRequest) {
  const body = asObject(request.json());
  const { type, queryCondition, updateTwin, cloudToDeviceMethod } = body;
  hub.limits.take("jobs");
  if (type !== "scheduleDeviceMethod" && type !== "scheduleUpdateTwin") {
    throw new HubError("ArgumentInvalid", `The job type ${JSON.stringify(type)} is not known`);
  }
  const method = type === "scheduleDeviceMethod" ? asObject(cloudToDeviceMethod) : undefined;
  if (method) methodCall(method);
  else asObject(updateTwin, "updateTwin");
  return hub.jobs.create({
    jobId: request.parameters.jobId as string,
    type,
    queryCondition: String(queryCondition ?? "*"),
    startTime: timeOf(body, hub.clock.now()),
    maxExecutionTimeInSeconds: limitFrom(body),
    ...(method ? { cloudToDeviceMethod: method } : {}),
    ...(isObject(updateTwin) ? { updateTwin } : {}),
  });
}

function limitFrom({ maxExecutionTimeInSeconds = 3600 }: JsonObject): number {
  const seconds = Number(maxExecutionTimeInSeconds);
  if (seconds >= 1 && seconds <= LONGEST_JOB_SECONDS) return seconds;
  const range = `from 1 to ${LONGEST_JOB_SECONDS}`;
  throw new HubError("ArgumentInvalid", `maxExecutionTimeInSeconds has to be ${range}`);
}

function timeOf({ startTime }: JsonObject, now: number): number {
  if (startTime === undefined || startTime === null || startTime === "") return now;
  const time = Date.parse(String(startTime));
  if (Number.isNaN(time)) throw new HubError("ArgumentInvalid", "startTime is no ISO 8601 time");
  return time;
}
