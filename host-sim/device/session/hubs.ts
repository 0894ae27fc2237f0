import type { Logger } from "../../log.ts";
import {
  authenticationObstacle,
  createHubClient,
  type HubClient,
  type HubClientOptions,
  MQTT_PORT,
  obstacleOf,
} from "../hub-client/client.ts";
import { provision, TRANSPORT_FAILED } from "../hub-client/provision.ts";

/** What all connections of one run have in common. */
export type HubsOptions = Omit<HubClientOptions, "target" | "modelId" | "events">;

type HubRequest = Pick<HubClientOptions, "modelId" | "events"> & { readonly hostName: string };

/**
 * The connections of an app that makes them itself, as a native process does: one after the other, each
 * with its own client. A reason that lasts over several of them is told once.
 */
export function createHubs(options: HubsOptions) {
  const clients = new Set<HubClient>();
  const endings = new Set<Promise<void>>();
  const teller = quietLogger(options.logger);

  function disconnect(client: HubClient): void {
    if (!clients.delete(client)) return;
    const ending = client.stop().finally(() => endings.delete(ending));
    endings.add(ending);
  }

  return {
    /** Connects as soon as it can, and again until `disconnect`. */
    connect(request: HubRequest): HubClient {
      const events = {
        ...request.events,
        connected() {
          teller.forget();
          request.events.connected();
        },
      };
      const { hostName, modelId } = request;
      const client = createHubClient({
        ...options,
        ...{ target: { hostName }, modelId, events, logger: teller.logger, everyAttempt: true },
      });
      clients.add(client);
      return client;
    },
    disconnect,
    /** @returns what ends the registration early */
    provision(
      request: { hostName: string; idScope: string; json: string },
      done: (result: number, hub: string, deviceId: string) => void,
    ): () => void {
      const { clock, network, deviceAuth, deviceId } = options;
      const credentials = deviceAuth.current();
      const route = network.up ? network.resolve(request.hostName, MQTT_PORT) : undefined;
      const obstacle = obstacleOf(options, request.hostName, credentials, route);
      if (!obstacle && credentials && route) {
        const common = { clock, registrationId: deviceId, route, credentials };
        return provision({ ...request, ...common }, (result, hub, id, problem) => {
          if (problem) teller.logger.warn(`no provisioning by ${request.hostName}: ${problem}`);
          done(result, hub, id);
        });
      }
      teller.logger.warn(obstacle?.log ?? "");
      const timer = clock.setTimer(0, () => done(TRANSPORT_FAILED, "", ""));
      return () => clock.clearTimer(timer);
    },
    networkReady(): boolean {
      if (!options.network.up) teller.logger.warn("no connection: the network is down");
      return options.network.up;
    },
    /** Whether this app's tenant has a certificate on this device that is valid. */
    deviceAuthReady(): boolean {
      const obstacle = authenticationObstacle(options.tenantId, options.deviceAuth.current());
      if (obstacle) teller.logger.warn(obstacle.log);
      return !obstacle;
    },
    get connected(): boolean {
      return [...clients].some((client) => client.connection !== undefined);
    },
    async end(): Promise<void> {
      for (const client of clients) disconnect(client);
      await Promise.all(endings);
    },
  };
}

/** Passes a warning on only when it differs from the last. */
function quietLogger(logger: Logger): { logger: Logger; forget(): void } {
  let told = "";
  const warn = (text: string) => {
    if (text !== told) logger.warn(text);
    told = text;
  };
  return {
    logger: { ...logger, warn },
    forget() {
      told = "";
    },
  };
}
