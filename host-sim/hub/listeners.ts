import type { Server } from "node:net";
import { type Clock, RealClock } from "../clock/index.ts";
import type { ServerCredentials } from "../pki/index.ts";
import type { Address, Service } from "../service.ts";
import { createAmqpAcceptor, createAmqpEndpoint } from "./amqp/endpoint.ts";
import type { Dps } from "./dps/dps.ts";
import { createRegistrationEndpoint } from "./dps/mqtt.ts";
import { enrollmentGroupRoutes, managedDps, registrationGroup } from "./dps/routes.ts";
import type { Hub } from "./hub.ts";
import { createAcceptor } from "./mqtt/acceptor.ts";
import { createMqttServer } from "./mqtt/server.ts";
import { deviceGroup } from "./service/device-routes.ts";
import { createHttpsEndpoint, type RouteGroup } from "./service/endpoint.ts";
import { serviceGroup } from "./service/group.ts";
import { jobRoutes } from "./service/job-routes.ts";
import { leftOutRoutes } from "./service/left-out.ts";
import { managedHub } from "./service/managed-hub.ts";
import { managementGroup } from "./service/management-routes.ts";
import { registryRoutes } from "./service/registry-routes.ts";
import { twinRoutes } from "./service/twin-routes.ts";
import type { OnTlsProblem } from "./tls-problems.ts";
import { createWebSockets } from "./web-sockets.ts";

/** What listens: `plainAmqp` is AMQP without TLS, for clients with `UseDevelopmentEmulator`. */
export const LISTENERS = ["mqtt", "https", "amqp", "plainAmqp"] as const;
export type ListenerName = (typeof LISTENERS)[number];

export interface ListenerOptions {
  readonly hub: Hub;
  readonly dps?: Dps;
  readonly host: string;
  readonly credentials: ServerCredentials;
  /** 0, any free port, for what is not named. */
  readonly ports?: Partial<Readonly<Record<ListenerName, number>>>;
  /** Times keep-alive; real time when absent. */
  readonly transportClock?: Clock;
  /** Is given the server of the MQTT endpoint when it listens. */
  onMqttListening?(server: Server): void;
}

export type ListenerAddresses = Readonly<Record<ListenerName, Address>>;

export interface Listeners {
  start(): Promise<ListenerAddresses>;
  /** Ends all connections; when it returns they have noted their end in the store. */
  stop(): Promise<void>;
}

/** All endpoints of a hub and its provisioning service. */
export function createListeners(options: ListenerOptions): Listeners {
  const { hub, dps, host, credentials, ports = {}, transportClock = new RealClock() } = options;
  const at = (name: ListenerName) => ({ host, port: ports[name] ?? 0 });
  const mqtt = createAcceptor({
    hubs: dps?.hubs ?? [hub],
    registrations: dps && createRegistrationEndpoint(dps, transportClock),
    transportClock,
  });
  const amqp = createAmqpAcceptor(hub, transportClock);
  const webSockets = createWebSockets(mqtt, amqp);
  const { onUpgrade } = webSockets;
  const groups = routeGroups(hub, dps);
  const onTlsProblem = tlsProblemsOf(hub);
  const services: Readonly<Record<ListenerName, Service>> = {
    mqtt: createMqttServer(mqtt, {
      ...{ ...at("mqtt"), credentials, transportClock, onTlsProblem },
      onListening: options.onMqttListening,
    }),
    https: createHttpsEndpoint({ ...at("https"), credentials, groups, onUpgrade, onTlsProblem }),
    amqp: createAmqpEndpoint(amqp, { ...at("amqp"), credentials, onTlsProblem }),
    plainAmqp: createAmqpEndpoint(amqp, { ...at("plainAmqp"), onTlsProblem }),
  };
  return {
    async start() {
      const entries: [ListenerName, Address][] = [];
      for (const name of LISTENERS) entries.push([name, await services[name].start()]);
      return Object.fromEntries(entries) as ListenerAddresses;
    },
    async stop() {
      await webSockets.stop();
      await Promise.all(LISTENERS.map((name) => services[name].stop()));
      await hub.events.flush();
    },
  };
}

/** A handshake that failed is kept like a refused connection. */
export function tlsProblemsOf({ refusals }: Hub): OnTlsProblem {
  return (address, detail) => refusals.add({ deviceId: "", address, reason: "tls-failed", detail });
}

function routeGroups(hub: Hub, dps: Dps | undefined): RouteGroup[] {
  const service = {
    ...registryRoutes(hub),
    ...twinRoutes(hub),
    ...jobRoutes(hub),
    ...leftOutRoutes,
  };
  const resources = [managedHub(hub), ...(dps ? [managedDps(dps)] : [])];
  return [
    deviceGroup(hub),
    serviceGroup(hub, service),
    managementGroup(resources),
    ...(dps ? [enrollmentGroupRoutes(dps), registrationGroup(dps)] : []),
  ];
}
