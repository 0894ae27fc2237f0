import { press } from "../device/board.ts";
import { LabError } from "../errors.ts";
import type { JsonObject } from "../hub/json.ts";
import type { Lab } from "../lab.ts";
import type { ApiHandler, ApiRequest, ApiRoutes } from "./api.ts";
import { badField, object, text } from "./body.ts";
import { deviceOff, type LabDevice } from "./lab-device.ts";
import { surroundingsRoutes } from "./surroundings.ts";
import type { VirtualDevice } from "./virtual-device.ts";

/** The device that `?deviceId=` names, or the first. @throws LabError device-unknown */
export function deviceOf({ devices }: Lab, query: URLSearchParams): LabDevice {
  const wanted = query.get("deviceId");
  const device = devices.find(({ deviceId }) => wanted === null || deviceId === wanted);
  if (device) return device;
  throw new LabError(
    "device-unknown",
    `No device ${wanted} runs in this lab.`,
    "`spherule status` lists the devices.",
  );
}

/** What somebody at the desk does to a device: `?deviceId=` names it, otherwise it is the first. */
export function deviceRoutes(lab: Lab): ApiRoutes {
  const running = (run: (os: VirtualDevice, request: ApiRequest) => unknown): ApiHandler => {
    return (request) => {
      const { os, powered, deviceId } = deviceOf(lab, request.query);
      if (!powered) throw deviceOff(deviceId);
      return run(os, request);
    };
  };
  return {
    ...surroundings(lab, running),
    "POST /device/power": (request) => setPower(deviceOf(lab, request.query), object(request)),
    "POST /device/restart": running((os) => os.startApp()),
    "POST /device/network": running((os, request) => {
      os.network.setUp(object(request).up !== false);
    }),
    "POST /device/press": running(async ({ board }, request) => {
      const name = text(object(request), "peripheral");
      const pin = board.find(name);
      if (pin === undefined) {
        throw new LabError(
          "peripheral-unknown",
          `${board.name} has no ${name}.`,
          "Its hardware definition lists the names.",
        );
      }
      await press(board, lab.clock, pin);
    }),
    "GET /device/updates": running((os) => os.updates?.status() ?? null),
    /** Looks for updates at once; the answer does not wait for an app that defers. */
    "POST /device/updates/check": running((os) => void os.updates?.check()),
  };
}

/** The routes of each device are made when somebody first asks for one of them. */
function surroundings(
  lab: Lab,
  running: (run: (os: VirtualDevice, request: ApiRequest) => unknown) => ApiHandler,
): ApiRoutes {
  const made = new WeakMap<VirtualDevice, ApiRoutes>();
  const routesOf = (os: VirtualDevice): ApiRoutes => {
    const routes = made.get(os) ?? surroundingsRoutes(os);
    made.set(os, routes);
    return routes;
  };
  const patterns = Object.keys(routesOf(lab.device));
  return Object.fromEntries(
    patterns.map((pattern) => [
      pattern,
      running((os, request) => routesOf(os)[pattern]?.(request)),
    ]),
  );
}

/** `{on}`; with `afterWrites` the power goes at the write to the flash after so many others. */
async function setPower(device: LabDevice, { on, afterWrites }: JsonObject): Promise<void> {
  if (typeof on !== "boolean") throw badField("on", "true or false");
  if (on) return device.powerOn();
  if (afterWrites === undefined) return device.cutPower();
  if (typeof afterWrites !== "number" || !Number.isInteger(afterWrites) || afterWrites < 0) {
    throw badField("afterWrites", "a whole number from 0");
  }
  if (!device.powered) throw deviceOff(device.deviceId);
  device.failPowerAfter(afterWrites);
}
