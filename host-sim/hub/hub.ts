import type { Clock } from "../clock/index.ts";
import type { Logger } from "../log.ts";
import type { Store } from "../store/index.ts";
import { createCloudToDevice } from "./c2d.ts";
import { createCertificates } from "./certificates.ts";
import { createConnections } from "./connections.ts";
import { createDevices } from "./devices.ts";
import { createEvents } from "./events.ts";
import { createRefusals } from "./refusals.ts";
import { createPolicies } from "./service/sas.ts";
import { createTwins } from "./twins.ts";

export interface HubOptions {
  /** The name that devices and services use, e.g. `lab.azure-devices.net`. */
  readonly hostName: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

export type Hub = ReturnType<typeof createHub>;

/** An IoT Hub without its listeners: registry, twins, queues, events and who is connected. */
export function createHub(options: HubOptions) {
  const { hostName, store, clock, logger } = options;
  const connections = createConnections(clock);
  const twins = createTwins(store, clock, (deviceId, patch) =>
    connections.get(deviceId)?.sendDesired(patch),
  );
  const c2d = createCloudToDevice(store, clock, (deviceId) =>
    connections.get(deviceId)?.deliverMessages(),
  );
  const devices = createDevices(store, clock, (deviceId) => {
    connections.get(deviceId)?.close("disabled-device", "The device was disabled or deleted.");
    if (store.get(`hub/devices/${deviceId}`)) return;
    twins.delete(deviceId);
    c2d.purge(deviceId);
  });
  return {
    hostName,
    clock,
    logger,
    devices,
    twins,
    c2d,
    connections,
    certificates: createCertificates(store, clock),
    events: createEvents(store, clock),
    refusals: createRefusals(clock, logger),
    policies: createPolicies(store, hostName),
  };
}
