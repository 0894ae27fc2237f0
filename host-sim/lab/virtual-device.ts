import type { Clock } from "../clock/index.ts";
import type { AppImage } from "../device/app.ts";
import { type Board, createBoard } from "../device/board.ts";
import { createDeviceAuth } from "../device/device-auth.ts";
import { createNetwork } from "../device/network.ts";
import { createSphereOs, type SphereOs } from "../device/sphere-os.ts";
import {
  createServiceClient,
  SERVICE_HOST,
  SERVICE_PORT,
} from "../device/updates/service-client.ts";
import type { Updater } from "../device/updates/updater.ts";
import { createUpdatingDevice } from "../device/updates/updating-device.ts";
import { type HardwareDefinition, manifestValue } from "../imagepackage/hardware-definition.ts";
import { createTrustStore } from "../imagepackage/index.ts";
import type { Manifest } from "../imagepackage/manifest.ts";
import type { Logger } from "../log.ts";
import { answerChallenge, type ManufacturedDevice } from "../security-service/index.ts";
import type { Cloud } from "./cloud.ts";
import { type OtherHub, staticDeviceAuth } from "./other-hub.ts";
import type { LabState } from "./state.ts";

const MQTT_PORT = 8883;

export interface VirtualDeviceOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: LabState;
  readonly cloud: Cloud;
  readonly manufactured: ManufacturedDevice;
  readonly hardware: HardwareDefinition;
  readonly manifest: Manifest;
  readonly otherHub?: OtherHub;
  /** Lab time between two checks for updates; a day when absent. */
  readonly checkEveryMs?: number;
}

/** The lab's device: a Sphere OS, with updates over the air unless it joins another hub. */
export interface VirtualDevice extends Omit<SphereOs, "start"> {
  /** Starts the system with this app. */
  start(app: AppImage): Promise<void>;
  readonly updates?: Updater;
}

/** A virtual MT3620 on the lab's network, or on the real one when it joins another hub. */
export function createVirtualDevice(options: VirtualDeviceOptions): VirtualDevice {
  return options.otherHub ? joinedDevice(options, options.otherHub) : labDevice(options);
}

/** What the device is, wherever it connects to. */
function hardwareOf({ clock, logger, hardware, state }: VirtualDeviceOptions) {
  return { clock, logger, board: boardOf(hardware), storage: state.storage };
}

/** Another hub's certificate comes from outside, and nobody there updates the device. */
function joinedDevice(options: VirtualDeviceOptions, otherHub: OtherHub): VirtualDevice {
  const tenantId = options.manifest.Capabilities.DeviceAuthentication ?? "";
  const os = createSphereOs({
    ...hardwareOf(options),
    deviceId: otherHub.deviceId,
    network: createNetwork({ routes: new Map(), outside: true }),
    deviceAuth: staticDeviceAuth(otherHub, tenantId),
  });
  return {
    ...os,
    async start(app) {
      os.start();
      await os.install(app);
    },
  };
}

function labDevice(options: VirtualDeviceOptions): VirtualDevice {
  const { clock, logger, cloud, manufactured, state } = options;
  const { deviceId, attestationKey } = manufactured;
  const { ca, service } = cloud;
  const network = createNetwork({
    routes: new Map([
      [`${cloud.hub.hostName}:${MQTT_PORT}`, { ...cloud.address, ca }],
      [`${SERVICE_HOST}:${SERVICE_PORT}`, { ...cloud.serviceAddress, ca }],
    ]),
  });
  const answer: Parameters<typeof createServiceClient>[0]["answer"] = (nonce, publicKey) =>
    answerChallenge(attestationKey, nonce, publicKey);
  const client = createServiceClient({ clock, network, deviceId, answer });
  const { productionCertificate: certificate } = service.signing;
  return createUpdatingDevice({
    ...hardwareOf(options),
    ...{ deviceId, network, client, store: state.store },
    deviceAuth: createDeviceAuth({ clock, logger, network, attest: client.attest }),
    trusted: createTrustStore([{ name: "the lab's Security Service", certificate }]),
    factoryOs: service.releases.first(),
    checkEveryMs: options.checkEveryMs,
  });
}

function boardOf(hardware: HardwareDefinition): Board {
  const named = new Map<string, number>();
  for (const { Name: name, Type: type } of hardware.peripherals.values()) {
    const value = manifestValue(hardware, name);
    if (type === "Gpio" && typeof value === "number") named.set(name, value);
  }
  return createBoard(hardware.name, [...new Set(named.values())], named);
}
