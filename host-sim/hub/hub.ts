import type { Clock } from "../clock/index.ts";
import type { Logger } from "../log.ts";
import type { Store } from "../store/index.ts";
import { type CloudToDevice, createCloudToDevice, type QueuedMessage } from "./c2d.ts";
import { type Certificates, createCertificates } from "./certificates.ts";
import { type Configurations, createConfigurations } from "./configurations.ts";
import { type Connections, createConnections } from "./connections.ts";
import { type ConsumerGroups, createConsumerGroups } from "./consumer-groups.ts";
import { createDevices, type Devices } from "./devices.ts";
import { createEvents, type Events } from "./events.ts";
import {
  createFeedback,
  type Feedback,
  type FeedbackRecord,
  type FeedbackStatus,
} from "./feedback.ts";
import { createJobs, type Job, type Jobs } from "./jobs.ts";
import { isObject, type Json } from "./json.ts";
import { createLimits, type LimitOptions, type Limits } from "./limits.ts";
import { callMethod, methodCall } from "./methods.ts";
import { createPeers, type Peers } from "./peers.ts";
import { runQuery } from "./query/query.ts";
import { createRefusals, type Refusals } from "./refusals.ts";
import { createPolicies, type Policies } from "./service/sas.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { createSettings, type Settings } from "./settings.ts";
import { createTwins, type Twins } from "./twins.ts";
import { twinJson } from "./views.ts";

export interface HubOptions {
  /** The name that devices and services use, e.g. `lab.azure-devices.net`. */
  readonly hostName: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Throttles and quotas of a tier; none when absent. */
  readonly limits?: LimitOptions;
  /** The other processes of this hub; none when absent. */
  readonly peers?: Peers;
  /** What runs at times of its own, such as jobs, is another process's. */
  readonly onlyDevices?: boolean;
}

export interface Hub {
  readonly hostName: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly devices: Devices;
  readonly twins: Twins;
  readonly c2d: CloudToDevice;
  readonly feedback: Feedback;
  readonly connections: Connections;
  readonly events: Events;
  readonly consumerGroups: ConsumerGroups;
  readonly configurations: Configurations;
  readonly jobs: Jobs;
  readonly certificates: Certificates;
  readonly refusals: Refusals;
  readonly policies: Policies;
  readonly limits: Limits;
  readonly settings: Settings;
  readonly sessions: Sessions;
  /** Keeps what is under way; the listeners are stopped before. */
  stop(): Promise<void>;
}

/** An IoT Hub without its listeners: registry, twins, queues, events and who is connected. */
export function createHub(options: HubOptions): Hub {
  const { hostName, store, clock, logger } = options;
  const peers = options.peers ?? createPeers("main", true);
  peers.before(() => store.refresh());
  const connections = createConnections(clock, peers);
  const settings = createSettings(store);
  const sessions = createSessions(store);
  const feedback = createFeedback(store, clock, peers);
  const twins = createTwins(store, clock, (id, patch) => connections.get(id)?.sendDesired(patch));
  const devices: Devices = createDevices(store, clock, {
    onRemoved: (id) =>
      connections.get(id)?.close("disabled-device", "The device was disabled or deleted."),
    onDeleting: (id) => {
      twins.delete(id);
      sessions.delete(id);
      c2d.purge(id);
    },
  });
  const c2d = createCloudToDevice(store, clock, {
    settings,
    isCurrent: connections.isCurrent,
    onQueued: (deviceId) => connections.get(deviceId)?.deliverMessages(),
    onSettled: (deviceId, message, status) => {
      if (!wantsFeedback(message, status)) return;
      const generation = devices.find(deviceId)?.generationId ?? "";
      feedback.add(feedbackRecord(clock.now(), deviceId, generation, message, status));
    },
  });
  const events = createEvents(store, clock, peers);
  const configurations = createConfigurations(store, clock, {
    twins: () => devices.list().map((device) => twinJson(hub, device)),
    patch: (deviceId, desired) => void twins.patch(deviceId, { desired }),
    count: (query) => runQuery(hub, query).rows.length,
    logger,
  });
  const jobs = createJobs(store, clock, {
    targets: (condition) => targetsOf(hub, condition),
    run: (job, deviceId) => runJob(hub, job, deviceId),
  });
  const hub: Hub = {
    hostName,
    store,
    clock,
    logger,
    devices,
    twins,
    c2d,
    feedback,
    connections,
    events,
    consumerGroups: createConsumerGroups(store),
    configurations,
    jobs,
    settings,
    sessions,
    certificates: createCertificates(store, clock),
    refusals: createRefusals(clock, logger, peers),
    policies: createPolicies(store, hostName),
    limits: createLimits(clock, logger, options.limits),
    async stop(): Promise<void> {
      await events.flush();
      devices.stop();
      c2d.stop();
      feedback.stop();
      jobs.stop();
      configurations.stop();
    },
  };
  if (options.onlyDevices) return hub;
  jobs.start();
  configurations.start();
  return hub;
}

/** The devices that a job's condition means; `*` or nothing is all. */
function targetsOf(hub: Hub, condition: string): string[] {
  const where = condition === "" || condition === "*" ? "" : ` WHERE ${condition}`;
  return runQuery(hub, `SELECT * FROM devices${where}`).rows.map((row) => String(row.deviceId));
}

async function runJob(hub: Hub, job: Job, deviceId: string): Promise<Json> {
  if (job.type === "scheduleDeviceMethod") {
    const call = methodCall(job.cloudToDeviceMethod ?? {});
    return { deviceMethodResponse: await callMethod(hub, deviceId, call) };
  }
  const { tags, properties } = job.updateTwin ?? {};
  const desired = isObject(properties) ? properties.desired : undefined;
  hub.twins.patch(deviceId, { tags, desired });
  return {};
}

function wantsFeedback({ ack }: QueuedMessage, status: FeedbackStatus): boolean {
  return ack === "full" || ack === (status === "Success" ? "positive" : "negative");
}

function feedbackRecord(
  time: number,
  deviceId: string,
  deviceGenerationId: string,
  message: QueuedMessage,
  statusCode: FeedbackStatus,
): FeedbackRecord {
  return {
    originalMessageId: message.messageId,
    description: statusCode === "Success" ? "Success" : `Message was not delivered: ${statusCode}`,
    deviceGenerationId,
    deviceId,
    enqueuedTimeUtc: new Date(time).toISOString(),
    statusCode,
  };
}
