import type { SphereOs } from "../../device/sphere-os.ts";
import { DeviceError, ERRORS, refuseIf } from "../../device/system/device-error.ts";
import type { DebugPorts } from "../debug-ports.ts";
import { fieldsOf } from "../fields.ts";
import { development, Later, type RestRequest, type Routes, unlocked } from "../request.ts";

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @throws DeviceError unreadableComponentId */
export function componentOf({ parameters }: RestRequest): string {
  const { component = "" } = parameters;
  refuseIf(!GUID.test(component), ERRORS.unreadableComponentId);
  return component.toLowerCase();
}

/** Applications: state, start, stop, debug, storage and memory. */
export function applicationRoutes(os: SphereOs, debugPorts: DebugPorts): Routes {
  const { applications, system } = os;
  /** Other requests need not wait for a program that is still built. */
  const launched = (component: string, answer: () => object) =>
    new Later(applications.launched(component).then(answer));
  const state = (component: string) => ({ state: applications.state(component) });

  async function debug(component: string) {
    refuseIf(!applications.find(component), ERRORS.appNotPresent, "conflict");
    refuseIf(!system.manufacturing.debugServer, ERRORS.noDebugServer);
    const realTimeCore = applications.realTimeCore(component);
    if (realTimeCore !== undefined) {
      await applications.debug(component);
      return { state: "debugging", realTimeCore };
    }
    const { gate, ...ports } = await debugPorts.open(component);
    try {
      await applications.debug(component, gate);
    } catch (error) {
      await debugPorts.stop();
      throw error;
    }
    const { gdbPort, outPort } = ports;
    return launched(component, () => ({ ...state(component), gdbPort, outPort }));
  }

  async function trigger(component: string, name: string) {
    if (name === "startDebug") return debug(component);
    if (name === "stop") {
      await applications.stop(component);
      return state(component);
    }
    if (name !== "start") throw new DeviceError(ERRORS.unknownTrigger);
    await applications.start(component);
    return launched(component, () => state(component));
  }

  return {
    "GET /app/status/{component}": unlocked((request) => ({
      state: applications.state(componentOf(request)),
    })),
    "PATCH /app/status/{component}": unlocked((request) => {
      const component = componentOf(request);
      const name = fieldsOf(request).text("trigger");
      system.manufacturing.requireDevelopment();
      return trigger(component, name);
    }),
    "GET /app/quota/{component}": unlocked((request) => applications.quota(componentOf(request))),
    "GET /stats/memory/groups/applications": development(() => {
      const { bytes, peakBytes } = applications.memory();
      return {
        memoryStats: {
          currentMemoryUsageInBytes: bytes,
          peakUserModeMemoryUsageInBytes: peakBytes,
          userModeMemoryUsageInBytes: bytes,
        },
      };
    }),
  };
}
