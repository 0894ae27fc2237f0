import { HubError } from "../errors.ts";
import { PARTITIONS } from "../events.ts";
import type { Hub } from "../hub.ts";
import { isObject, type JsonObject } from "../json.ts";
import { eventHubName, shortName } from "../names.ts";
import type { HttpRequest, Routes } from "./endpoint.ts";
import type { ManagedResource } from "./management-routes.ts";

/** The hub as management routes serve it. */
export function managedHub(hub: Hub): ManagedResource {
  const name = shortName(hub.hostName);
  return {
    name,
    type: "Microsoft.Devices/IotHubs",
    certificates: hub.certificates,
    keys: () =>
      hub.policies.list().map(({ name: keyName, key, secondaryKey, permissions }) => ({
        keyName,
        primaryKey: key,
        secondaryKey,
        rights: permissions.join(", "),
      })),
    keysAt: "IotHubKeys",
    sku: () => skuOf(hub),
    properties: () => hubProperties(hub, name),
    change: (properties) => changeHub(hub, properties),
    more: (base, id) => ({
      ...consumerGroupRoutes(hub, base, id),
      [`GET ${base}/quotaMetrics`]: () => ({ json: { value: quotaMetrics(hub) } }),
    }),
  };
}

function skuOf({ limits }: Hub): JsonObject {
  const { tier = "S1", units = 1 } = limits.options ?? {};
  const family = { F: "Free", B: "Basic", S: "Standard" }[tier[0] as "F" | "B" | "S"];
  return { name: tier, tier: family, capacity: units };
}

function hubProperties(hub: Hub, name: string): JsonObject {
  const { ipFilterRules, maxDeliveryCount, defaultTtlAsIso8601 } = hub.settings.get();
  return {
    state: "Active",
    provisioningState: "Succeeded",
    hostName: hub.hostName,
    ipFilterRules,
    minTlsVersion: "1.2",
    eventHubEndpoints: {
      events: {
        retentionTimeInDays: 1,
        partitionCount: PARTITIONS,
        partitionIds: Array.from({ length: PARTITIONS }, (_, index) => String(index)),
        path: name,
        endpoint: `sb://${eventHubName(hub.hostName)}/`,
      },
    },
    cloudToDevice: {
      maxDeliveryCount,
      defaultTtlAsIso8601,
      feedback: { lockDurationAsIso8601: "PT1M", ttlAsIso8601: "PT1H", maxDeliveryCount: 10 },
    },
  };
}

/** What is left out is refused by name: an owner would wait for its effect in vain. */
function changeHub(hub: Hub, properties: JsonObject): void {
  const { routing, storageEndpoints, authorizationPolicies } = properties;
  const { routes, endpoints } = isObject(routing) ? routing : {};
  const routed = [routes, ...Object.values(isObject(endpoints) ? endpoints : {})];
  if (routed.some((list) => Array.isArray(list) && list.length > 0)) {
    throw new HubError("NotImplemented", "Message routing is left out of this hub");
  }
  const stores = Object.values(isObject(storageEndpoints) ? storageEndpoints : {});
  if (stores.some((each) => isObject(each) && each.connectionString)) {
    throw new HubError("NotImplemented", "File upload is left out of this hub");
  }
  const policies = Array.isArray(authorizationPolicies) ? authorizationPolicies : [];
  const other = policies.find(
    (each) => isObject(each) && hub.policies.find(String(each.keyName)) === undefined,
  );
  if (other) throw new HubError("NotImplemented", "Policies of one's own are left out of this hub");
  hub.settings.change(properties);
}

function quotaMetrics({ devices, limits }: Hub): JsonObject[] {
  const today = limits.today();
  const messages = { currentValue: today?.spent ?? 0, maxValue: today?.allowed ?? null };
  return [
    { name: "TotalMessages", ...messages },
    { name: "TotalDeviceCount", currentValue: devices.list().length, maxValue: null },
  ];
}

function consumerGroupRoutes(
  { consumerGroups }: Hub,
  base: string,
  id: (request: HttpRequest) => string,
): Routes {
  const path = "eventHubEndpoints/events/ConsumerGroups";
  const one = `${base}/${path}/:name`;
  const shown = (request: HttpRequest, name: string): JsonObject => ({
    id: `${id(request)}/${path}/${name}`,
    name,
    type: "Microsoft.Devices/IotHubs/EventHubEndpoints/ConsumerGroups",
    properties: {},
  });
  const nameOf = ({ parameters }: HttpRequest) => parameters.name as string;
  return {
    [`GET ${base}/${path}`]: (request) => ({
      json: { value: consumerGroups.list().map((name) => shown(request, name)) },
    }),
    [`GET ${one}`]: (request) => ({ json: shown(request, consumerGroups.get(nameOf(request))) }),
    [`PUT ${one}`]: (request) => ({ json: shown(request, consumerGroups.add(nameOf(request))) }),
    [`DELETE ${one}`]: (request) => {
      consumerGroups.delete(nameOf(request));
      return { status: 200 };
    },
  };
}
