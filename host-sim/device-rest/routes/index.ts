import type { SphereOs } from "../../device/sphere-os.ts";
import type { DebugPorts } from "../debug-ports.ts";
import type { Routes } from "../request.ts";
import { applicationRoutes } from "./applications.ts";
import { certificateRoutes } from "./certificates.ts";
import { imageRoutes } from "./images.ts";
import { networkRoutes } from "./network.ts";
import { systemRoutes } from "./system.ts";
import { wifiRoutes } from "./wifi.ts";

/** All operations of the device REST API. */
export function deviceRoutes(os: SphereOs, debugPorts: DebugPorts): Routes {
  return {
    ...systemRoutes(os),
    ...imageRoutes(os),
    ...applicationRoutes(os, debugPorts),
    ...certificateRoutes(os),
    ...networkRoutes(os),
    ...wifiRoutes(os),
  };
}
