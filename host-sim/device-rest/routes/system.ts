import type { SphereOs } from "../../device/sphere-os.ts";
import { ABI_VERSIONS } from "../../device/system/os-release.ts";
import { fieldsOf } from "../fields.ts";
import { open, Reply, type Routes, unlocked } from "../request.ts";

/** The device as a whole: what it is, restart, log and error reports. */
export function systemRoutes({ deviceId, system }: SphereOs): Routes {
  const { manufacturing, errorReports, log, release } = system;
  return {
    "GET /abi_versions": open(() => ABI_VERSIONS),
    "GET /status": open(() => ({ uptime: system.uptime })),
    "GET /osversion": open(() => ({ osversion: release().version })),
    "GET /device/security_state": open(() => ({
      securityState: "SECURE",
      deviceIdentifier: deviceId,
      deviceIdentityPublicKey: deviceId,
    })),
    "GET /device/capabilities": open(() => ({
      device_capabilities: manufacturing.capabilities,
    })),
    "GET /device/manufacturing_state": open(() => ({ manufacturingState: manufacturing.state })),
    "PUT /device/manufacturing_state": unlocked((request) => {
      manufacturing.advance(fieldsOf(request).text("manufacturingState"));
      return {};
    }),
    "POST /restart": unlocked(() => new Reply({ restartingSystem: true }, { restart: true })),
    "GET /log": unlocked(() => log.bytes()),
    "GET /telemetry": unlocked(() => errorReports.bytes()),
    "DELETE /telemetry": unlocked(() => {
      errorReports.clear();
      return {};
    }),
  };
}
