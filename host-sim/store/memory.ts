import { openFolderStore } from "./folder.ts";
import type { Store } from "./store.ts";

/** A store that is gone with the process; values are copied in and out as the folder store does. */
export function openMemoryStore(): Store {
  const values = new Map<string, string>();
  /** All keys in order: many are listed by prefix, and few of them at once. */
  const sorted: string[] = [];
  /** What the open transaction found at each key that it changed. */
  let before: Map<string, string | undefined> | undefined;

  function set(key: string, text: string | undefined): void {
    const known = values.get(key);
    if (before && !before.has(key)) before.set(key, known);
    if (known === undefined && text !== undefined) sorted.splice(firstFrom(sorted, key), 0, key);
    if (known !== undefined && text === undefined) sorted.splice(firstFrom(sorted, key), 1);
    if (text === undefined) values.delete(key);
    else values.set(key, text);
  }

  function entries<T>(prefix: string) {
    const start = firstFrom(sorted, prefix);
    let end = start;
    while (sorted[end]?.startsWith(prefix)) end += 1;
    const keys = sorted.slice(start, end);
    return keys.map((key) => [key, JSON.parse(values.get(key) ?? "null") as T] as const);
  }

  function transaction<T>(change: () => T): T {
    if (before) return change();
    const changed = new Map<string, string | undefined>();
    before = changed;
    try {
      return change();
    } catch (error) {
      before = undefined;
      for (const [key, text] of changed) set(key, text);
      throw error;
    } finally {
      before = undefined;
    }
  }

  return {
    get: (key) => {
      const text = values.get(key);
      return text === undefined ? undefined : JSON.parse(text);
    },
    put: (key, value) => set(key, JSON.stringify(value)),
    delete: (key) => set(key, undefined),
    putSoon: async (changes) => {
      for (const [key, value] of changes) {
        set(key, value === undefined ? undefined : JSON.stringify(value));
      }
    },
    entries,
    transaction,
    copyTo: async (folder) => {
      const target = openFolderStore(folder);
      target.transaction(() => {
        for (const [key, text] of values) target.put(key, JSON.parse(text));
      });
      await target.close();
    },
    close: async () => {},
  };
}

/** Where the first key is that is not before `wanted`. */
function firstFrom(keys: readonly string[], wanted: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
