import {
  REASON_BAD_CREDENTIAL,
  REASON_DEVICE_DISABLED,
  REASON_NO_NETWORK,
} from "../../../assembly/sphere/host/abi.ts";
import type { Clock, TimerHandle } from "../../clock/index.ts";
import type { Logger } from "../../log.ts";
import type { DeviceAuth, DeviceCredentials } from "../device-auth.ts";
import type { Network, Route } from "../network.ts";
import { type ConnectionEvents, type HubConnection, openConnection } from "./connection.ts";
import { DISABLED, DPS_HOST, PROVISIONED, provision, UNAUTHORIZED } from "./provision.ts";

/** What the manifest's arguments name: a hub, or the scope of a service that assigns one. */
export type HubTarget = { readonly hostName: string } | { readonly idScope: string };

export interface HubClientOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly network: Network;
  readonly deviceAuth: DeviceAuth;
  readonly deviceId: string;
  readonly target: HubTarget;
  /** The manifest's `AllowedConnections`. */
  readonly allowedConnections: readonly string[];
  /** The manifest's `DeviceAuthentication`: a tenant, or empty without the capability. */
  readonly tenantId: string;
  readonly modelId: string;
  readonly events: ConnectionEvents;
  /** Whether `closed` is called for each attempt that fails; otherwise when the reason changes. */
  readonly everyAttempt?: boolean;
}

export type HubClient = ReturnType<typeof createHubClient>;

export const MQTT_PORT = 8883;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/** Result of a registration → what the app hears; native/runtime has the same. */
const UNASSIGNED: ReadonlyMap<number, number> = new Map([
  [UNAUTHORIZED, REASON_BAD_CREDENTIAL],
  [DISABLED, REASON_DEVICE_DISABLED],
]);

interface Way {
  readonly credentials: DeviceCredentials;
  readonly route: Route;
}

/** Something that only an edit of the manifest can change is told once, not at every attempt. */
type Obstacle = { readonly log: string; readonly wait: boolean };

/** Keeps a device connected: waits for what is missing, connects, and connects again. */
export function createHubClient(options: HubClientOptions) {
  const { clock, logger, network, deviceAuth, target } = options;
  let stopRegistering: (() => void) | undefined;
  let hostName = "hostName" in target ? target.hostName : DPS_HOST;
  let connection: HubConnection | undefined;
  let connected = false;
  let retryMs = FIRST_RETRY_MS;
  let timer: TimerHandle | undefined;
  let told = "";
  let toldReason = -1;
  let running = true;

  const events: ConnectionEvents = {
    ...options.events,
    connected() {
      connected = true;
      retryMs = FIRST_RETRY_MS;
      told = "";
      toldReason = -1;
      options.events.connected();
    },
    closed(reason, detail) {
      connected = false;
      connection = undefined;
      tell(`the connection to ${hostName} ended: ${detail}`);
      lost(reason, detail);
      retry();
    },
  };
  const stopNetwork = network.onChange((up) => {
    if (up) return again();
    cutRegistration();
    connection?.cut();
  });
  const stopAuth = deviceAuth.onReady(again);

  function tell(text: string): void {
    if (text !== told) logger.warn(text);
    told = text;
  }

  function lost(reason: number, detail: string): void {
    if (reason === toldReason && !options.everyAttempt) return;
    toldReason = reason;
    options.events.closed(reason, detail);
  }

  function again(): void {
    if (!running || connection || stopRegistering) return;
    clock.clearTimer(timer);
    timer = clock.setTimer(0, attempt);
  }

  function retry(): void {
    if (!running) return;
    clock.clearTimer(timer);
    timer = clock.setTimer(retryMs, attempt);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  }

  /** Certificate and way to a host, or undefined when something stands in between. */
  function wayTo(host: string): Way | undefined {
    const credentials = deviceAuth.current();
    const route = network.up ? network.resolve(host, MQTT_PORT) : undefined;
    const obstacle = obstacleOf(options, host, credentials, route);
    if (!obstacle && credentials && route) return { credentials, route };
    tell(obstacle?.log ?? "");
    lost(REASON_NO_NETWORK, obstacle?.log ?? "");
    if (!obstacle?.wait) retry();
    return undefined;
  }

  function attempt(): void {
    if (!running || connection || stopRegistering) return;
    if ("idScope" in target) register(target.idScope);
    else open(target.hostName, options.deviceId);
  }

  function open(host: string, deviceId: string): void {
    hostName = host;
    const way = wayTo(host);
    if (!way) return;
    connection = openConnection({ ...way, hostName, deviceId, modelId: options.modelId, events });
  }

  /** Before each connection: the identity in the hub carries the certificate of the day. */
  function register(idScope: string): void {
    const way = wayTo(DPS_HOST);
    if (!way) return;
    const { deviceId, modelId } = options;
    const json = modelId === "" ? "" : JSON.stringify({ modelId });
    const request = { ...way, clock, hostName: DPS_HOST, idScope, json, registrationId: deviceId };
    stopRegistering = provision(request, (result, hub, assignedId, problem) => {
      stopRegistering = undefined;
      if (result === PROVISIONED) {
        logger.info(`assigned to ${hub}`);
        return open(hub, assignedId || deviceId);
      }
      tell(`no assignment: ${problem}`);
      lost(UNASSIGNED.get(result) ?? REASON_NO_NETWORK, problem);
      retry();
    });
  }

  function cutRegistration(): void {
    stopRegistering?.();
    stopRegistering = undefined;
  }

  timer = clock.setTimer(0, attempt);

  return {
    /** The connection while it is open. */
    get connection(): HubConnection | undefined {
      return connected ? connection : undefined;
    },
    async stop(): Promise<void> {
      running = false;
      connected = false;
      clock.clearTimer(timer);
      cutRegistration();
      stopNetwork();
      stopAuth();
      await connection?.end();
      connection = undefined;
    },
  };
}

/** Why no attempt makes sense now; `wait` when an event will come that changes it. */
export function obstacleOf(
  options: Pick<HubClientOptions, "tenantId" | "network" | "allowedConnections">,
  hostName: string,
  credentials: DeviceCredentials | undefined,
  route: Route | undefined,
): Obstacle | undefined {
  const { tenantId, network } = options;
  if (!options.allowedConnections.some((host) => host.toLowerCase() === hostName.toLowerCase())) {
    const log =
      `no connection to ${hostName}: it is not in AllowedConnections of app_manifest.json, ` +
      "so the firewall drops it";
    return { log, wait: false };
  }
  if (tenantId && !network.up) return { log: "no connection: the network is down", wait: true };
  const obstacle = authenticationObstacle(tenantId, credentials);
  if (obstacle) return obstacle;
  if (!route) return { log: `no connection: no server answers to ${hostName}`, wait: false };
  return undefined;
}

/** Why an app of that tenant has no certificate. */
export function authenticationObstacle(
  tenantId: string,
  credentials: DeviceCredentials | undefined,
): Obstacle | undefined {
  if (!tenantId) {
    const log =
      "no connection: the manifest has no DeviceAuthentication, so the app gets no certificate";
    return { log, wait: false };
  }
  if (!credentials) return { log: "waiting for device authentication", wait: true };
  if (credentials.tenantId.toLowerCase() !== tenantId.toLowerCase()) {
    const log =
      `no connection: DeviceAuthentication of the manifest names tenant ${tenantId}, ` +
      `the device belongs to ${credentials.tenantId}`;
    return { log, wait: false };
  }
  return undefined;
}
