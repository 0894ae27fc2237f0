import type { Clock } from "../clock/index.ts";
import type { Logger } from "../log.ts";
import { HubError } from "./errors.ts";

export type Tier = "F1" | "S1" | "S2" | "S3";
export type Operation =
  | "registry"
  | "connections"
  | "telemetry"
  | "messages"
  | "queries"
  | "twinReads"
  | "twinUpdates";

export interface LimitOptions {
  readonly tier: Tier;
  readonly units: number;
  /** Whether what is over a limit is refused; otherwise it is counted and told in the log. */
  readonly enforce: boolean;
}

/** No tier: nothing is counted. */
export type Limits = ReturnType<typeof createLimits>;

type Rate = (units: number) => number;
const small = { registry: (units: number) => (100 / 60) * units, sends: atLeast(100, 12) };

/** Operations a second of a hub, as Microsoft's table of quotas and throttling gives them. */
const RATES: Readonly<Record<Tier, Readonly<Record<Operation, Rate>>>> = {
  F1: ratesOf(small.registry, small.sends, small.registry, each(20 / 60), fixed(100), fixed(50)),
  S1: ratesOf(small.registry, small.sends, small.registry, each(20 / 60), fixed(100), fixed(50)),
  S2: ratesOf(
    small.registry,
    each(120),
    small.registry,
    each(20 / 60),
    atLeast(100, 10),
    atLeast(50, 5),
  ),
  S3: ratesOf(each(5000 / 60), each(6000), each(5000 / 60), each(1000 / 60), each(500), each(250)),
};

/** Messages a day and unit, and the size in bytes that counts as one. */
const DAILY: Readonly<Record<Tier, readonly [messages: number, meter: number]>> = {
  F1: [8_000, 512],
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
    /** How often each limit was passed. */
    counts: (): Readonly<Record<string, number>> => Object.fromEntries(counted),
    /** @throws HubError ThrottlingException, when limits are enforced */
    take(operation: Operation): void {
      if (!options) return;
      const rate = RATES[options.tier][operation](options.units);
      const size = Math.max(1, rate);
      const now = clock.now();
      const before = buckets.get(operation) ?? { level: size, time: now };
      const refilled = before.level + (Math.max(0, now - before.time) / 1000) * rate;
      const level = Math.min(size, refilled);
      buckets.set(operation, { level: level >= 1 ? level - 1 : level, time: now });
      if (level >= 1) return;
      const text = `more than ${rate.toFixed(2)} ${operation} a second (tier ${options.tier})`;
      over(operation, new HubError("ThrottlingException", text));
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

function ratesOf(
  registry: Rate,
  sends: Rate,
  messages: Rate,
  queries: Rate,
  twinReads: Rate,
  twinUpdates: Rate,
): Readonly<Record<Operation, Rate>> {
  return {
    registry,
    connections: sends,
    telemetry: sends,
    messages,
    queries,
    twinReads,
    twinUpdates,
  };
}

function fixed(rate: number): Rate {
  return () => rate;
}

function each(rate: number): Rate {
  return (units) => rate * units;
}

function atLeast(floor: number, rate: number): Rate {
  return (units) => Math.max(floor, rate * units);
}
