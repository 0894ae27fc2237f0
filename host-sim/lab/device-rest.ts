import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { SphereOs } from "../device/sphere-os.ts";
import {
  createDeviceRestServer,
  createRecovery,
  type DeviceRestOptions,
  deviceAuthority,
  deviceCredentials,
  type RecoveryOptions,
} from "../device-rest/index.ts";
import type { Logger } from "../log.ts";
import type { Store } from "../store/index.ts";
import { writeAtomically } from "./state-folder.ts";

export interface DeviceRestRequest
  extends Pick<DeviceRestOptions, "host" | "port" | "apiVersion" | "outputPort" | "gdbPort"> {
  readonly os: SphereOs;
  readonly logger: Logger;
  /** What a recovery puts on the device. */
  readonly recovery: Pick<RecoveryOptions, "newest" | "installed">;
  /** `folder` gets the CA file. */
  readonly state: { readonly store: Store; readonly folder: string };
}

export type DeviceRest = Awaited<ReturnType<typeof startDeviceRest>>;

/** Starts the REST API of a device and writes its CA where clients can read it. */
export async function startDeviceRest(request: DeviceRestRequest) {
  const { state, recovery: recovered, ...options } = request;
  const authority = deviceAuthority(state.store);
  const ca = join(state.folder, "device-ca.pem");
  if (!holds(ca, authority.certificate)) writeAtomically(ca, authority.certificate);
  const credentials = deviceCredentials(authority, options.host);
  const server = createDeviceRestServer({ ...options, credentials });
  const { host, port } = await server.start();
  const recovery = createRecovery({ ...options, ...recovered });
  return {
    description: { address: host, port, ca, recovery: await recovery.start() },
    async stop() {
      await recovery.stop();
      await server.stop();
    },
  };
}

/** Devices of one lab share the file, and most of them find it as it has to be. */
const holds = (file: string, content: string): boolean =>
  existsSync(file) && readFileSync(file, "utf8") === content;
