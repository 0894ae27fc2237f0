import type { Store } from "./store.ts";

/** The value under `key`; made and kept at the first call. */
export function madeOnce<Value>(store: Store, key: string, make: () => Value): Value {
  const known = store.get<Value>(key);
  if (known !== undefined) return known;
  const made = make();
  store.put(key, made);
  return made;
}
