import { awaitConsent } from "../../host-sim/device/updates/consent.ts";
import { APP_UPDATE } from "../../host-sim/device/updates/events.ts";
import type { TestDevice } from "./support.ts";

/** What a thermometer that may defer updates has in its manifest, beside what all have. */
export const MAY_DEFER = { SystemEventNotifications: true, SoftwareUpdateDeferral: true };

/** Calls a direct method of the device's app, with JSON as its payload. */
export async function invoke(device: TestDevice, methodName: string, payload = "") {
  const times = { responseTimeoutMs: 3_600_000, connectTimeoutMs: 3_600_000 };
  let answer: { status: number; payload: string } | undefined;
  device.lab?.hub.connections
    .invoke(device.deviceId, { methodName, payload, ...times })
    .then((given) => {
      answer = given as typeof answer;
    });
  await device.until(() => answer);
  return answer as NonNullable<typeof answer>;
}

/** An update of the app waits for it: the operating system's own part, without any download. */
export function announceUpdate(device: TestDevice) {
  const { clock, updates: events } = device;
  let deferrals = 0;
  const stopping = new AbortController();
  let granted = false;
  const consent = awaitConsent({
    ...{ clock, events, updateType: APP_UPDATE, signal: stopping.signal },
    onDeferred: (deferred) => {
      if (deferred) deferrals += 1;
    },
  });
  consent.then(
    () => {
      granted = true;
    },
    () => {},
  );
  return {
    /** How often the app has put it off. */
    deferrals: () => deferrals,
    /** Whether the app has to end now. */
    granted: () => granted,
    withdraw: () => stopping.abort(new Error("no update any more")),
  };
}

/** An app in a process has a time of its own: the lab's stands still while it works. */
export async function logged(device: TestDevice, line: string): Promise<void> {
  while (!device.log().includes(line)) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** What an app sent at the end of a recording. */
export const recordings = (device: TestDevice) =>
  device.telemetry().filter(({ properties }) => properties?.kind === "recording");

/**
 * A recording of an hour, an update that comes meanwhile, and the end of the recording by hand: the
 * same in every body.
 */
export async function updateDuringRecording(device: TestDevice) {
  const started = await invoke(device, "startRecording", "60");
  const update = announceUpdate(device);
  await logged(device, "update deferred for 60 min");
  await device.until(update.deferrals);
  await device.until(() => device.telemetry().length > 0);
  const early = update.granted();
  const stopped = await invoke(device, "stopRecording");
  await device.until(update.granted);
  await device.os.stopApp();
  await device.until(() => device.log().includes("goodbye"));
  return { started, stopped, early, deferrals: update.deferrals() };
}

/** How that goes. */
export const ONE_DEFERRAL = {
  started: { status: 200, payload: '"recording"' },
  stopped: { status: 200, payload: '"recording ended"' },
  early: false,
  deferrals: 1,
};
