import { DAY_MS, type ServiceContext, values } from "./context.ts";

/** What devices told about failures and updates, counted for each device, event and day. */
export interface Insight {
  readonly deviceId: string;
  readonly description: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly eventCategory: string;
  readonly eventClass: string;
  readonly eventType: string;
  readonly eventCount: number;
}

export type InsightEvent = Pick<
  Insight,
  "description" | "eventCategory" | "eventClass" | "eventType"
>;

export type Insights = ReturnType<typeof createInsights>;

/** Older ones are forgotten. */
const KEPT_MS = 14 * DAY_MS;

export function createInsights({ store, clock }: ServiceContext) {
  const prefix = (tenantId: string) => `security-service/insights/${tenantId}/`;

  function forget(tenantId: string): void {
    const oldest = clock.now() - KEPT_MS;
    for (const [key, insight] of [...store.entries<Insight>(prefix(tenantId))]) {
      if (insight.endedAt < oldest) store.delete(key);
    }
  }

  return {
    list: (tenantId: string): Insight[] => {
      const oldest = clock.now() - KEPT_MS;
      return values<Insight>(store, prefix(tenantId)).filter(({ endedAt }) => endedAt >= oldest);
    },
    record(tenantId: string, deviceId: string, event: InsightEvent): void {
      forget(tenantId);
      const now = clock.now();
      const day = Math.floor(now / DAY_MS);
      const key = `${prefix(tenantId)}${deviceId}/${day}/${event.eventClass}/${event.eventType}`;
      const before = store.get<Insight>(key);
      store.put(key, {
        ...event,
        deviceId,
        startedAt: before?.startedAt ?? now,
        endedAt: now,
        eventCount: (before?.eventCount ?? 0) + 1,
      } satisfies Insight);
    },
  };
}
