import type { Hub } from "../hub.ts";
import type { JsonObject } from "../json.ts";
import { twinJson } from "../views.ts";
import type { Source } from "./parse.ts";

/** What a query looks at: twins of devices or of modules, or the parts of jobs. */
export function identityRows(hub: Hub, source: Source): JsonObject[] {
  if (source === "devices.jobs") return hub.jobs.deviceRows();
  const devices = hub.devices.list();
  const identities =
    source === "devices"
      ? devices
      : devices.flatMap(({ deviceId }) => hub.devices.modulesOf(deviceId));
  return identities.map((identity) => twinJson(hub, identity));
}
