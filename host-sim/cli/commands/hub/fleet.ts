import { LabError } from "../../../errors.ts";
import type { JsonObject } from "../../../hub/json.ts";
import type { LabContext } from "../../context.ts";
import { parseJsonOrFile } from "../../options.ts";
import { hubRest } from "../../rest.ts";
import {
  type Entry,
  ETAG,
  type Given,
  ifMatch,
  oneOf,
  present,
  text,
  wholeNumberOf,
} from "./table.ts";

const CONFIGURATION = { "!-c, --config-id <id>": "the configuration" };
const SETTINGS = {
  "--tc, --target-condition <condition>": "for which devices, e.g. tags.floor = 2; * for all",
  "--pri, --priority <number>": "the highest that means a device is applied",
  "--lab, --labels <json>": "labels; a file's name in place of JSON",
  "-m, --metrics <json>": '{"queries":{…}}; a file\'s name in place of JSON',
};
const JOB = { "!--jid, --job-id <id>": "the job" };
const TYPES = ["scheduleUpdateTwin", "scheduleDeviceMethod"] as const;
const STATUSES = ["scheduled", "running", "completed", "failed", "cancelled"] as const;
const POLL_MS = 200;

/** `hub configuration …` and `hub job …`, as `az iot hub` has them. */
export const fleetEntries: readonly Entry[] = [
  {
    words: "configuration create",
    description: "desired properties for all devices that a condition means",
    options: {
      ...CONFIGURATION,
      "!-k, --content <json>":
        'e.g. {"deviceContent":{"properties.desired.x":1}}, or a file\'s name',
      ...SETTINGS,
    },
    run: (lab, given) =>
      hubRest(lab)("PUT", configurationPath(given), {
        body: { id: given.configId, content: contentOf(given), ...settingsFrom(given) },
      }),
  },
  {
    words: "configuration list",
    description: "print all configurations",
    options: {},
    run: (lab) => hubRest(lab)("GET", "/configurations"),
  },
  {
    words: "configuration show",
    description: "print a configuration with its counts",
    options: CONFIGURATION,
    run: (lab, given) => hubRest(lab)("GET", configurationPath(given)),
  },
  {
    words: "configuration show-metric",
    description: "print one count",
    options: {
      ...CONFIGURATION,
      "!--mi, --metric-id <id>": "targetedCount, appliedCount, or one of its own",
    },
    run: showMetric,
  },
  {
    words: "configuration update",
    description: "change for which devices it is; its content cannot be changed",
    options: { ...CONFIGURATION, ...SETTINGS, ...ETAG },
    async run(lab, given) {
      const before = await hubRest(lab)<JsonObject>("GET", configurationPath(given));
      const body = { ...before, ...settingsFrom(given) };
      return hubRest(lab)("PUT", configurationPath(given), { body, headers: ifMatch(given) });
    },
  },
  {
    words: "configuration delete",
    description: "remove a configuration; what it set stays",
    options: { ...CONFIGURATION, ...ETAG },
    run: (lab, given) =>
      hubRest(lab)("DELETE", configurationPath(given), { headers: ifMatch(given) }),
  },
  {
    words: "job create",
    description: "update twins or call a method on many devices",
    options: {
      ...JOB,
      "!--jt, --job-type <type>": "scheduleUpdateTwin or scheduleDeviceMethod",
      "-q, --query-condition <condition>": "for which devices; all when absent",
      "--patch, --twin-patch <json>": "with scheduleUpdateTwin; a file's name in place of JSON",
      "--mn, --method-name <name>": "with scheduleDeviceMethod",
      "--mp, --method-payload <json>": "its payload; a file's name in place of JSON",
      "--mrt, --method-response-timeout <seconds>": "how long a device has to answer",
      "--mct, --method-connect-timeout <seconds>": "how long to wait for a device",
      "--start, --start-time <time>": "ISO 8601; now when absent",
      "--ttl <seconds>": "its longest time; an hour when absent",
      "--wait": "print it when it has ended",
    },
    run: createJob,
  },
  {
    words: "job list",
    description: "print all jobs",
    options: {
      "--jt, --job-type <type>": "of this type only",
      "--js, --job-status <status>": "of this status only",
    },
    run: (lab, given) => {
      const type = oneOf(given, "jobType", TYPES) ?? "";
      const status = oneOf(given, "jobStatus", STATUSES) ?? "";
      return hubRest(lab)("GET", `/jobs/v2/query?jobType=${type}&jobStatus=${status}`);
    },
  },
  {
    words: "job show",
    description: "print how a job stands",
    options: JOB,
    run: (lab, given) => hubRest(lab)("GET", jobPath(given)),
  },
  {
    words: "job cancel",
    description: "end a job that waits or runs",
    options: JOB,
    run: (lab, given) => hubRest(lab)("POST", `${jobPath(given)}/cancel`),
  },
];

const configurationPath = (given: Given) =>
  `/configurations/${encodeURIComponent(text(given, "configId"))}`;
const jobPath = (given: Given) => `/jobs/v2/${encodeURIComponent(text(given, "jobId"))}`;

function jsonOf(given: Given, name: string): unknown {
  return given[name] === undefined ? undefined : parseJsonOrFile(text(given, name), `--${name}`);
}

/** Files of `az` hold the content alone or with `content` around it. */
function contentOf(given: Given): unknown {
  const content = jsonOf(given, "content") as JsonObject;
  return content?.content ?? content;
}

function settingsFrom(given: Given): JsonObject {
  return present({
    targetCondition: given.targetCondition,
    priority: wholeNumberOf(given, "priority"),
    labels: jsonOf(given, "labels"),
    metrics: jsonOf(given, "metrics"),
  });
}

async function showMetric(lab: LabContext, given: Given): Promise<unknown> {
  const found = await hubRest(lab)<JsonObject>("GET", configurationPath(given));
  const resultsOf = (part: string) =>
    ((found[part] as JsonObject | undefined)?.results ?? {}) as JsonObject;
  const results = { ...resultsOf("metrics"), ...resultsOf("systemMetrics") };
  const metric = text(given, "metricId");
  if (Object.hasOwn(results, metric)) return { metric, result: results[metric] };
  throw new LabError(
    "option-invalid",
    `The configuration ${found.id} has no metric ${metric}.`,
    `It has ${Object.keys(results).join(", ")}.`,
  );
}

async function createJob(lab: LabContext, given: Given): Promise<unknown> {
  const type = oneOf(given, "jobType", TYPES);
  const isMethod = type === "scheduleDeviceMethod";
  const body = present({
    ...{ type, queryCondition: given.queryCondition, startTime: given.startTime },
    maxExecutionTimeInSeconds: wholeNumberOf(given, "ttl"),
    updateTwin: isMethod ? undefined : jsonOf(given, "twinPatch"),
    cloudToDeviceMethod: isMethod ? methodFrom(given) : undefined,
  });
  const rest = hubRest(lab);
  let job = await rest<JsonObject>("PUT", jobPath(given), { body });
  while (given.wait && ["scheduled", "running"].includes(String(job.status))) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    job = await rest<JsonObject>("GET", jobPath(given));
  }
  return job;
}

function methodFrom(given: Given): JsonObject {
  return present({
    methodName: given.methodName,
    payload: jsonOf(given, "methodPayload") ?? null,
    responseTimeoutInSeconds: wholeNumberOf(given, "methodResponseTimeout"),
    connectTimeoutInSeconds: wholeNumberOf(given, "methodConnectTimeout"),
  });
}
