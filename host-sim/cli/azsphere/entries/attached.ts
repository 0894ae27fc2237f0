import { RealClock, sleep } from "../../../clock/index.ts";
import { LabError } from "../../../errors.ts";
import { connect, type Device, deviceIdOf } from "../device.ts";
import { oneOf } from "../options.ts";
import { aligned } from "../output.ts";
import type { Context, Entry } from "../table.ts";

const RESTART_DEADLINE_MS = 120_000;
const POLL_MS = 100;
/** Those that a device can be moved on to. */
const STATES = ["Module1Complete", "DeviceComplete"];
const NO_DEVICES = "No attached devices";

/** Waits until a device that was told to restart is back. @throws LabError device-silent */
export async function waitForRestart(device: Device): Promise<void> {
  const clock = new RealClock();
  const deadline = clock.monotonic() + RESTART_DEADLINE_MS;
  // Its answer leaves first; what answers after this is the new incarnation.
  for (;;) {
    await sleep(clock, POLL_MS);
    const answer = await device.get<{ uptime: number }>("/status").catch(() => undefined);
    if (answer) return;
    if (clock.monotonic() > deadline) {
      throw new LabError(
        "device-silent",
        "The device is not responding after its restart.",
        "The lab's log says what the device does.",
      );
    }
  }
}

async function listAttached(context: Context) {
  const devices = await context.attached();
  return Promise.all(
    devices.map(async (each) => {
      const deviceId = await deviceIdOf(connect(each)).catch(() => undefined);
      return {
        deviceId: deviceId ?? null,
        ipAddress: each.address,
        connectionPath: each.path,
        isResponsive: deviceId !== undefined,
      };
    }),
  );
}

async function attached(context: Context) {
  const value = await listAttached(context);
  const count = value.length;
  const lines = value.flatMap(({ deviceId, ipAddress, connectionPath, isResponsive }) => [
    ` --> Device ID: ${deviceId ?? "unknown"}`,
    `   --> Is responsive: ${isResponsive ? "yes" : "no"}`,
    `   --> IP address: ${ipAddress}`,
    `   --> Connection path: ${connectionPath}`,
  ]);
  const head = `${count} ${count === 1 ? "device" : "devices"} attached:`;
  return { value, text: count === 0 ? NO_DEVICES : [head, ...lines] };
}

async function rescan(context: Context) {
  const service = context.terminal.env.SPHERULE_DEVICE_DISCOVERY;
  if (service) await fetch(`${service}/api/service/devices/rescan`, { method: "PUT" });
  return attached(context);
}

/** What is attached, and the device as a whole. */
export const attachedEntries: readonly Entry[] = [
  {
    words: "device list-attached",
    summary: "print all devices that are attached",
    examples: ["", "--output json"],
    run: attached,
  },
  {
    words: "device rescan-attached",
    summary: "look for attached devices again, and print them",
    examples: [""],
    run: rescan,
  },
  {
    words: "device show-attached",
    summary: "print id, address and connection path of the attached device",
    needs: ["device"],
    examples: ["", "--query deviceId --output tsv"],
    async run(context, given) {
      const device = await context.device(given);
      const deviceId = await deviceIdOf(device);
      const { address: ipAddress, path: connectionPath } = device;
      const rows: [string, string][] = [
        ["Device ID", deviceId],
        ["IP address", ipAddress],
        ["Connection path", connectionPath],
      ];
      return {
        value: { deviceId, ipAddress, connectionPath },
        text: rows.map(([name, value]) => `${name}: ${value}`),
      };
    },
  },
  {
    words: "device restart",
    summary: "restart the attached device, and wait until it is back",
    needs: ["device"],
    examples: ["", "--device 192.168.35.2"],
    async run(context, given) {
      const device = await context.device(given);
      context.say("Restarting device.");
      await device.send("POST", "/restart");
      await waitForRestart(device);
      return { text: "Device restarted successfully." };
    },
  },
  {
    words: "device show-os-version",
    summary: "print the version of the operating system on the attached device",
    needs: ["device"],
    examples: ["", "--query osversion --output tsv"],
    async run(context, given) {
      const device = await context.device(given);
      const value = await device.get<{ osversion: string }>("/osversion");
      return {
        value,
        text: `The attached device is running Azure Sphere OS version ${value.osversion}.`,
      };
    },
  },
  {
    words: "device manufacturing-state show",
    summary: "print how far the device is out of the factory",
    needs: ["device"],
    examples: ["", "--output json"],
    async run(context, given) {
      const device = await context.device(given);
      const value = await device.get<{ manufacturingState: string }>("/device/manufacturing_state");
      return { value, text: aligned([["Manufacturing state", value.manufacturingState]]) };
    },
  },
  {
    words: "device manufacturing-state update",
    summary: "move the device on; there is no way back",
    options: {
      "!-s, --manufacturing-state --state <state>": "Module1Complete or DeviceComplete",
    },
    needs: ["device"],
    examples: ["--manufacturing-state Module1Complete"],
    async run(context, given) {
      const manufacturingState = oneOf(given, "manufacturingState", STATES);
      const device = await context.device(given);
      await device.send("PUT", "/device/manufacturing_state", { manufacturingState });
      return { text: `Manufacturing state is now ${manufacturingState}.` };
    },
  },
];
