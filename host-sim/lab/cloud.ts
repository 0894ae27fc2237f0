import { join } from "node:path";
import type { Clock } from "../clock/index.ts";
import { SERVICE_HOST } from "../device/updates/service-client.ts";
import { createHub } from "../hub/hub.ts";
import { createMqttServer } from "../hub/mqtt/server.ts";
import type { TrustStore } from "../imagepackage/index.ts";
import type { Logger } from "../log.ts";
import { issueServerCertificate } from "../pki/index.ts";
import { createSecurityServer, createSecurityService } from "../security-service/index.ts";
import type { Address } from "../service.ts";
import { labServerRoot } from "./enrolment.ts";
import { labTrustStore } from "./signing-key.ts";
import type { LabState } from "./state.ts";
import { writeAtomically } from "./state-folder.ts";

export interface CloudOptions {
  readonly state: LabState;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hubName: string;
  readonly host: string;
  readonly mqttPort: number;
  readonly securityPort: number;
  /** Whose packages may be uploaded; those of the state folder's key when absent. */
  readonly developers?: () => TrustStore;
}

export type Cloud = Awaited<ReturnType<typeof startCloud>>;

/** The services behind the device: IoT Hub with its listener, and the Security Service. */
export async function startCloud(options: CloudOptions) {
  const { state, clock, logger, hubName, host } = options;
  const { store } = state;
  const hub = createHub({ hostName: hubName, store, clock, logger: logger.named("hub") });
  const service = createSecurityService({
    ...{ store, clock, logger: logger.named("service") },
    developers: options.developers ?? (() => labTrustStore(state.folder)),
  });
  const root = labServerRoot(store);
  const caFile = join(state.folder, "ca.pem");
  writeAtomically(caFile, root.certificate);
  const names = { dns: [hubName, "localhost", SERVICE_HOST], ip: ["127.0.0.1"] };
  const credentials = issueServerCertificate(root, names);
  const server = (port: number) => createMqttServer(hub, { host, port, credentials });
  let mqtt = server(options.mqttPort);
  const security = createSecurityServer(service, {
    ...{ host, port: options.securityPort, credentials },
  });
  const address: Address = await mqtt.start();
  const serviceAddress = await security.start().catch(async (error) => {
    await mqtt.stop();
    throw error;
  });
  return {
    hub,
    service,
    address,
    serviceAddress,
    /** Bearer tokens for the Security Service. */
    tokens: security.tokens,
    ca: root.certificate,
    caFile,
    /** All connections end; the port stays the same. */
    async restartHub(): Promise<void> {
      await mqtt.stop();
      mqtt = server(address.port);
      await mqtt.start();
    },
    async stop(): Promise<void> {
      await Promise.all([mqtt.stop(), security.stop()]);
    },
  };
}
