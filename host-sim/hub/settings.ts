import type { Store } from "../store/index.ts";
import { HubError } from "./errors.ts";
import { type IpFilterRule, ipFilterRules } from "./ip-filter.ts";
import { isObject, type JsonObject } from "./json.ts";

/** What the owner of a hub may set on the resource. */
export interface HubSettings {
  readonly ipFilterRules: readonly IpFilterRule[];
  /** How often a message may come back from its device before it is dead-lettered, 1 to 100. */
  readonly maxDeliveryCount: number;
  /** ISO 8601: how long a message to a device lives that names no time itself. */
  readonly defaultTtlAsIso8601: string;
}

export type Settings = ReturnType<typeof createSettings>;

const KEY = "hub/settings";
const DEFAULTS: HubSettings = {
  ipFilterRules: [],
  maxDeliveryCount: 10,
  defaultTtlAsIso8601: "PT1H",
};
const MINUTE_MS = 60_000;
const LONGEST_TTL_MS = 2 * 86_400_000;

/** The hub's settings; they are kept. */
export function createSettings(store: Store) {
  const get = (): HubSettings => ({ ...DEFAULTS, ...store.get<HubSettings>(KEY) });
  return {
    get,
    /** What is left out stays. @throws HubError ArgumentInvalid */
    change({ ipFilterRules: rules, cloudToDevice }: JsonObject): HubSettings {
      const settings = {
        ...get(),
        ...(rules === undefined || rules === null ? {} : { ipFilterRules: ipFilterRules(rules) }),
        ...(isObject(cloudToDevice) ? messageSettings(cloudToDevice) : {}),
      };
      store.put(KEY, settings);
      return settings;
    },
    defaultTtlMs: () => durationMs(get().defaultTtlAsIso8601) ?? 0,
  };
}

function messageSettings({ maxDeliveryCount, defaultTtlAsIso8601 }: JsonObject) {
  const changed: Partial<Record<keyof HubSettings, unknown>> = {};
  if (maxDeliveryCount !== undefined) {
    const isCount = Number.isInteger(maxDeliveryCount);
    if (!isCount || !(Number(maxDeliveryCount) >= 1 && Number(maxDeliveryCount) <= 100)) {
      throw new HubError("ArgumentInvalid", "maxDeliveryCount is from 1 to 100");
    }
    changed.maxDeliveryCount = maxDeliveryCount;
  }
  if (defaultTtlAsIso8601 !== undefined) {
    const span = durationMs(String(defaultTtlAsIso8601));
    if (span === undefined || span < MINUTE_MS || span > LONGEST_TTL_MS) {
      throw new HubError("ArgumentInvalid", "defaultTtlAsIso8601 is from PT1M to P2D");
    }
    changed.defaultTtlAsIso8601 = defaultTtlAsIso8601;
  }
  return changed as Partial<HubSettings>;
}

/** Milliseconds of an ISO 8601 duration of days and below; undefined for another text. */
function durationMs(text: string): number | undefined {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(text);
  if (!match || text.endsWith("P") || text.endsWith("T")) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((digits) => Number(digits ?? 0));
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}
