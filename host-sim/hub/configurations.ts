import type { Clock, TimerHandle } from "../clock/index.ts";
import type { Logger } from "../log.ts";
import type { Store } from "../store/index.ts";
import { newEtag } from "./devices.ts";
import { HubError } from "./errors.ts";
import { isObject, type Json, type JsonObject } from "./json.ts";
import { holds } from "./query/evaluate.ts";
import { parseCondition } from "./query/parse.ts";

/** An automatic device configuration as the service's routes write it. */
export interface Configuration {
  readonly id: string;
  readonly schemaVersion: string;
  readonly labels: JsonObject;
  readonly content: JsonObject;
  readonly targetCondition: string;
  readonly priority: number;
  readonly metrics: JsonObject;
  readonly createdTimeUtc: string;
  readonly lastUpdatedTimeUtc: string;
  readonly etag: string;
}

export interface ConfigurationTargets {
  /** Twins of all devices, as queries see them. */
  twins(): readonly JsonObject[];
  patch(deviceId: string, desired: JsonObject): void;
  /** How many rows a query has. @throws HubError ArgumentInvalid */
  count(query: string): number;
  readonly logger: Logger;
}

/** How often the service looks which devices a condition means by now. */
const INTERVAL_MS = 300_000;

export type Configurations = ReturnType<typeof createConfigurations>;

/** Automatic device management: desired properties for all devices that a condition means. */
export function createConfigurations(store: Store, clock: Clock, targets: ConfigurationTargets) {
  const key = (id: string) => `hub/configurations/${id}`;
  let timer: TimerHandle | undefined;
  const appliedKey = (deviceId: string) => `hub/applied-configurations/${deviceId}`;

  function get(id: string): Configuration {
    const found = store.get<Configuration>(key(id));
    if (found) return found;
    throw new HubError("ConfigurationNotFound", `There is no configuration ${id}`);
  }

  const list = () =>
    [...store.entries<Configuration>("hub/configurations/")].map(([, entry]) => entry);

  function isMeant(configuration: Configuration, twin: JsonObject): boolean {
    const { targetCondition } = configuration;
    if (targetCondition === "*") return true;
    return targetCondition !== "" && holds(parseCondition(targetCondition), twin);
  }

  /** The configuration of the highest priority that means the device; of equals the newest. */
  function chosenFor(twin: JsonObject): Configuration | undefined {
    return list()
      .filter((each) => isMeant(each, twin))
      .sort(
        (a, b) => b.priority - a.priority || b.createdTimeUtc.localeCompare(a.createdTimeUtc),
      )[0];
  }

  /** Applies to each device what is meant for it and it does not have yet. */
  function reconcile(): void {
    if (list().length === 0) return;
    for (const twin of targets.twins()) {
      const deviceId = String(twin.deviceId);
      const chosen = chosenFor(twin);
      const mark = chosen ? `${chosen.id}/${chosen.etag}` : "";
      if ((store.get<string>(appliedKey(deviceId)) ?? "") === mark) continue;
      if (chosen) apply(chosen, deviceId);
      // After the change: a kill in between only has it applied twice.
      store.put(appliedKey(deviceId), mark);
    }
  }

  /** What does not fit one device's twin does not keep the others from theirs. */
  function apply({ id, content }: Configuration, deviceId: string): void {
    try {
      targets.patch(deviceId, desiredFrom(content));
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      targets.logger.warn(`configuration ${id} does not fit ${deviceId}: ${error.message}`);
    }
  }

  /** Looks again and again as long as there are configurations. */
  function watch(): void {
    clock.clearTimer(timer);
    timer = undefined;
    if (list().length === 0) return;
    timer = clock.setTimer(INTERVAL_MS, () => {
      reconcile();
      watch();
    });
  }

  function requireEtag(before: Configuration | undefined, etag: string | undefined): void {
    if (!before || etag === undefined || etag === "*" || etag === before.etag) return;
    throw new HubError(
      "PreconditionFailed",
      `The configuration ${before.id} was changed meanwhile`,
    );
  }

  return {
    get,
    list,
    reconcile,
    /** How many devices it is meant for, and how many have it. */
    systemMetrics(configuration: Configuration): JsonObject {
      const twins = targets.twins().filter((twin) => isMeant(configuration, twin));
      const applied = twins.filter(
        (twin) =>
          store.get(appliedKey(String(twin.deviceId))) ===
          `${configuration.id}/${configuration.etag}`,
      );
      return { targetedCount: twins.length, appliedCount: applied.length };
    },
    /** The rows that each of its own queries has by now. */
    metrics({ metrics }: Configuration): JsonObject {
      const queries = isObject(metrics.queries) ? metrics.queries : {};
      const results = Object.entries(queries).map(([name, query]) => [
        name,
        targets.count(String(query)),
      ]);
      return { queries, results: Object.fromEntries(results) };
    },
    /** @throws HubError ArgumentInvalid, ConfigurationAlreadyExists, PreconditionFailed */
    put(id: string, body: JsonObject, etag: string | undefined): Configuration {
      const before = store.get<Configuration>(key(id));
      if (before && etag === undefined) {
        throw new HubError("ConfigurationAlreadyExists", `A configuration ${id} exists`);
      }
      requireEtag(before, etag);
      const time = new Date(clock.now()).toISOString();
      const next = configurationFrom(id, body, before, time);
      if (before && JSON.stringify(before.content) !== JSON.stringify(next.content)) {
        throw new HubError("ArgumentInvalid", "The content of a configuration cannot be changed");
      }
      for (const query of queriesOf(next)) targets.count(query);
      store.put(key(id), next);
      reconcile();
      watch();
      return next;
    },
    delete(id: string, etag = "*"): void {
      requireEtag(get(id), etag);
      store.delete(key(id));
      reconcile();
      watch();
    },
    start: watch,
    stop(): void {
      clock.clearTimer(timer);
    },
  };
}

function queriesOf({ metrics }: Configuration): string[] {
  return Object.values(isObject(metrics.queries) ? metrics.queries : {}).map(String);
}

function configurationFrom(
  id: string,
  body: JsonObject,
  before: Configuration | undefined,
  time: string,
): Configuration {
  if (!/^[a-z0-9\-+%_*!']{1,128}$/.test(id)) {
    throw new HubError("ArgumentInvalid", `The id ${id} has other characters than a-z 0-9 -+%_*!'`);
  }
  const targetCondition = String(body.targetCondition ?? "");
  if (targetCondition !== "" && targetCondition !== "*") parseCondition(targetCondition);
  const content = isObject(body.content) ? body.content : {};
  desiredFrom(content);
  const priority = Number(body.priority ?? 0);
  if (!Number.isInteger(priority) || priority < 0) {
    throw new HubError("ArgumentInvalid", "The priority is a whole number from 0 on");
  }
  return {
    id,
    schemaVersion: String(body.schemaVersion ?? "1.0"),
    labels: isObject(body.labels) ? body.labels : {},
    content,
    targetCondition,
    priority,
    metrics: isObject(body.metrics) ? body.metrics : { queries: {}, results: {} },
    createdTimeUtc: before?.createdTimeUtc ?? time,
    lastUpdatedTimeUtc: time,
    etag: newEtag(),
  };
}

/** `{"properties.desired.a.b": value}` as a patch of desired properties. */
export function desiredFrom(content: JsonObject): JsonObject {
  const { deviceContent, modulesContent, moduleContent } = content;
  for (const other of [modulesContent, moduleContent]) {
    if (!isObject(other) || Object.keys(other).length === 0) continue;
    throw new HubError(
      "NotImplemented",
      "Content for modules and IoT Edge is left out of this hub",
    );
  }
  if (!isObject(deviceContent)) return {};
  const desired: Record<string, Json> = {};
  for (const [path, value] of Object.entries(deviceContent)) {
    const [properties, section, ...names] = path.split(".");
    const last = names.pop();
    if (properties !== "properties" || section !== "desired" || last === undefined) {
      throw new HubError("ArgumentInvalid", `${path} is no path like properties.desired.name`);
    }
    let at = desired;
    for (const name of names) {
      const inner = at[name];
      at = at[name] = isObject(inner) ? { ...inner } : {};
    }
    at[last] = value;
  }
  return desired;
}
