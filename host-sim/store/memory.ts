import sortedBtree from "sorted-btree";
import { openFolderStore } from "./folder.ts";
import type { Store } from "./store.ts";

// The package is CommonJS: Node gives its exports as the default one.
const { default: BTree } = sortedBtree as unknown as { default: typeof sortedBtree };

/** A store that is gone with the process; values are copied in and out as the folder store does. */
export function openMemoryStore(): Store {
  const values = new BTree<string, string>(undefined, (a, b) => (a < b ? -1 : a > b ? 1 : 0));
  /** What the open transaction found at each key that it changed. */
  let before: Map<string, string | undefined> | undefined;

  function set(key: string, text: string | undefined): void {
    if (before && !before.has(key)) before.set(key, values.get(key));
    if (text === undefined) values.delete(key);
    else values.set(key, text);
  }

  function* within(prefix: string, from = prefix) {
    for (const entry of values.entries(from)) {
      if (!entry[0].startsWith(prefix)) break;
      yield entry;
    }
  }

  function entries<T>(prefix: string, from?: string) {
    return Array.from(within(prefix, from), ([key, text]) => [key, JSON.parse(text) as T] as const);
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
    entries,
    keys: (prefix) => Array.from(within(prefix), ([key]) => key),
    transaction,
    putSoon: async (changes, unless) => {
      if (unless !== undefined && values.has(unless)) return false;
      for (const [key, value] of changes) {
        set(key, value === undefined ? undefined : JSON.stringify(value));
      }
      return true;
    },
    refresh: () => {},
    copyTo: async (folder) => {
      const target = openFolderStore(folder);
      target.transaction(() => {
        for (const [key, text] of values.entries()) target.put(key, JSON.parse(text));
      });
      await target.close();
    },
    close: async () => {},
  };
}
