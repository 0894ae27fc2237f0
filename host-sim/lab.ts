import { RealClock } from "./clock/index.ts";
import { DPS_HOST } from "./device/hub-client/provision.ts";
import { LabError } from "./errors.ts";
import type { Dps } from "./hub/dps/dps.ts";
import type { Hub } from "./hub/hub.ts";
import type { LimitOptions } from "./hub/limits.ts";
import type { TrustStore } from "./imagepackage/index.ts";
import type { Manifest } from "./imagepackage/manifest.ts";
import { createApiServer, type LabEvent } from "./lab/api.ts";
import type { BuiltApp } from "./lab/app-image.ts";
import {
  type Cloud,
  type CloudOptions,
  eventHubConnectionString,
  redirectsTo,
  startCloud,
} from "./lab/cloud.ts";
import type { LabDescription } from "./lab/description.ts";
import { MOST_DEVICES, MOST_HUB_PROCESSES } from "./lab/device-count.ts";
import { startDevices } from "./lab/devices.ts";
import { enrol, manufacture } from "./lab/enrolment.ts";
import type { LabDevice } from "./lab/lab-device.ts";
import { joinedApp, type OtherHub } from "./lab/other-hub.ts";
import type { Programs } from "./lab/programs.ts";
import { labRoutes } from "./lab/routes.ts";
import { labTrustStore } from "./lab/signing-key.ts";
import { openState } from "./lab/state.ts";
import { writeLocator } from "./lab/state-folder.ts";
import type { VirtualDevice } from "./lab/virtual-device.ts";
import { createLogger } from "./log.ts";
import { packageVersion } from "./paths.ts";
import { catalogId, type SecurityService } from "./security-service/index.ts";

export interface LabOptions {
  readonly app: BuiltApp;
  /** Where the lab keeps what outlives it; in memory when absent. */
  readonly stateFolder?: string;
  /** Address of all listeners; 127.0.0.1 when absent. */
  readonly host?: string;
  /** 0, any free port, when absent. */
  readonly ports?: CloudOptions["ports"];
  readonly apiPort?: number;
  /** Throttles and quotas of the hub's tier; none when absent. */
  readonly limits?: LimitOptions;
  /** How many processes serve the hub's devices over MQTT, from 1 to 16; 1 when absent. */
  readonly hubProcesses?: number;
  /** How many virtual devices run the app, from 1 to 250; 1 when absent. */
  readonly devices?: number;
  /**
   * Of the first device's REST API, the next device has the next port; any free ones when absent.
   * On addresses of their own all devices have the same port.
   */
  readonly deviceRestPort?: number;
  /** Of the service that lists the devices. */
  readonly discoveryPort?: number;
  /** Of the Security Service. */
  readonly securityPort?: number;
  /** Makes programs of installed packages; V8 runs their wasm when absent. Ended with the lab. */
  readonly programs?: Programs;
  /** Where the output of a debugged app can be read; any free ports when absent. */
  readonly outputPort?: number;
  /** Where a debugger finds it. */
  readonly gdbPort?: number;
  /** Whose packages are taken for development; those of the state folder's key when absent. */
  readonly developers?: () => TrustStore;
  /** Lab time between two checks of a device for updates; a day when absent. */
  readonly updateCheckMs?: number;
  /** Leaves the devices as they left the factory. */
  readonly unclaimed?: boolean;
  /** Connects the device to this hub in place of the lab's own. */
  readonly otherHub?: OtherHub;
  /** Is told log lines and telemetry from the first on. */
  readonly onEvent?: (event: LabEvent) => void;
}

/** A running lab: all rooms, composed. */
export interface Lab {
  readonly description: LabDescription;
  readonly clock: RealClock;
  readonly hub: Hub;
  readonly dps: Dps;
  readonly service: SecurityService;
  readonly tokens: Cloud["tokens"];
  /** How long, in lab time, long-running operations of the Security Service take. */
  readonly setOperationTime: Cloud["setOperationTime"];
  /** Host name of the hub that the devices join in place of the lab's. */
  readonly otherHub?: string;
  /** The first of the devices as it runs now. */
  readonly device: VirtualDevice;
  readonly devices: readonly LabDevice[];
  /** Puts a new build of the app in place of the running one, on all devices that have power. */
  install(app: BuiltApp): Promise<void>;
  /** Ends all connections and listens again on the same port. */
  restartHub(): Promise<void>;
  /** Copies the state as of now into a folder. */
  exportTo(folder: string): Promise<void>;
  /** May be called at any time and any number of times. */
  stop(): Promise<void>;
}

type Cleanups = (() => unknown)[];

/** The embedded hub has the name that the app dials; this one when the app dials none. */
const DEFAULT_HUB_NAME = "spherule-lab.azure-devices.net";

/** The token of the description holds for all that one does in a lab, jumps of the clock included. */
const TOKEN_LIFETIME_MS = 10 * 365 * 86_400_000;

/**
 * Starts a lab; when the answer comes, everything listens and the app runs.
 * @throws LabError port-in-use, state-locked, state-corrupt and others of the rooms
 */
export async function startLab(options: LabOptions): Promise<Lab> {
  const cleanups: Cleanups = [];
  try {
    return await compose(options, cleanups);
  } catch (error) {
    await runAll(cleanups);
    throw error;
  }
}

async function compose(options: LabOptions, cleanups: Cleanups): Promise<Lab> {
  cleanups.push(() => options.programs?.stop());
  checkCounts(options);
  const { app, otherHub, host = "127.0.0.1" } = options;
  const clock = new RealClock();
  const { publish, subscribe } = createEvents(options.onEvent);
  const now = () => clock.now();
  const logger = createLogger("lab", now, (line) => publish({ type: "log", line }));
  const state = openState(options.stateFolder);
  cleanups.push(() => state.close());
  const { ports, limits, securityPort, hubProcesses } = options;
  const developers = options.developers ?? (() => labTrustStore(state.folder));
  const cloud = await startCloud({
    ...{ state, clock, logger, host, ports, limits, securityPort, hubProcesses },
    developers,
    hubName: hubNameOf(app.manifest),
  });
  cleanups.push(() => cloud.stop());
  const { hub, dps, service } = cloud;
  hub.events.subscribe((messages) => {
    for (const message of messages) publish({ type: "telemetry", message });
  });

  const manufactured = manufacture(state.store, options.devices ?? 1);
  const tenantId = enrol({
    ...{ service, hub, dps },
    deviceIds: manufactured.map(({ deviceId }) => deviceId),
    tenantId: app.manifest.Capabilities.DeviceAuthentication,
    claim: !options.unclaimed,
  });
  const devices = await startDevices({
    ...{ clock, state, cloud, manufactured, otherHub, developers, host: options.host },
    ...{ hardware: app.hardware, manifest: app.manifest, checkEveryMs: options.updateCheckMs },
    ...{ restPort: options.deviceRestPort, discoveryPort: options.discoveryPort },
    ...{ outputPort: options.outputPort, gdbPort: options.gdbPort },
    packagedProgram: options.programs?.of,
    publishLine: (line) => publish({ type: "log", line }),
  });
  cleanups.push(() => devices.stop());

  let description: LabDescription | undefined;
  const lab: Lab = {
    get description() {
      if (!description) throw new Error("The lab has not started yet");
      return description;
    },
    get device() {
      return devices.first.os;
    },
    ...{ clock, hub, dps, service, devices: devices.all, tokens: cloud.tokens },
    setOperationTime: cloud.setOperationTime,
    otherHub: otherHub?.hostName,
    install: (next) => devices.install(joinedApp(next, otherHub)),
    restartHub: () => cloud.restartHub(),
    exportTo: (folder) => state.exportTo(folder),
    stop: () => runAll(cleanups),
  };
  const port = options.apiPort ?? 0;
  const api = createApiServer({ host, port, routes: labRoutes(lab), subscribe });
  const address = await api.start();
  cleanups.push(() => api.stop());
  const url = `http://${address.host}:${address.port}`;
  description = {
    ...describe(cloud, tenantId, url, options.stateFolder),
    ...devices.description(),
  };
  if (options.stateFolder !== undefined) {
    writeLocator(options.stateFolder, { processId: process.pid, api: url });
  }
  await devices.begin(joinedApp(app, otherHub));
  return lab;
}

/** @throws LabError option-invalid, options-conflict */
function checkCounts({ devices = 1, otherHub, hubProcesses = 1 }: LabOptions): void {
  if (!Number.isInteger(hubProcesses) || hubProcesses < 1 || hubProcesses > MOST_HUB_PROCESSES) {
    throw new LabError(
      "option-invalid",
      `A hub has from 1 to ${MOST_HUB_PROCESSES} processes, not ${hubProcesses}.`,
      "Give another number; more than the computer has cores is of no use.",
    );
  }
  if (!Number.isInteger(devices) || devices < 1 || devices > MOST_DEVICES) {
    throw new LabError(
      "option-invalid",
      `A lab has from 1 to ${MOST_DEVICES} devices, not ${devices}.`,
      "Give another number, or start a second lab with a state folder of its own.",
    );
  }
  if (devices > 1 && otherHub?.identity) {
    throw new LabError(
      "options-conflict",
      `The certificate for ${otherHub.hostName} belongs to one device, and ${devices} are asked for.`,
      "Leave --devices out.",
    );
  }
}

function describe(
  { hub, dps, addresses, caFile, service, serviceAddress, tokens }: Cloud,
  tenantId: string,
  api: string,
  stateFolder: string | undefined,
): Omit<LabDescription, "deviceRest" | "devices" | "discovery"> {
  return {
    version: packageVersion(),
    processId: process.pid,
    stateFolder: stateFolder ?? null,
    api,
    caFile,
    hub: {
      hostName: hub.hostName,
      address: addresses.mqtt.host,
      mqttPort: addresses.mqtt.port,
      httpsPort: addresses.https.port,
      amqpPort: addresses.amqp.port,
      plainAmqpPort: addresses.plainAmqp.port,
      serviceConnectionString: hub.policies.connectionString,
      eventHubConnectionString: eventHubConnectionString(hub),
    },
    dps: {
      hostName: DPS_HOST,
      idScope: dps.idScope,
      serviceConnectionString: dps.connectionString,
    },
    securityService: {
      tenantId,
      url: `https://${serviceAddress.host}:${serviceAddress.port}`,
      catalogId: catalogId(service.tenants.get(tenantId)),
      token: tokens.issue(TOKEN_LIFETIME_MS).accessToken,
    },
    redirects: redirectsTo(hub, dps, addresses),
  };
}

function createEvents(first: ((event: LabEvent) => void) | undefined) {
  const listeners = new Set(first ? [first] : []);
  return {
    publish(event: LabEvent): void {
      for (const listener of listeners) listener(event);
    },
    subscribe(listener: (event: LabEvent) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function hubNameOf({ CmdArgs: args }: Manifest): string {
  const at = args.indexOf("--Hostname");
  return (at < 0 ? undefined : args[at + 1]) ?? DEFAULT_HUB_NAME;
}

/** Last in, first out. */
async function runAll(cleanups: Cleanups): Promise<void> {
  for (let next = cleanups.pop(); next; next = cleanups.pop()) await next();
}
