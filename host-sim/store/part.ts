import { openFolderStore } from "./folder.ts";
import type { Store } from "./store.ts";

/**
 * The part of a store below `prefix`, as a store of its own; a device among several sees only its
 * part. Closing it does nothing: the whole is its owner's.
 */
export function storePart(whole: Store, prefix: string): Store {
  function* entries<T>(below: string) {
    for (const [key, value] of whole.entries<T>(prefix + below)) {
      yield [key.slice(prefix.length), value] as const;
    }
  }
  return {
    get: (key) => whole.get(prefix + key),
    put: (key, value) => whole.put(prefix + key, value),
    delete: (key) => whole.delete(prefix + key),
    putSoon: (changes) =>
      whole.putSoon(changes.map(([key, value]) => [prefix + key, value] as const)),
    entries,
    transaction: (change) => whole.transaction(change),
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
