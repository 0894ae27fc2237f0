import { delimiter, join } from "node:path";
import { packageFolder } from "../paths.ts";
import type { LabDescription } from "./description.ts";

/** The CommonJS file that leads the real names and ports of unchanged SDKs to the lab. */
export function redirectPreload(): string {
  return join(packageFolder(), "host-sim/hub/redirect/preload.cjs");
}

/**
 * What a client inside `spherule exec` gets: where the lab is, whom to trust, and a preload that lets
 * unchanged Node SDKs use the real host names and ports without root.
 */
export function clientEnvironment(
  lab: LabDescription,
  inherited: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const preload = `--require=${JSON.stringify(redirectPreload())}`;
  return {
    ...inherited,
    SPHERULE_API: lab.api,
    SPHERULE_DASHBOARD: lab.dashboard,
    SPHERULE_REDIRECTS: JSON.stringify(lab.redirects),
    IOTHUB_HOST: lab.hub.hostName,
    IOTHUB_CA_FILE: lab.caFile,
    IOTHUB_SERVICE_CONNECTION_STRING: lab.hub.serviceConnectionString,
    EVENTHUB_CONNECTION_STRING: lab.hub.eventHubConnectionString,
    DPS_HOST: lab.dps.hostName,
    DPS_ID_SCOPE: lab.dps.idScope,
    DPS_SERVICE_CONNECTION_STRING: lab.dps.serviceConnectionString,
    SPHERULE_DEVICE_REST: `https://${lab.deviceRest.address}:${lab.deviceRest.port}`,
    SPHERULE_DEVICE_CA: lab.deviceRest.ca,
    SPHERULE_DEVICE_DISCOVERY: `http://${lab.discovery.address}:${lab.discovery.port}`,
    SPHERULE_DEVICE_RECOVERY: lab.devices.map(({ recovery }) => recovery).join(","),
    SPHERULE_SECURITY_SERVICE: lab.securityService.url,
    SPHERULE_ARM_TOKEN: lab.securityService.token,
    NODE_EXTRA_CA_CERTS: lab.caFile,
    NODE_OPTIONS: [inherited.NODE_OPTIONS, preload].filter(Boolean).join(" "),
    PATH: [join(packageFolder(), "bin/path"), inherited.PATH].filter(Boolean).join(delimiter),
  };
}
