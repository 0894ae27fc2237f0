import type { Store } from "../../store/index.ts";

/** One value of the device that outlives a restart and, in a folder store, the process. */
export interface Kept<Value> {
  readonly value: Value;
  set(value: Value): void;
}

/** @param subject names the value below the device's part of the store */
export function kept<Value>(store: Store, subject: string, initial: () => Value): Kept<Value> {
  const key = `device/${subject}`;
  let value = store.get<Value>(key) ?? initial();
  return {
    get value() {
      return value;
    },
    set(next) {
      // First the store: a value that could not be kept must not be seen either.
      store.put(key, next);
      value = next;
    },
  };
}

/** Listeners of a change. */
export function createSignal<Value = void>() {
  const listeners = new Set<(value: Value) => void>();
  return {
    emit(value: Value): void {
      for (const listener of [...listeners]) listener(value);
    },
    /** @returns what ends it */
    subscribe(listener: (value: Value) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
