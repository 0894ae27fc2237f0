import type { StoredMessage } from "../../../host-sim/hub/events.ts";
import type { Authority } from "../../../host-sim/pki/index.ts";
import { createSoakDevice, type SoakDevice } from "./soak-device.ts";

/** The hub under test, wherever it runs. */
export interface SoakHub {
  /** Where devices connect, and the root they trust there. */
  readonly target: { readonly port: number; readonly serverRoot: string };
  readonly hostName: string;
  readonly authority: Authority;
  /** Queues a message for a device. */
  send(deviceId: string, text: string): Promise<unknown>;
  /** What is stored from a sequence number on. */
  read(from: number): Iterable<StoredMessage>;
  /** Comes when all is acknowledged, and may put an end to the hub. */
  beforeLastRead?(): Promise<void>;
  /** Milliseconds since the epoch from which new certificates hold. */
  now(): number;
}

export interface SoakOptions {
  readonly deviceIds: readonly string[];
  /** Whether a device starts another connection. */
  goesOn(device: SoakDevice): boolean;
  /** Longest pause between two actions of a device; in milliseconds. */
  readonly longestPauseMs: number;
  readonly random: () => number;
}

export interface SoakCounts {
  readonly devices: number;
  readonly connects: number;
  readonly renewals: number;
  readonly telemetryAcknowledged: number;
  readonly telemetryStored: number;
  readonly telemetryRepeated: number;
  readonly messagesSent: number;
  readonly messagesReceived: number;
  readonly messagesRepeated: number;
  /** Sentences; empty when all went well. */
  readonly problems: readonly string[];
}

const READ_EVERY_MS = 1_000;
const MOST_OUTSTANDING = 20;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Devices that come and go, each with a new certificate, send telemetry and get messages. What was
 * acknowledged has to be there in the end, and in order for each device.
 */
export async function soak(hub: SoakHub, options: SoakOptions): Promise<SoakCounts> {
  const devices = options.deviceIds.map((deviceId) => createSoakDevice(hub, deviceId));
  const stored = createStoredCheck(hub, devices);
  let done = false;
  const reading = (async () => {
    while (!done) {
      stored.read();
      await pause(READ_EVERY_MS);
    }
  })();
  await Promise.all(devices.map((device) => live(hub, device, options)));
  await Promise.all(devices.map((device) => device.settle()));
  done = true;
  await reading;
  await hub.beforeLastRead?.();
  return counts(devices, stored);
}

async function live(hub: SoakHub, device: SoakDevice, options: SoakOptions): Promise<void> {
  const { random, longestPauseMs, goesOn } = options;
  await pause(random() * longestPauseMs);
  while (goesOn(device)) {
    await device.connect();
    for (let left = 2 + Math.floor(random() * 12); left > 0 && goesOn(device); left--) {
      device.publish();
      if (random() < 0.3 && device.outstanding < MOST_OUTSTANDING) {
        await hub.send(device.deviceId, device.nextText());
      }
      device.acknowledges = random() < 0.9;
      await pause(random() * longestPauseMs);
    }
    // A third stays open, and the hub has to close it for the next connection.
    const end = random();
    if (end < 0.4) {
      // What was written a moment ago may be stored without the device knowing.
      for (let more = 0; more < 3; more++) device.publish();
      device.drop();
    } else if (end < 0.7) device.disconnect();
  }
}

/** Reads along what the hub keeps: it keeps so many messages and no more. */
function createStoredCheck(hub: SoakHub, devices: readonly SoakDevice[]) {
  const numbers = new Map(devices.map(({ deviceId }) => [deviceId, 0]));
  const problems: string[] = [];
  let next = 0;
  let repeated = 0;
  return {
    problems,
    total: () => next,
    repeated: () => repeated,
    countOf: (deviceId: string) => numbers.get(deviceId) ?? 0,
    read(): void {
      for (const { deviceId, body, properties, sequenceNumber } of hub.read(next)) {
        if (sequenceNumber !== next) problems.push(`${next} to ${sequenceNumber} were not there`);
        next = sequenceNumber + 1;
        const number = Number(Buffer.from(body, "base64").toString());
        const expected = numbers.get(deviceId) ?? 0;
        if (number === expected) numbers.set(deviceId, expected + 1);
        else if (number > expected) {
          problems.push(`${deviceId}: ${number} is stored before ${expected}`);
        } else {
          repeated += 1;
          if (!("mqtt-dup" in properties)) problems.push(`${deviceId}: ${number} is stored twice`);
        }
      }
    },
  };
}

function counts(
  devices: readonly SoakDevice[],
  stored: ReturnType<typeof createStoredCheck>,
): SoakCounts {
  stored.read();
  const sum = (of: (device: SoakDevice) => number) =>
    devices.reduce((total, device) => total + of(device), 0);
  const lost = devices.flatMap((device) => {
    const count = stored.countOf(device.deviceId);
    const { deviceId, published } = device;
    return count === published ? [] : [`${deviceId}: ${count} of ${published} are stored`];
  });
  return {
    devices: devices.length,
    connects: sum((device) => device.connects),
    renewals: sum((device) => device.connects - 1),
    telemetryAcknowledged: sum((device) => device.published),
    telemetryStored: stored.total(),
    telemetryRepeated: stored.repeated(),
    messagesSent: sum((device) => device.sent),
    messagesReceived: sum((device) => device.received),
    messagesRepeated: sum((device) => device.repeated),
    problems: [...stored.problems, ...devices.flatMap((device) => device.problems), ...lost],
  };
}
