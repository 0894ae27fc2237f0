import { openFolderStore } from "./folder.ts";
import type { Store } from "./store.ts";

/**
 * The part of a store below `prefix`, as a store of its own; a device among several sees only its
 * part. Closing it does nothing: the whole is its owner's.
 */
export function storePart(whole: Store, prefix: string): Store {
  function* entries<T>(below: string, from?: string) {
    const start = from === undefined ? undefined : prefix + from;
    for (const [key, value] of whole.entries<T>(prefix + below, start)) {
      yield [key.slice(prefix.length), value] as const;
    }
  }
  return {
    get: (key) => whole.get(prefix + key),
    put: (key, value) => whole.put(prefix + key, value),
    delete: (key) => whole.delete(prefix + key),
    entries,
    keys: function* (below) {
      for (const key of whole.keys(prefix + below)) yield key.slice(prefix.length);
    },
    transaction: (change) => whole.transaction(change),
    putSoon: (changes, unless) =>
      whole.putSoon(
        changes.map(([key, value]) => [prefix + key, value] as const),
        unless === undefined ? undefined : prefix + unless,
      ),
    refresh: () => whole.refresh(),
    async copyTo(folder) {
      const target = openFolderStore(folder);
      target.transaction(() => {
        for (const [key, value] of entries("")) target.put(key, value);
      });
      await target.close();
    },
    close: async () => {},
  };
}
