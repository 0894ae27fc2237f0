import type { Clock } from "../clock/index.ts";
import type { TrustStore } from "../imagepackage/index.ts";
import type { Logger } from "../log.ts";
import type { Store } from "../store/index.ts";

/** What every part of the service works with. */
export interface ServiceContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whose packages may be uploaded, asked at each; nobody's but the service's own when absent. */
  readonly developers?: () => TrustStore;
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** All values below a key, in key order. */
export function values<T>(store: Store, prefix: string): T[] {
  return [...store.entries<T>(prefix)].map(([, value]) => value);
}
