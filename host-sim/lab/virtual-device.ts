import type { Clock } from "../clock/index.ts";
import { type Board, createBoard } from "../device/board.ts";
import { createDeviceAuth, type DeviceAuth } from "../device/device-auth.ts";
import { DPS_HOST } from "../device/hub-client/registration.ts";
import { createNetwork } from "../device/network.ts";
import { createSphereOs } from "../device/sphere-os.ts";
import { createDeviceSystem } from "../device/system/system.ts";
import { type HardwareDefinition, manifestValue } from "../imagepackage/hardware-definition.ts";
import type { TrustStore } from "../imagepackage/index.ts";
import type { Manifest } from "../imagepackage/manifest.ts";
import type { Logger } from "../log.ts";
import { answerChallenge, type ManufacturedDevice } from "../security-service/index.ts";
import type { Cloud } from "./cloud.ts";
import { type OtherHub, staticDeviceAuth } from "./other-hub.ts";
import { productionTrust } from "./production-key.ts";
import { labTrustStore } from "./signing-key.ts";
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
  /** Whose packages the device takes for development; the state folder's key when absent. */
  readonly developers?: () => TrustStore;
}

/** A virtual MT3620 on the lab's network, or on the real one when it joins another hub. */
export function createVirtualDevice(options: VirtualDeviceOptions) {
  const { clock, logger, cloud, otherHub, manufactured } = options;
  const route = { ...cloud.addresses.mqtt, ca: cloud.ca };
  const deviceId = otherHub?.deviceId ?? manufactured.deviceId;
  const system = createDeviceSystem({ clock, store: options.state.store, deviceId });
  const names = otherHub ? [] : [cloud.hub.hostName, DPS_HOST];
  const network = createNetwork({
    link: system.link,
    routes: new Map(names.map((name) => [`${name}:${MQTT_PORT}`, route])),
    outside: otherHub !== undefined,
  });
  const tenantId = options.manifest.Capabilities.DeviceAuthentication ?? "";
  const deviceAuth: DeviceAuth = otherHub
    ? staticDeviceAuth(otherHub, tenantId)
    : createDeviceAuth({ clock, logger, network, attest: attestation(cloud, manufactured) });
  return createSphereOs({
    clock,
    logger,
    deviceId,
    board: boardOf(options.hardware),
    network,
    system,
    store: options.state.store,
    trust: {
      production: () => productionTrust(options.state.store),
      development: options.developers ?? (() => labTrustStore(options.state.folder)),
    },
    deviceAuth,
    storage: options.state.storage,
  });
}

/** The device proves to the Security Service that it is itself, and gets its certificate. */
function attestation({ service }: Cloud, { deviceId, attestationKey }: ManufacturedDevice) {
  return async (publicKey: Parameters<typeof answerChallenge>[2]) => {
    const nonce = service.nonce();
    const signature = answerChallenge(attestationKey, nonce, publicKey);
    return service.attest({ deviceId, nonce, publicKey, signature });
  };
}

/** The pins of a board, all of them, with the names that its hardware definition gives them. */
export function boardOf(hardware: HardwareDefinition): Board {
  const named = new Map<string, number>();
  for (const { Name: name, Type: type } of hardware.peripherals.values()) {
    const value = manifestValue(hardware, name);
    if (type === "Gpio" && typeof value === "number") named.set(name, value);
  }
  return createBoard(hardware.name, [...new Set(named.values())], named);
}
