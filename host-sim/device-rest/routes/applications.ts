import type { SphereOs } from "../../device/sphere-os.ts";
import { DeviceError, ERRORS, refuseIf } from "../../device/system/device-error.ts";
import { type DebugPort, GDB_PORT } from "../debug-port.ts";
import { fieldsOf } from "../fields.ts";
import { development, type RestRequest, type Routes, unlocked } from "../request.ts";

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @throws DeviceError unreadableComponentId */
export function componentOf({ parameters }: RestRequest): string {
  const { component = "" } = parameters;
  refuseIf(!GUID.test(component), ERRORS.unreadableComponentId);
  return component.toLowerCase();
}

/** Applications: state, start, stop, debug, storage and memory. */
export function applicationRoutes(os: SphereOs, debugPort: DebugPort): Routes {
  const { applications, system } = os;

  async function debug(component: string) {
    refuseIf(!applications.find(component), ERRORS.appNotPresent, "conflict");
    refuseIf(!system.manufacturing.debugServer, ERRORS.noDebugServer);
    const realTimeCore = applications.realTimeCore(component);
    if (realTimeCore !== undefined) {
      await applications.debug(component);
      return { state: "debugging", realTimeCore };
    }
    const outPort = await debugPort.open(component);
    try {
      await applications.debug(component);
    } catch (error) {
      await debugPort.stop();
      throw error;
    }
    return { state: "debugging", gdbPort: GDB_PORT, outPort };
  }

  async function trigger(component: string, name: string) {
    if (name === "startDebug") return debug(component);
    if (name === "start") await applications.start(component);
    else if (name === "stop") await applications.stop(component);
    else throw new DeviceError(ERRORS.unknownTrigger);
    return { state: applications.state(component) };
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
