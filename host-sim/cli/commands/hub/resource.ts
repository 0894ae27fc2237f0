import { LabError } from "../../../errors.ts";
import type { JsonObject } from "../../../hub/json.ts";
import type { Refusal } from "../../../hub/refusals.ts";
import { createSasToken } from "../../../hub/service/sas.ts";
import { callLab, type LabContext } from "../../context.ts";
import { parseJsonOrFile } from "../../options.ts";
import { fieldsOf, hubRest, managementRest, type Rest } from "../../rest.ts";
import { pathOf } from "./identities.ts";
import { type Entry, type Given, oneOf, present, text, wholeNumberOf } from "./table.ts";

const KEY_TYPE = { "--kt, --key-type <type>": "primary or secondary; primary when absent" };
const POLICY = {
  "--pn, --policy-name <name>": "iothubowner, service, device, registryRead, registryReadWrite",
};
const GROUP = { "!-n, --name <name>": "the consumer group" };
const GROUPS = "/eventHubEndpoints/events/ConsumerGroups";
const STATISTICS = {
  description: "count devices",
  options: {},
  run: async (lab: LabContext) => ({
    ...(await hubRest(lab)<object>("GET", "/statistics/devices")),
    ...(await hubRest(lab)<object>("GET", "/statistics/service")),
  }),
};

/** What `az iot hub` has of the resource itself. */
export const resourceEntries: readonly Entry[] = [
  {
    words: "connection-string",
    optionalWord: "show",
    description: "print a connection string for service clients or readers of events",
    options: {
      ...POLICY,
      ...KEY_TYPE,
      "--eh, --default-eventhub": "of the Event Hub-compatible endpoint",
    },
    run: connectionString,
  },
  {
    words: "generate-sas-token",
    description: "print a token of a policy, or of a device's or module's own key",
    options: {
      "-d, --device-id <id>": "of this device's key",
      "-m, --module-id <id>": "of this module's key",
      ...POLICY,
      ...KEY_TYPE,
      "--du, --duration <seconds>": "how long it holds; an hour when absent",
    },
    run: generateToken,
  },
  {
    words: "refusals",
    description: "print refused and closed connections, each with its exact reason",
    options: {
      "-d, --device-id <id>": "of one device only",
      "--top <count>": "the last ones, at most so many",
    },
    run: refusals,
  },
  { words: "statistics", ...STATISTICS },
  { words: "show-stats", ...STATISTICS },
  {
    words: "show-quota-metrics",
    description: "print what the day's messages and devices come to",
    options: {},
    run: async (lab) => (await managed<{ value: unknown }>(lab, "/quotaMetrics")).value,
  },
  {
    words: "show",
    description: "print the hub's names, limits and settings",
    options: {},
    run: (lab) => managed(lab, ""),
  },
  {
    words: "list",
    description: "print all hubs: the one that there is",
    options: {},
    run: async (lab) => [await managed(lab, "")],
  },
  {
    words: "update",
    description: "change the hub's settings",
    options: {
      "--cdd, --c2d-max-delivery-count <count>": "how often a message may come back, 1 to 100",
      "--ct, --c2d-ttl <hours>": "how long a message lives, in hours, 1 to 48",
      "--ip-filter-rules <json>": '[{"filterName":…,"action":"Reject","ipMask":"10.0.0.0/8"}]',
    },
    run: update,
  },
  {
    words: "policy list",
    description: "print all shared access policies",
    options: {},
    run: async (lab) => policies(managementRest(lab, "hub")),
  },
  {
    words: "policy show",
    description: "print a policy with its keys",
    options: { "!--pn, --policy-name <name>": "the policy" },
    run: (lab, given) => policyNamed(managementRest(lab, "hub"), text(given, "policyName")),
  },
  {
    words: "consumer-group create",
    description: "let readers of the events endpoint attach under a name",
    options: GROUP,
    run: (lab, given) => managementRest(lab, "hub")("PUT", groupPath(given), { body: {} }),
  },
  {
    words: "consumer-group list",
    description: "print all consumer groups",
    options: {},
    run: async (lab) => (await managed<{ value: unknown }>(lab, GROUPS)).value,
  },
  {
    words: "consumer-group show",
    description: "print a consumer group",
    options: GROUP,
    run: (lab, given) => managed(lab, groupPath(given)),
  },
  {
    words: "consumer-group delete",
    description: "remove a consumer group",
    options: GROUP,
    run: (lab, given) => managementRest(lab, "hub")("DELETE", groupPath(given)),
  },
];

const groupPath = (given: Given) => `${GROUPS}/${encodeURIComponent(text(given, "name"))}`;
const managed = <T>(lab: LabContext, path: string) => managementRest(lab, "hub")<T>("GET", path);

/** All policies of a hub or a provisioning service. */
export async function policies(rest: Rest): Promise<JsonObject[]> {
  return (await rest<{ value: JsonObject[] }>("POST", "/listkeys")).value;
}

/** @throws LabError policy-unknown */
export async function policyNamed(rest: Rest, name: string): Promise<JsonObject> {
  const all = await policies(rest);
  const found = all.find(({ keyName }) => keyName === name);
  if (found) return found;
  throw new LabError(
    "policy-unknown",
    `There is no policy ${name}.`,
    `The policies are ${all.map(({ keyName }) => keyName).join(", ")}.`,
  );
}

/** `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…` of a policy. */
export async function policyConnectionString(
  rest: Rest,
  hostName: string,
  name: string,
  given: Given,
) {
  const key = keyOf(await policyNamed(rest, name), given);
  return {
    connectionString: `HostName=${hostName};SharedAccessKeyName=${name};SharedAccessKey=${key}`,
  };
}

function keyOf(keys: JsonObject, given: Given): string {
  const type = oneOf(given, "keyType", ["primary", "secondary"]) ?? "primary";
  return String(keys[`${type}Key`]);
}

async function connectionString(lab: LabContext, given: Given) {
  const name = text(given, "policyName") || "iothubowner";
  const rest = managementRest(lab, "hub");
  if (given.defaultEventhub === undefined) {
    return policyConnectionString(rest, lab.endpoints.hub.hostName, name, given);
  }
  const { Endpoint, EntityPath } = fieldsOf(lab.endpoints.hub.eventHubConnectionString);
  const key = keyOf(await policyNamed(rest, name), given);
  return {
    connectionString: `Endpoint=${Endpoint};SharedAccessKeyName=${name};SharedAccessKey=${key};EntityPath=${EntityPath}`,
  };
}

/** Tokens end by the lab's clock. */
async function generateToken(lab: LabContext, given: Given) {
  const { clock } = await callLab<{ clock: { now: string } }>(lab, "GET", "/status");
  const duration = wholeNumberOf(given, "duration") ?? 3600;
  const expiry = Math.floor(Date.parse(clock.now) / 1000) + duration;
  const { hostName } = lab.endpoints.hub;
  if (given.deviceId === undefined) {
    const name = text(given, "policyName") || "iothubowner";
    const key = keyOf(await policyNamed(managementRest(lab, "hub"), name), given);
    return { sas: createSasToken(hostName, key, expiry, name) };
  }
  const identity = await hubRest(lab)<JsonObject>("GET", pathOf(given));
  const { type, symmetricKey } = identity.authentication as JsonObject;
  if (type !== "sas") {
    throw new LabError(
      "option-invalid",
      `${given.deviceId} shows a certificate; it has no key that could sign a token.`,
      "Leave --device-id out for the token of a policy.",
    );
  }
  const resource = `${hostName}${pathOf(given)}`;
  return { sas: createSasToken(resource, keyOf(symmetricKey as JsonObject, given), expiry) };
}

async function refusals(lab: LabContext, given: Given) {
  const all = await callLab<Refusal[]>(lab, "GET", "/refusals");
  const wanted = text(given, "deviceId");
  const chosen = wanted === "" ? all : all.filter(({ deviceId }) => deviceId === wanted);
  const top = Math.min(wholeNumberOf(given, "top") ?? chosen.length, chosen.length);
  return chosen.slice(chosen.length - top);
}

async function update(lab: LabContext, given: Given) {
  const hours = wholeNumberOf(given, "c2dTtl");
  const properties = present({
    ipFilterRules:
      given.ipFilterRules === undefined
        ? undefined
        : parseJsonOrFile(text(given, "ipFilterRules"), "--ip-filter-rules"),
    cloudToDevice: present({
      maxDeliveryCount: wholeNumberOf(given, "c2dMaxDeliveryCount"),
      defaultTtlAsIso8601: hours === undefined ? undefined : `PT${hours}H`,
    }),
  });
  return managementRest(lab, "hub")("PUT", "", { body: { properties } });
}
