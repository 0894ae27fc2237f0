import type { Clock, TimerHandle } from "../../clock/index.ts";
import type { Store } from "../../store/index.ts";
import type { AccessPoint, Air } from "./air.ts";
import type { CertificateStore } from "./certificates.ts";
import { DeviceError, ERRORS, refuseIf } from "./device-error.ts";
import { createSignal, kept } from "./kept.ts";
import { type JoinFailure, tryJoin } from "./wifi-join.ts";
import { createWifiList, type WifiChange } from "./wifi-list.ts";
import type { NewWifiNetwork, WifiNetwork } from "./wifi-network.ts";

/** A network as anybody may see it: without its key. */
export interface ShownWifiNetwork extends Omit<WifiNetwork, "psk"> {
  readonly connectionState: "connected" | "disconnected" | "unknown";
}

/** The last failure of a network that is not connected. */
export interface WifiFailure extends JoinFailure {
  readonly networkId: number;
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
}

export interface WifiConnection {
  readonly network: ShownWifiNetwork;
  readonly accessPoint: AccessPoint;
}

export interface WifiOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly air: Air;
  readonly certificates: CertificateStore;
  /** Networks of a device that was never used. */
  readonly initial: readonly NewWifiNetwork[];
}

/** Scanning, associating and the handshake. */
const JOIN_MS = 200;

export type Wifi = ReturnType<typeof createWifi>;

/** The radio with its list of networks: joins the strongest enabled one that lets it in. */
export function createWifi(options: WifiOptions) {
  const { clock, air, certificates } = options;
  const networks = createWifiList(options.store, options.initial);
  const powerSavings = kept(options.store, "wifi/power-savings", () => false);
  const changed = createSignal();
  const failures = new Map<number, WifiFailure>();
  let joined: { readonly id: number; readonly accessPoint: AccessPoint } | undefined;
  let radioOn = false;
  let joining: TimerHandle | undefined;

  function shown({ psk: _secret, ...network }: WifiNetwork): ShownWifiNetwork {
    const connectionState = joined?.id === network.id ? "connected" : "disconnected";
    return { ...network, connectionState };
  }

  /** Tries every enabled network, strongest first, until one lets the device in. */
  function join(): void {
    joining = undefined;
    const before = joined;
    joined = undefined;
    for (const network of radioOn ? inOrder() : []) {
      const result = tryJoin(network, air.accessPoints, certificates, clock.now());
      if ("accessPoint" in result) {
        joined = { id: network.id, accessPoint: result.accessPoint };
        failures.delete(network.id);
        break;
      }
      failures.set(network.id, { ...result, networkId: network.id, time: clock.now() });
      // A wrong key stays wrong: trying it again and again would only disturb the neighbours.
      if (result.error === "WrongKey") networks.disableForNow(network.id);
    }
    if (before?.id !== joined?.id || before?.accessPoint !== joined?.accessPoint) changed.emit();
  }

  function inOrder(): WifiNetwork[] {
    const strength = ({ ssid }: WifiNetwork) =>
      air.accessPoints.find((accessPoint) => accessPoint.ssid === ssid)?.signal ?? -Infinity;
    const enabled = networks.all.filter(({ configState }) => configState === "enabled");
    return enabled.sort((a, b) => Math.sign(strength(b) - strength(a)) || a.id - b.id);
  }

  /** What is lost is lost at once; joining takes its time. */
  function reconsider(): void {
    if (!radioOn) return;
    if (joined && !stillJoined(joined)) {
      joined = undefined;
      changed.emit();
    }
    if (!joined) joining ??= clock.setTimer(JOIN_MS, join);
  }

  function stillJoined({ id }: { readonly id: number }): boolean {
    const network = networks.all.find((candidate) => candidate.id === id);
    return (
      network?.configState === "enabled" &&
      "accessPoint" in tryJoin(network, air.accessPoints, certificates, clock.now())
    );
  }

  const requireRadio = () => refuseIf(!radioOn, ERRORS.wifiDisabled, "internal");
  air.onChange(reconsider);
  certificates.onChange(reconsider);

  return {
    /** Switches the radio. `atOnce` leaves out the time that joining takes, as nobody sees a boot. */
    setRadio(on: boolean, atOnce = false): void {
      if (on === radioOn) return;
      radioOn = on;
      clock.clearTimer(joining);
      joining = undefined;
      if (on) networks.enableAgain();
      if (!on || atOnce) join();
      else reconsider();
    },
    /** @throws DeviceError wifiDisabled, as every use of a radio that is off does */
    requireRadio,
    list: (): ShownWifiNetwork[] => networks.all.map(shown),
    get: (id: number): ShownWifiNetwork => shown(networks.find(id)),
    /** Adds a network; its connection state is not known yet. */
    add(candidate: NewWifiNetwork): ShownWifiNetwork {
      const network = networks.add(candidate);
      reconsider();
      return { ...shown(network), connectionState: "unknown" };
    },
    change(id: number, change: WifiChange): ShownWifiNetwork {
      networks.change(id, change);
      reconsider();
      return shown(networks.find(id));
    },
    remove(id: number): void {
      networks.remove(id);
      failures.delete(id);
      reconsider();
    },
    /** Forgets what was disabled for a while only, and tries again. */
    reload(): void {
      networks.enableAgain();
      reconsider();
    },
    /** What a broadcast scan hears. */
    scan: (): AccessPoint[] => air.accessPoints.filter(({ hidden }) => !hidden),
    get connection(): WifiConnection | undefined {
      return (
        joined && { network: shown(networks.find(joined.id)), accessPoint: joined.accessPoint }
      );
    },
    get joining(): boolean {
      return joining !== undefined;
    },
    /** Of networks that are configured and could not be joined at the last attempt. */
    failures: (): WifiFailure[] => [...failures.values()].sort((a, b) => a.networkId - b.networkId),
    /** @throws DeviceError wifiNetworkNotFound when the network is unknown or has not failed */
    failure(id: number): WifiFailure {
      const failure = failures.get(id);
      if (failure) return failure;
      throw new DeviceError(ERRORS.wifiNetworkNotFound, "absent");
    },
    get powerSavings(): boolean {
      return powerSavings.value;
    },
    setPowerSavings: (on: boolean): void => powerSavings.set(on),
    onChange: changed.subscribe,
  };
}
