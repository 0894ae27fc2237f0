import type { Clock } from "../../clock/index.ts";
import type { Store } from "../../store/index.ts";
import type { Link } from "../network.ts";
import { type AccessPoint, createAir, LAB_NETWORK, neighbourhood } from "./air.ts";
import { createCertificateStore } from "./certificates.ts";
import { createDeviceLog } from "./device-log.ts";
import { type EnterpriseWifi, enterpriseWifi } from "./enterprise.ts";
import { createErrorReports } from "./error-reports.ts";
import { createInterfaces } from "./interfaces.ts";
import { createSignal } from "./kept.ts";
import { CAPABILITIES, createManufacturing, type ManufacturingOptions } from "./manufacturing.ts";
import { OS_VERSIONS, type OsRelease, osRelease } from "./os-release.ts";
import { createProxy } from "./proxy.ts";
import { createTimeSync } from "./time-sync.ts";
import { createWifi } from "./wifi.ts";

/**
 * How a device that was never used is: `lab` knows the lab's own Wi-Fi network, `fresh` knows none.
 */
export type Factory = "lab" | "fresh";

export interface SystemOptions {
  readonly clock: Clock;
  readonly store: Store;
  readonly deviceId: string;
  /** Where what surrounds several devices is kept; `store` when absent. */
  readonly surroundings?: Store;
  /** `lab` when absent. */
  readonly factory?: Factory;
  /** Module1Complete with application development when absent. */
  readonly manufacturing?: ManufacturingOptions;
  /** What the radio hears; the made-up neighbourhood when absent. */
  readonly accessPoints?: readonly AccessPoint[];
  /** Whether the board has an Ethernet adapter. */
  readonly ethernet?: boolean;
  /** The system that is installed; the newest one when absent. */
  readonly release?: () => OsRelease;
}

export type DeviceSystem = ReturnType<typeof createDeviceSystem>;

const READY_FOR_DEVELOPMENT: ManufacturingOptions = {
  state: "Module1Complete",
  capabilities: [CAPABILITIES.appDevelopment],
};

/** What the virtual Sphere OS keeps beside its applications: radio, certificates, network, logs. */
export function createDeviceSystem(options: SystemOptions) {
  const { clock, store, deviceId } = options;
  let bootedAt = clock.monotonic();
  const sinceBoot = () => clock.monotonic() - bootedAt;
  const enterprise = enterpriseWifi(options.surroundings ?? store);
  const radius = radiusOf(enterprise);
  const air = createAir(options.accessPoints ?? neighbourhood(radius));
  const certificates = createCertificateStore(store);
  const initial = options.factory === "fresh" ? [] : [{ ...LAB_NETWORK, securityState: "psk" }];
  const wifi = createWifi({ store, clock, air, certificates, initial });
  const ethernet = options.ethernet ?? false;
  const interfaces = createInterfaces({ store, wifi, deviceId, ethernet });
  const timeSync = createTimeSync(store, interfaces);
  const log = createDeviceLog(store, sinceBoot);
  const errorReports = createErrorReports(store);
  const newest = osRelease(OS_VERSIONS.at(-1) ?? "");
  const release = options.release ?? (() => newest);
  const manufacturing = createManufacturing(store, options.manufacturing ?? READY_FOR_DEVELOPMENT);
  let boots = 0;

  return {
    deviceId,
    /** The authentication server of the made-up company. */
    radius,
    ...{ air, enterprise, certificates, wifi, interfaces, timeSync, log, errorReports, release },
    manufacturing,
    proxy: createProxy(store),
    /** What makes `Networking_IsNetworkingReady` true. */
    link: createLink(),
    /** Seconds since the system came up. */
    get uptime(): number {
      return Math.floor(sinceBoot() / 1000);
    },
    /** The system comes up: radio on, networks joined, time fetched. */
    boot(): void {
      bootedAt = clock.monotonic();
      errorReports.booted(boots === 0 ? "power-on" : "restart");
      boots += 1;
      log.add("info", "osVersion", [{ type: "string", value: release().version }]);
      log.add("info", "deviceId", [{ type: "string", value: deviceId }]);
      wifi.setRadio(interfaces.wifiUp, true);
    },
    /** The system goes down. What is kept is in the store. */
    shutDown(): void {
      wifi.setRadio(false);
      timeSync.forget();
      manufacturing.endSession();
      log.save();
    },
  };

  function createLink(): Link {
    const changed = createSignal();
    let before = isReady();
    const look = () => {
      const now = isReady();
      if (now === before) return;
      before = now;
      changed.emit();
    };
    interfaces.onChange(look);
    timeSync.onChange(look);
    return {
      get ready() {
        return isReady();
      },
      onChange: changed.subscribe,
      setOutage: (outage) => air.setSilent(outage),
    };
  }

  function isReady(): boolean {
    return interfaces.online && timeSync.state !== "incomplete";
  }
}

function radiusOf({ serverCertificate, rootCa }: EnterpriseWifi): AccessPoint["radius"] {
  return { certificate: serverCertificate, clientAuthority: rootCa };
}
