import { openFolderStore } from "./folder.ts";
import type { Store } from "./store.ts";

/** A store that is gone with the process; values are copied in and out as the folder store does. */
export function openMemoryStore(): Store {
  let values = new Map<string, string>();
  return {
    get: (key) => {
      const text = values.get(key);
      return text === undefined ? undefined : JSON.parse(text);
    },
    put: (key, value) => void values.set(key, JSON.stringify(value)),
    delete: (key) => void values.delete(key),
    putSoon: async (changes) => {
      for (const [key, value] of changes) {
        if (value === undefined) values.delete(key);
        else values.set(key, JSON.stringify(value));
      }
    },
    entries: <T>(prefix: string) =>
      [...values]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, text]) => [key, JSON.parse(text) as T] as const),
    transaction: (change) => {
      const before = new Map(values);
      try {
        return change();
      } catch (error) {
        values = before;
        throw error;
      }
    },
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
