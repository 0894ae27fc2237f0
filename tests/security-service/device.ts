import { randomUUID } from "node:crypto";
import type { PackagedProgram } from "../../host-sim/device/app.ts";
import { createBoard } from "../../host-sim/device/board.ts";
import { createDeviceAuth } from "../../host-sim/device/device-auth.ts";
import { createNetwork, type Route } from "../../host-sim/device/network.ts";
import { memoryStorage } from "../../host-sim/device/storage.ts";
import { createImageStore } from "../../host-sim/device/updates/image-store.ts";
import {
  createServiceClient,
  SERVICE_HOST,
  SERVICE_PORT,
} from "../../host-sim/device/updates/service-client.ts";
import { createUpdatingDevice } from "../../host-sim/device/updates/updating-device.ts";
import { createTrustStore } from "../../host-sim/imagepackage/index.ts";
import { createLogger, type LogLine } from "../../host-sim/log.ts";
import { answerChallenge, manufactureDevice } from "../../host-sim/security-service/index.ts";
import { openMemoryStore, type Store } from "../../host-sim/store/index.ts";
import { CA, makePackage, type TestPackage, type TestService } from "./support.ts";

export const FIELD_TEST = { product: "Fridge", group: "Field Test" };
export const EVALUATION = { product: "Fridge", group: "Field Test OS Evaluation" };

export interface DeviceOptions {
  readonly store?: Store;
  readonly manufactured?: ReturnType<typeof manufactureDevice>;
  readonly claim?: boolean;
  readonly group?: typeof FIELD_TEST;
  /** Certificate of the production signer that the device trusts; the service's when absent. */
  readonly trusts?: string;
  /** Stands in for the root that the device trusts. */
  readonly ca?: string;
  readonly appsToo?: () => boolean;
  readonly packagedProgram?: PackagedProgram;
  /** Servers beside the Security Service, as `name:port`. */
  readonly routes?: readonly (readonly [name: string, route: Route])[];
}

/** A device that asks the service over HTTPS, on the service's stepped clock. */
export function makeDevice(lab: TestService, options: DeviceOptions = {}) {
  const { service, clock, tenantId } = lab;
  const manufactured = options.manufactured ?? manufactureDevice();
  const { deviceId, attestationKey } = manufactured;
  const store = options.store ?? openMemoryStore();
  const lines: LogLine[] = [];
  const logger = createLogger(
    "device",
    () => clock.now(),
    (line) => lines.push(line),
  );
  if (!service.products.find(tenantId, "Fridge")) service.products.put(tenantId, "Fridge", "");
  if (options.claim !== false) service.devices.claim(tenantId, deviceId, options.group);
  const route = { host: "127.0.0.1", port: lab.port, ca: options.ca ?? CA };
  const own = [`${SERVICE_HOST}:${SERVICE_PORT}`, route] as const;
  const network = createNetwork({ routes: new Map([own, ...(options.routes ?? [])]) });
  const client = createServiceClient({
    ...{ clock, network, deviceId },
    answer: (nonce, publicKey) => answerChallenge(attestationKey, nonce, publicKey),
  });
  const deviceAuth = createDeviceAuth({ clock, logger, network, attest: client.attest });
  const storage = memoryStorage();
  const certificate = options.trusts ?? service.signing.productionCertificate;
  const device = createUpdatingDevice({
    ...{ clock, logger, deviceId, network, client, deviceAuth, store },
    board: createBoard("test board", [8, 12, 13], new Map()),
    storage: () => storage,
    trusted: createTrustStore([{ name: "production", certificate }]),
    flash: createImageStore(store, service.releases.first()),
    appsToo: options.appsToo,
    packagedProgram: options.packagedProgram,
  });

  /** Lets requests and what follows from them come to an end. */
  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      while (client.inFlight > 0) {
        quiet = 0;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }

  const log = () => lines.map(({ text }) => text);
  return {
    ...{ device, deviceId, manufactured, store, network, client, deviceAuth, settle, log },
    /** Lets lab time pass, timer by timer, with everything that they set off. */
    run: (ms: number) => clock.run(ms, settle),
    /** What the service knows of the device. */
    known: () => service.devices.get(tenantId, deviceId),
    /** Lines since the last call. */
    fresh: () => lines.splice(0).map(({ text }) => text),
    stop: () => device.stop(),
  };
}

export type FleetDevice = ReturnType<typeof makeDevice>;

/** Uploads an app and deploys it. @returns the image id */
export function deployApp(
  lab: TestService,
  options: Partial<TestPackage>,
  group = FIELD_TEST,
): string {
  const { service, tenantId } = lab;
  const imageId = options.imageId ?? randomUUID();
  const bytes = makePackage({ signer: lab.developer, ...options, imageId });
  service.images.upload(tenantId, { bytes });
  service.deployments.create(tenantId, group, [imageId]);
  return imageId;
}
