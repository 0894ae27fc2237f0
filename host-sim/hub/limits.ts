import type { Clock } from "../clock/index.ts";
import type { Logger } from "../log.ts";
import { HubError } from "./errors.ts";

export const TIERS = ["F1", "B1", "B2", "B3", "S1", "S2", "S3"] as const;
export type Tier = (typeof TIERS)[number];
export type Operation =
  | "registry"
  | "connections"
  | "telemetry"
  | "messages"
  | "queries"
  | "twinReads"
  | "twinUpdates"
  | "methods"
  | "jobs"
  | "configurations";

/** What the basic tiers do not have. */
const STANDARD_ONLY: ReadonlySet<Operation> = new Set([
  "messages",
  "twinReads",
  "twinUpdates",
  "methods",
  "jobs",
  "configurations",
]);
const METHOD_METER = 4096;
const MOST_FREE_DEVICES = 500;

export interface LimitOptions {
  readonly tier: Tier;
  readonly units: number;
  /** Whether what is over a limit is refused; otherwise it is counted and told in the log. */
  readonly enforce: boolean;
}

/** No tier: nothing is counted. */
export type Limits = ReturnType<typeof createLimits>;

/** At least `floor` a second, and `each` a second for each unit. */
interface Rate {
  readonly floor?: number;
  readonly each: number;
}

/** Operations a second (bytes of methods), as Microsoft's table of quotas and throttles has them. */
const S1: Readonly<Record<Operation, Rate>> = {
  registry: { each: 100 / 60 },
  connections: { floor: 100, each: 12 },
  telemetry: { floor: 100, each: 12 },
  messages: { each: 100 / 60 },
  queries: { each: 20 / 60 },
  twinReads: { floor: 100, each: 0 },
  twinUpdates: { floor: 50, each: 0 },
  methods: { each: 160 * 1024 },
  jobs: { each: 100 / 60 },
  configurations: { each: 20 / 60 },
};

/** Operations a second of a hub, of methods bytes, as Microsoft's table of quotas and throttling gives them. */
const S2: typeof S1 = {
  ...S1,
  connections: { each: 120 },
  telemetry: { each: 120 },
  twinReads: { floor: 100, each: 10 },
  twinUpdates: { floor: 50, each: 5 },
  methods: { each: 480 * 1024 },
};

const S3: typeof S1 = {
  registry: { each: 5000 / 60 },
  connections: { each: 6000 },
  telemetry: { each: 6000 },
  messages: { each: 5000 / 60 },
  queries: { each: 1000 / 60 },
  twinReads: { each: 500 },
  twinUpdates: { each: 250 },
  methods: { each: 24 * 1024 * 1024 },
  jobs: { each: 5000 / 60 },
  configurations: { each: 20 / 60 },
};

const RATES: Readonly<Record<Tier, typeof S1>> = { F1: S1, B1: S1, B2: S2, B3: S3, S1, S2, S3 };

/** Messages a day and unit, and the size in bytes that counts as one. */
const DAILY: Readonly<Record<Tier, readonly [messages: number, meter: number]>> = {
  F1: [8_000, 512],
  B1: [400_000, 4096],
  B2: [6_000_000, 4096],
  B3: [300_000_000, 4096],
  S1: [400_000, 4096],
  S2: [6_000_000, 4096],
  S3: [300_000_000, 4096],
};

/** Throttles (token buckets of one second) and the daily quota of a tier. */
export function createLimits(clock: Clock, logger: Logger, options: LimitOptions | undefined) {
  const buckets = new Map<Operation, { level: number; time: number }>();
  const counted = new Map<string, number>();
  let day = 0;
  let spent = 0;

  function over(name: string, problem: HubError): void {
    const count = (counted.get(name) ?? 0) + 1;
    counted.set(name, count);
    if (count === 1) logger.warn(`over the limit of the tier: ${problem.message}`);
    if (options?.enforce) throw problem;
  }

  return {
    options,
    /** Messages of this day, and how many the tier has; none without a tier. */
    today(): { readonly spent: number; readonly allowed: number } | undefined {
      if (!options) return undefined;
      const isToday = Math.floor(clock.now() / 86_400_000) === day;
      return { spent: isToday ? spent : 0, allowed: DAILY[options.tier][0] * options.units };
    },
    /** How often each limit was passed. */
    counts: (): Readonly<Record<string, number>> => Object.fromEntries(counted),
    /** @throws HubError ThrottlingException, when limits are enforced */
    take(operation: Operation, amount = 1): void {
      if (!options) return;
      if (options.tier.startsWith("B") && STANDARD_ONLY.has(operation)) {
        const text = `The tier ${options.tier} has no ${operation}`;
        return over("tier", new HubError("OperationNotAvailableInCurrentTier", text));
      }
      const { floor = 0, each } = RATES[options.tier][operation];
      const rate = Math.max(floor, each * options.units);
      const size = Math.max(amount, rate);
      const now = clock.now();
      const before = buckets.get(operation) ?? { level: size, time: now };
      const refilled = before.level + (Math.max(0, now - before.time) / 1000) * rate;
      const level = Math.min(size, refilled);
      buckets.set(operation, { level: level >= amount ? level - amount : level, time: now });
      if (level >= amount) return;
      const text = `more than ${rate.toFixed(2)} ${operation} a second (tier ${options.tier})`;
      over(operation, new HubError("ThrottlingException", text));
    },
    /** A direct method with so many bytes of payload; small ones count as 4 KB. */
    takeMethod(bytes: number): void {
      this.take("methods", Math.max(1, Math.ceil(bytes / METHOD_METER)) * METHOD_METER);
    },
    /** @throws HubError TooManyDevices for a free hub that has as many as it may */
    takeDevice(count: () => number): void {
      if (options?.tier !== "F1" || count() < MOST_FREE_DEVICES) return;
      const text = `A free hub has at most ${MOST_FREE_DEVICES} devices`;
      over("devices", new HubError("TooManyDevices", text));
    },
    /** Counts a message of so many bytes for the day; days are UTC. */
    spend(bytes: number): void {
      if (!options) return;
      const [messages, meter] = DAILY[options.tier];
      const today = Math.floor(clock.now() / 86_400_000);
      if (today !== day) [day, spent] = [today, 0];
      spent += Math.max(1, Math.ceil(bytes / meter));
      const allowed = messages * options.units;
      if (spent <= allowed) return;
      over("quota", new HubError("IotHubQuotaExceeded", `more than ${allowed} messages today`));
    },
  };
}
