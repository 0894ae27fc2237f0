import type { Store } from "../../store/index.ts";
import { DeviceError, ERRORS, refuseIf } from "./device-error.ts";
import { kept } from "./kept.ts";
import {
  checkedNetwork,
  configStateOf,
  type NewWifiNetwork,
  requirePsk,
  type WifiNetwork,
} from "./wifi-network.ts";

/** What somebody may change of a network. */
export interface WifiChange {
  readonly configState?: string;
  readonly psk?: string;
}

/** Networks that the list holds at most. */
const MOST_NETWORKS = 37;

export type WifiList = ReturnType<typeof createWifiList>;

/** The networks that the device knows, in the order of their ids. */
export function createWifiList(store: Store, initial: readonly NewWifiNetwork[]) {
  const networks = kept<readonly WifiNetwork[]>(store, "wifi/networks", () =>
    initial.map((network, id) => checkedNetwork(id, network)),
  );

  function find(id: number): WifiNetwork {
    const network = networks.value.find((candidate) => candidate.id === id);
    if (network) return network;
    throw new DeviceError(ERRORS.wifiNetworkNotFound, "absent");
  }

  function replace(id: number, change: Partial<WifiNetwork>): void {
    networks.set(
      networks.value.map((network) => (network.id === id ? { ...network, ...change } : network)),
    );
  }

  return {
    get all(): readonly WifiNetwork[] {
      return networks.value;
    },
    /** @throws DeviceError wifiNetworkNotFound */
    find,
    add(candidate: NewWifiNetwork): WifiNetwork {
      const taken = new Set(networks.value.map(({ id }) => id));
      let id = 0;
      while (taken.has(id)) id += 1;
      const network = checkedNetwork(id, candidate);
      refuseIf(networks.value.length >= MOST_NETWORKS, ERRORS.wifiNoSpace);
      networks.set([...networks.value, network].sort((a, b) => a.id - b.id));
      return network;
    },
    /** Checks everything that is wanted, then the id, then changes. */
    change(id: number, { configState: wanted, psk }: WifiChange): void {
      const configState = wanted === undefined ? undefined : configStateOf(wanted);
      if (psk !== undefined) requirePsk(psk);
      const network = find(id);
      refuseIf(psk !== undefined && network.securityState !== "psk", ERRORS.wifiInvalidProperties);
      // A new key is a reason to try again.
      const retried = network.configState === "temp-disabled" && psk !== undefined;
      replace(id, {
        ...(psk === undefined ? {} : { psk }),
        ...(retried ? { configState: "enabled" } : {}),
        ...(configState === undefined ? {} : { configState }),
      });
    },
    /** Leaves a network out until `enableAgain`. */
    disableForNow: (id: number): void => replace(id, { configState: "temp-disabled" }),
    enableAgain(): void {
      for (const { id, configState } of networks.value) {
        if (configState === "temp-disabled") replace(id, { configState: "enabled" });
      }
    },
    remove(id: number): void {
      find(id);
      networks.set(networks.value.filter((network) => network.id !== id));
    },
  };
}
