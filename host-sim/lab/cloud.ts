import { join } from "node:path";
import type { RealClock } from "../clock/index.ts";
import { DPS_HOST } from "../device/hub-client/provision.ts";
import { SERVICE_HOST } from "../device/updates/service-client.ts";
import { LabError } from "../errors.ts";
import { createDps, type Dps } from "../hub/dps/dps.ts";
import { createHub, type Hub } from "../hub/hub.ts";
import type { LimitOptions } from "../hub/limits.ts";
import type { ListenerAddresses, ListenerName } from "../hub/listeners.ts";
import { eventHubName, shortName } from "../hub/names.ts";
import { createHubPool, type HubPool } from "../hub/processes/pool.ts";
import type { TrustStore } from "../imagepackage/index.ts";
import type { Logger } from "../log.ts";
import { issueServerCertificate, type ServerCredentials } from "../pki/index.ts";
import { createSecurityServer, createSecurityService } from "../security-service/index.ts";
import { labServerRoot } from "./enrolment.ts";
import { startHubListeners } from "./hub-listeners.ts";
import { labTrustStore } from "./signing-key.ts";
import type { LabState } from "./state.ts";
import { writeAtomically } from "./state-folder.ts";

export interface CloudOptions {
  readonly state: LabState;
  readonly clock: RealClock;
  readonly logger: Logger;
  readonly hubName: string;
  readonly host: string;
  readonly ports?: Partial<Readonly<Record<ListenerName, number>>>;
  readonly limits?: LimitOptions;
  /** How many processes serve devices over MQTT; this one alone when absent. */
  readonly hubProcesses?: number;
  /** 0, any free port, when absent. */
  readonly securityPort?: number;
  /** Whose packages may be uploaded; those of the state folder's key when absent. */
  readonly developers?: () => TrustStore;
}

export type Cloud = Awaited<ReturnType<typeof startCloud>>;

/** What owners of enrollments dial; devices dial `DPS_HOST`. */
const DPS_SERVICE_NAME = "spherule-dps.azure-devices-provisioning.net";
const MANAGEMENT_NAME = "management.azure.com";

/** The services behind the device: IoT Hub and DPS with their listeners, and the Security Service. */
export async function startCloud(options: CloudOptions) {
  const { state, clock, logger, hubName, host, limits } = options;
  const { store } = state;
  const root = labServerRoot(store);
  const caFile = join(state.folder, "ca.pem");
  writeAtomically(caFile, root.certificate);
  const credentials = issueServerCertificate(root, {
    dns: [
      ...[hubName, "localhost", eventHubName(hubName), DPS_HOST, DPS_SERVICE_NAME],
      ...[MANAGEMENT_NAME, SERVICE_HOST],
    ],
    ip: ["127.0.0.1"],
  });
  const pool = poolOf(options, credentials);
  const hub = createHub({
    ...{ hostName: hubName, store, clock, logger: logger.named("hub"), limits },
    peers: pool?.peers,
  });
  const dps = createDps({
    ...{ store, clock, hubs: [hub], hostName: DPS_SERVICE_NAME },
    logger: logger.named("dps"),
  });
  const service = createSecurityService({
    ...{ store, clock, logger: logger.named("service") },
    developers: options.developers ?? (() => labTrustStore(state.folder)),
  });
  const listeners = await startHubListeners(
    { hub, dps, host, credentials, ports: options.ports },
    pool,
  );
  const security = createSecurityServer(service, {
    ...{ host, port: options.securityPort ?? 0, credentials },
  });
  const serviceAddress = await security.start().catch(async (error) => {
    await listeners.stop();
    throw error;
  });
  return {
    hub,
    dps,
    service,
    addresses: listeners.addresses,
    serviceAddress,
    /** Bearer tokens for the Security Service. */
    tokens: security.tokens,
    setOperationTime: security.setOperationTime,
    ca: root.certificate,
    caFile,
    restartHub: listeners.restart,
    async stop(): Promise<void> {
      await Promise.all([listeners.stop(), security.stop()]);
      await hub.stop();
    },
  };
}

/** @throws LabError options-conflict */
function poolOf(options: CloudOptions, credentials: ServerCredentials): HubPool | undefined {
  const { state, clock, logger, hubName: hostName, limits, hubProcesses = 1 } = options;
  const { storeFolder } = state;
  if (hubProcesses === 1) return undefined;
  if (storeFolder === undefined) {
    throw new LabError(
      "options-conflict",
      `${hubProcesses} processes of the hub would share a state, and --in-memory keeps none.`,
      "Leave one of --hub-processes and --in-memory out.",
    );
  }
  if (limits?.enforce) {
    throw new LabError(
      "options-conflict",
      "The limits of a tier are counted in one process, and the hub would have several.",
      "Leave one of --hub-processes and --enforce-limits out.",
    );
  }
  return createHubPool({
    ...{ storeFolder, hostName, dpsHostName: DPS_SERVICE_NAME, credentials, limits, clock },
    ...{ count: hubProcesses - 1, logger: logger.named("hub") },
  });
}

/** `name:port` → `address:port` of everything that clients dial by its real name. */
export function redirectsTo(hub: Hub, dps: Dps, addresses: ListenerAddresses) {
  const real = { 8883: "mqtt", 443: "https", 5671: "amqp" } as const;
  const names = [hub.hostName, eventHubName(hub.hostName), DPS_HOST, dps.hostName, MANAGEMENT_NAME];
  return Object.fromEntries(
    names.flatMap((name) =>
      Object.entries(real).map(([port, listener]) => {
        const address = addresses[listener];
        return [`${name}:${port}`, `${address.host}:${address.port}`];
      }),
    ),
  );
}

/** For `@azure/event-hubs` and other readers of the built-in endpoint. */
export function eventHubConnectionString(hub: Hub): string {
  const { key } = hub.policies.find("iothubowner") ?? {};
  return `Endpoint=sb://${eventHubName(hub.hostName)}/;SharedAccessKeyName=iothubowner;SharedAccessKey=${key};EntityPath=${shortName(hub.hostName)}`;
}
