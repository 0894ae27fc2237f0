import type { Store } from "../../store/index.ts";
import { addressFor } from "./air.ts";
import { DeviceError, ERRORS, refuseIf } from "./device-error.ts";
import {
  addressOn,
  checkedDnsConfig,
  checkedIpConfig,
  type DnsConfig,
  type IpConfig,
  type LocalNetwork,
  reachesInternet,
} from "./ip-config.ts";
import { createSignal, kept } from "./kept.ts";
import type { Wifi } from "./wifi.ts";

/** Keys in the order in which the device writes them. */
export interface InterfaceView {
  readonly interfaceName: string;
  readonly interfaceUp: boolean;
  readonly connectedToNetwork: boolean;
  readonly ipAcquired: boolean;
  readonly connectedToInternet: boolean;
  readonly hardwareAddress?: string;
  readonly ipAssignment?: "static" | "dynamic";
  readonly ipAddresses: readonly string[];
}

/** Interfaces that somebody may change. */
export type AdapterName = "wlan0" | "eth0";

interface Adapter {
  readonly up: boolean;
  readonly hardwareAddress: string;
  readonly ip: IpConfig;
}

interface InterfaceState {
  readonly adapters: Readonly<Record<AdapterName, Adapter>>;
  readonly dns: DnsConfig;
  /** Whether a board configuration gives the device an Ethernet adapter. */
  readonly ethernet: boolean;
}

export type Interfaces = ReturnType<typeof createInterfaces>;

/** The address of the service connection, the same on every device. */
export const SERVICE_ADDRESS = "192.168.35.2";

/** The network interfaces: which are there, switched on and connected, and with what address. */
export function createInterfaces(options: {
  readonly store: Store;
  readonly wifi: Wifi;
  readonly deviceId: string;
  readonly ethernet: boolean;
}) {
  const { wifi, deviceId } = options;
  const adapter = (name: string): Adapter => ({
    ...{ up: true, hardwareAddress: addressFor(deviceId + name), ip: { mode: "dynamic" } },
  });
  const state = kept<InterfaceState>(options.store, "interfaces", () => ({
    adapters: { wlan0: adapter("wlan0"), eth0: adapter("eth0") },
    dns: { mode: "automatic" },
    ethernet: options.ethernet,
  }));
  const changed = createSignal();
  let cable: LocalNetwork | undefined;
  wifi.onChange(changed.emit);

  function set(change: Partial<InterfaceState>): void {
    state.set({ ...state.value, ...change });
    changed.emit();
  }

  function adapterOf(name: string): AdapterName {
    if (name === "wlan0" || (name === "eth0" && state.value.ethernet)) return name;
    const known = name === "azspheresvc" || name === "lo";
    throw known
      ? new DeviceError(ERRORS.interfaceNotPermitted)
      : new DeviceError(ERRORS.invalidInterface, "absent");
  }

  function localNetwork(name: AdapterName): LocalNetwork | undefined {
    if (!state.value.adapters[name].up) return undefined;
    return name === "wlan0" ? wifi.connection?.accessPoint : cable;
  }

  function view(name: AdapterName): InterfaceView {
    const { up, hardwareAddress, ip } = state.value.adapters[name];
    const network = localNetwork(name);
    return {
      interfaceName: name,
      interfaceUp: up,
      connectedToNetwork: network !== undefined,
      ipAcquired: network !== undefined,
      connectedToInternet: network !== undefined && reachesInternet(network, ip),
      hardwareAddress,
      ipAssignment: ip.mode,
      ipAddresses: network ? [addressOn(network, ip)] : [],
    };
  }

  const views = (): InterfaceView[] => [
    plain("azspheresvc", SERVICE_ADDRESS),
    plain("lo", "127.0.0.1"),
    view("wlan0"),
    ...(state.value.ethernet ? [view("eth0")] : []),
  ];

  return {
    list: views,
    get(name: string): InterfaceView {
      const found = views().find(({ interfaceName }) => interfaceName === name);
      if (found) return found;
      throw new DeviceError(ERRORS.invalidInterface, "absent");
    },
    /** Switches an adapter or gives it another hardware address; both or none. */
    change(name: string, change: { interfaceUp?: boolean; hardwareAddress?: string }): void {
      const { interfaceUp, hardwareAddress } = change;
      const key = adapterOf(name);
      if (hardwareAddress !== undefined) requireHardwareAddress(hardwareAddress);
      const next = { ...state.value.adapters[key] };
      set({
        adapters: {
          ...state.value.adapters,
          [key]: {
            ...next,
            up: interfaceUp ?? next.up,
            hardwareAddress: hardwareAddress?.toLowerCase() ?? next.hardwareAddress,
          },
        },
      });
      if (key === "wlan0" && interfaceUp !== undefined) wifi.setRadio(interfaceUp);
    },
    /** @throws DeviceError invalidParameter, invalidInterface */
    setIp(name: string, config: IpConfig): void {
      const key = adapterOf(name);
      const ip = checkedIpConfig(config);
      const { adapters } = state.value;
      set({ adapters: { ...adapters, [key]: { ...adapters[key], ip } } });
    },
    get dns(): DnsConfig {
      return state.value.dns;
    },
    setDns: (config: DnsConfig): void => set({ dns: checkedDnsConfig(config) }),
    /** Gives the device an Ethernet adapter, as a board configuration image does, or takes it. */
    setEthernet: (present: boolean): void => set({ ethernet: present }),
    /** Plugs the Ethernet cable into a network, or pulls it out. */
    setCable(network: LocalNetwork | undefined): void {
      cable = network;
      changed.emit();
    },
    get wifiUp(): boolean {
      return state.value.adapters.wlan0.up;
    },
    get online(): boolean {
      return views().some(({ connectedToInternet }) => connectedToInternet);
    },
    onChange: changed.subscribe,
  };
}

/** Interfaces that always are as they are. */
function plain(name: string, address: string): InterfaceView {
  return {
    interfaceName: name,
    interfaceUp: true,
    connectedToNetwork: false,
    ipAcquired: false,
    connectedToInternet: false,
    ipAddresses: [address],
  };
}

/** Of one machine, not of a group, and not all zeros. */
function requireHardwareAddress(text: string): void {
  const wellFormed = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text);
  const group = (Number.parseInt(text.slice(0, 2), 16) & 1) === 1;
  const zero = /^[0:]+$/.test(text);
  refuseIf(!wellFormed || group || zero, ERRORS.badHardwareAddress);
}
