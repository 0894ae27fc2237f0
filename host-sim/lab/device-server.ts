import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, RealClock } from "../clock/index.ts";
import type { DeviceAuth } from "../device/device-auth.ts";
import type { ImageTrust } from "../device/images.ts";
import { createNetwork } from "../device/network.ts";
import { createSphereOs, type SphereOs } from "../device/sphere-os.ts";
import { kept } from "../device/system/kept.ts";
import { OS_VERSIONS, type OsRelease, osRelease } from "../device/system/os-release.ts";
import { createDeviceSystem } from "../device/system/system.ts";
import { createDiscovery } from "../device-rest/index.ts";
import { readHardwareDefinition } from "../imagepackage/hardware-definition.ts";
import { createLogger, type Logger, type LogSink } from "../log.ts";
import { packageFolder } from "../paths.ts";
import type { SigningKey } from "../pki/index.ts";
import type { Address } from "../service.ts";
import type { Store } from "../store/index.ts";
import { startDeviceRest } from "./device-rest.ts";
import { labDevice } from "./enrolment.ts";
import { makeFolder } from "./make-folder.ts";
import { productionKey, productionTrust } from "./production-key.ts";
import type { Programs } from "./programs.ts";
import { developmentKey, labTrustStore } from "./signing-key.ts";
import { type LabState, openState } from "./state.ts";
import { boardOf } from "./virtual-device.ts";

export interface DeviceServerOptions {
  readonly address: string;
  readonly port: number;
  /** Of the device communication service, which listens on this computer only. */
  readonly dcsPort: number;
  /** Where an app that is debugged writes its output. */
  readonly outputPort: number;
  /** Where a debugger finds it; any free port when absent. */
  readonly gdbPort?: number;
  /** Makes programs of installed packages; V8 runs their wasm when absent. Ended with the device. */
  readonly programs?: Programs;
  /**
   * Gets `device-ca.pem`, `signing/` with the developers' key, the production key, and what the
   * made-up company of the neighbourhood hands out for its Wi-Fi.
   */
  readonly certDir: string;
  readonly rebootMs: number;
  /** Further development certificates whose packages the device takes. */
  readonly trust?: readonly { readonly name: string; readonly certificate: string }[];
  /** In memory when absent. */
  readonly stateFolder?: string;
  readonly apiVersion?: string;
  readonly onLine?: LogSink;
  readonly clock?: Clock;
}

export interface DeviceServer {
  readonly os: SphereOs;
  readonly rest: Address;
  readonly discovery: Address;
  readonly caFile: string;
  /** Unix socket of the boot loader. */
  readonly recovery: string;
  stop(): Promise<void>;
}

/** As long as the device's cable is plugged in here. */
const CONNECTION_PATH = "223";
const HARDWARE = "hardware-definitions/mt3620_rdb.json";

/**
 * A virtual device of its own with its REST API, without a cloud behind it.
 * @throws LabError folder-unusable, state-locked, state-corrupt
 */
export async function startDeviceServer(options: DeviceServerOptions): Promise<DeviceServer> {
  const clock = options.clock ?? new RealClock();
  makeFolder(options.certDir);
  const state = openState(options.stateFolder);
  const cleanups: (() => unknown)[] = [() => state.close(), () => options.programs?.stop()];
  const stop = async () => {
    for (let next = cleanups.pop(); next; next = cleanups.pop()) await next();
  };
  try {
    const logger = createLogger("device", () => clock.now(), options.onLine ?? (() => {}));
    const newest = osRelease(OS_VERSIONS.at(-1) ?? "");
    const release = kept<OsRelease>(state.store, "release", () => newest);
    const os = createDevice(options, { clock, state, logger, release: () => release.value });
    cleanups.push(() => os.stop());
    os.start();
    const { enterprise } = os.system;
    writeKey(options.certDir, "enterprise-wifi-client", {
      ...{ certificate: enterprise.clientCertificate, privateKey: enterprise.clientKey },
    });
    writeFileSync(join(options.certDir, "enterprise-wifi-ca.pem"), enterprise.rootCa);
    writeKey(options.certDir, "production-signing", productionKey(state.store));
    const { address: host, port, outputPort, gdbPort, apiVersion } = options;
    const rest = await startDeviceRest({
      ...{ os, logger, host, port, outputPort, gdbPort, apiVersion },
      recovery: { newest: () => newest, installed: release.set },
      state: { store: state.store, folder: options.certDir },
    });
    cleanups.push(() => rest.stop());
    const { ca, recovery, ...where } = rest.description;
    const discovery = createDiscovery({
      ...{ host: "127.0.0.1", port: options.dcsPort },
      devices: () => [{ IpAddress: where.address, DeviceConnectionPath: CONNECTION_PATH }],
    });
    const discoveryAddress = await discovery.start();
    cleanups.push(() => discovery.stop());
    return {
      ...{ os, caFile: ca, recovery, stop, discovery: discoveryAddress },
      rest: { host: where.address, port: where.port },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Surroundings {
  readonly clock: Clock;
  readonly state: LabState;
  readonly logger: Logger;
  readonly release: () => OsRelease;
}

function createDevice(options: DeviceServerOptions, around: Surroundings): SphereOs {
  const { clock, state, logger, release } = around;
  const { store } = state;
  const { deviceId } = labDevice(store);
  const system = createDeviceSystem({ clock, store, deviceId, factory: "fresh", release });
  const hardware = readHardwareDefinition(join(packageFolder(), HARDWARE));
  return createSphereOs({
    ...{ clock, logger, deviceId, store, system, rebootMs: options.rebootMs },
    trust: trustOf(options, store),
    board: boardOf(hardware),
    network: createNetwork({ routes: new Map(), link: system.link }),
    deviceAuth: NO_CLOUD,
    storage: state.device(1).storage,
    packagedProgram: options.programs?.of,
  });
}

/** Developers sign with the key in the folder of certificates, which is made here. */
function trustOf({ certDir, trust }: DeviceServerOptions, store: Store): ImageTrust {
  developmentKey(certDir);
  const development = labTrustStore(certDir, trust);
  return { production: () => productionTrust(store), development: () => development };
}

/** Nobody attests the device, so it never holds a certificate. */
const NO_CLOUD: DeviceAuth = {
  current: () => undefined,
  onReady: () => () => {},
  start() {},
  stop() {},
};

function writeKey(folder: string, name: string, { certificate, privateKey }: SigningKey): void {
  writeFileSync(join(folder, `${name}.pem`), certificate);
  writeFileSync(join(folder, `${name}.key`), privateKey, { mode: 0o600 });
}
