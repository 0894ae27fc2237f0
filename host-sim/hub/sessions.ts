import type { Store } from "../store/index.ts";
import type { Subscription } from "./mqtt/topics.ts";

/** What a device subscribed to, with the QoS that it was granted. */
export interface Session {
  readonly subscriptions: Map<Subscription, number>;
  /** Keeps the subscriptions as they are now, if the session outlives its connection. */
  keep(): void;
}

export type Sessions = ReturnType<typeof createSessions>;

/** MQTT sessions by the id of the identity; those with clean session 0 are kept. */
export function createSessions(store: Store) {
  const key = (id: string) => `hub/sessions/${id}`;

  function remove(id: string): void {
    if (store.get(key(id)) !== undefined) store.delete(key(id));
  }

  return {
    /** @returns the session of a new connection, and whether there was one before */
    open(id: string, clean: boolean): readonly [session: Session, present: boolean] {
      if (clean) {
        remove(id);
        return [{ subscriptions: new Map(), keep: () => {} }, false];
      }
      const stored = store.get<[Subscription, number][]>(key(id));
      const subscriptions = new Map(stored);
      let kept = JSON.stringify(stored);
      const keep = () => {
        const entries = [...subscriptions];
        if (JSON.stringify(entries) === kept) return;
        kept = JSON.stringify(entries);
        store.put(key(id), entries);
      };
      keep();
      return [{ subscriptions, keep }, stored !== undefined];
    },
    delete: remove,
  };
}
