import { REASON_NO_NETWORK } from "../../../assembly/sphere/host/abi.ts";
import type { Clock, TimerHandle } from "../../clock/index.ts";
import type { Logger } from "../../log.ts";
import type { DeviceAuth, DeviceCredentials } from "../device-auth.ts";
import type { Network, Route } from "../network.ts";
import { type ConnectionEvents, type HubConnection, openConnection } from "./connection.ts";

export interface HubClientOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly network: Network;
  readonly deviceAuth: DeviceAuth;
  readonly deviceId: string;
  readonly hostName: string;
  /** The manifest's `AllowedConnections`. */
  readonly allowedConnections: readonly string[];
  /** The manifest's `DeviceAuthentication`: a tenant, or empty without the capability. */
  readonly tenantId: string;
  readonly modelId: string;
  readonly events: ConnectionEvents;
}

export type HubClient = ReturnType<typeof createHubClient>;

export const MQTT_PORT = 8883;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/** Something that only an edit of the manifest can change is told once, not at every attempt. */
type Obstacle = { readonly log: string; readonly wait: boolean };

/** Keeps a device connected: waits for what is missing, connects, and connects again. */
export function createHubClient(options: HubClientOptions) {
  const { clock, logger, network, deviceAuth, hostName } = options;
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
    if (!up) connection?.cut();
    else again();
  });
  const stopAuth = deviceAuth.onReady(again);

  function tell(text: string): void {
    if (text !== told) logger.warn(text);
    told = text;
  }

  /** The app hears of a reason when it changes, not at every attempt. */
  function lost(reason: number, detail: string): void {
    if (reason === toldReason) return;
    toldReason = reason;
    options.events.closed(reason, detail);
  }

  function again(): void {
    if (!running || connection) return;
    clock.clearTimer(timer);
    timer = clock.setTimer(0, attempt);
  }

  function retry(): void {
    if (!running) return;
    clock.clearTimer(timer);
    timer = clock.setTimer(retryMs, attempt);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  }

  function attempt(): void {
    if (!running || connection) return;
    const credentials = deviceAuth.current();
    const route = network.up ? network.resolve(hostName, MQTT_PORT) : undefined;
    const obstacle = obstacleOf(options, credentials, route);
    if (obstacle || !credentials || !route) {
      tell(obstacle?.log ?? "");
      lost(REASON_NO_NETWORK, obstacle?.log ?? "");
      if (!obstacle?.wait) retry();
      return;
    }
    const { deviceId, modelId } = options;
    connection = openConnection({ route, hostName, deviceId, modelId, credentials, events });
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
      stopNetwork();
      stopAuth();
      await connection?.end();
      connection = undefined;
    },
  };
}

/** Why no attempt makes sense now; `wait` when an event will come that changes it. */
export function obstacleOf(
  options: Pick<HubClientOptions, "hostName" | "tenantId" | "network" | "allowedConnections">,
  credentials: DeviceCredentials | undefined,
  route: Route | undefined,
): Obstacle | undefined {
  const { hostName, tenantId, network } = options;
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
