import type { Store } from "../../store/index.ts";
import { ERRORS, refuseIf } from "./device-error.ts";
import type { Interfaces } from "./interfaces.ts";
import { createSignal, kept } from "./kept.ts";

export interface TimeSyncConfig {
  readonly enabled: boolean;
  /** Names or addresses of NTP servers, asked in this order. */
  readonly servers: readonly string[];
}

export type TimeSyncState = "complete" | "incomplete" | "disabled";

export type TimeSync = ReturnType<typeof createTimeSync>;

const DEFAULT_SERVERS = ["prod.time.sphere.azure.net"];
const MOST_SERVERS = 2;
const LONGEST_NAME = 255;

/** Network time: a device knows the time from the first moment online until it is switched off. */
export function createTimeSync(store: Store, interfaces: Interfaces) {
  const config = kept<TimeSyncConfig>(store, "time-sync", () => ({
    enabled: true,
    servers: DEFAULT_SERVERS,
  }));
  const changed = createSignal();
  let done = false;

  function look(): void {
    if (done || !config.value.enabled || !interfaces.online) return;
    done = true;
    changed.emit();
  }

  interfaces.onChange(look);
  return {
    get config(): TimeSyncConfig {
      return config.value;
    },
    /** @throws DeviceError invalidParameter */
    configure(next: TimeSyncConfig): void {
      const count = next.servers.length >= 1 && next.servers.length <= MOST_SERVERS;
      const names = next.servers.every((name) => name !== "" && name.length <= LONGEST_NAME);
      refuseIf(!count || !names, ERRORS.invalidParameter);
      config.set({ enabled: next.enabled, servers: [...next.servers] });
      done = false;
      look();
      changed.emit();
    },
    get state(): TimeSyncState {
      if (!config.value.enabled) return "disabled";
      return done ? "complete" : "incomplete";
    },
    /** The clock of a device that was switched off stands at its beginning. */
    forget(): void {
      done = false;
    },
    onChange: changed.subscribe,
  };
}
