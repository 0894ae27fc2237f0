import type { MutableStorage } from "../device/storage.ts";
import type { Store } from "../store/index.ts";
import type { DeviceState } from "./state.ts";

export type PowerSupply = ReturnType<typeof createPowerSupply>;

/**
 * What one run of a device keeps, behind its power: once it is gone nothing is written any more. A
 * transaction that the loss hits is as if it had never begun, as on flash.
 * @param onLost is called once, when the power has gone at a write
 */
export function createPowerSupply(kept: DeviceState, onLost: () => void) {
  let writesLeft = Number.POSITIVE_INFINITY;
  let lost = false;
  let transactions = 0;

  function write(run: () => void): void {
    if (lost) return;
    if (writesLeft > 0) {
      writesLeft -= 1;
      return run();
    }
    lost = true;
    onLost();
    // What was written before in this transaction has to go too.
    if (transactions > 0) throw new Error("the power is gone");
  }

  function transaction<T>(change: () => T): T {
    if (lost) return change();
    transactions += 1;
    try {
      return kept.store.transaction(change);
    } finally {
      transactions -= 1;
    }
  }

  const store: Store = {
    ...kept.store,
    put: (key, value) => write(() => kept.store.put(key, value)),
    delete: (key) => write(() => kept.store.delete(key)),
    transaction,
  };

  function storage(componentId: string): MutableStorage {
    const medium = kept.storage(componentId);
    return {
      ...medium,
      write: (offset, bytes) => write(() => medium.write(offset, bytes)),
      erase: () => write(() => medium.erase()),
    };
  }

  return {
    kept: { ...kept, store, storage } satisfies DeviceState,
    cut(): void {
      lost = true;
    },
    /** Lets so many writes through; the next one finds no power. */
    failAfter(writes: number): void {
      writesLeft = writes;
    },
  };
}
