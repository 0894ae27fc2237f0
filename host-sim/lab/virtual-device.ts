import type { Clock } from "../clock/index.ts";
import type { AppImage, PackagedProgram } from "../device/app.ts";
import { type Board, createBoard } from "../device/board.ts";
import { createDeviceAuth } from "../device/device-auth.ts";
import { DPS_HOST } from "../device/hub-client/provision.ts";
import { createNetwork, type Route } from "../device/network.ts";
import { createSphereOs, type SphereOs } from "../device/sphere-os.ts";
import type { AccessPoint } from "../device/system/air.ts";
import { type OsRelease, osRelease } from "../device/system/os-release.ts";
import { createDeviceSystem } from "../device/system/system.ts";
import { createImageStore, type ImageStore } from "../device/updates/image-store.ts";
import {
  createServiceClient,
  SERVICE_HOST,
  SERVICE_PORT,
} from "../device/updates/service-client.ts";
import type { Updater } from "../device/updates/updater.ts";
import { createUpdatingDevice } from "../device/updates/updating-device.ts";
import { type HardwareDefinition, manifestValue } from "../imagepackage/hardware-definition.ts";
import { createTrustStore, type TrustStore } from "../imagepackage/index.ts";
import type { Manifest } from "../imagepackage/manifest.ts";
import type { Logger } from "../log.ts";
import { answerChallenge, type ManufacturedDevice } from "../security-service/index.ts";
import type { Store } from "../store/index.ts";
import type { Cloud } from "./cloud.ts";
import { type Identity, MQTT_PORT, type OtherHub, staticDeviceAuth } from "./other-hub.ts";
import type { DeviceState } from "./state.ts";

export interface VirtualDeviceOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What this device keeps. */
  readonly state: DeviceState;
  /** Where the surroundings are kept that all devices share. */
  readonly surroundings: Store;
  /** What its radio hears; the made-up neighbourhood when absent. */
  readonly accessPoints?: readonly AccessPoint[];
  readonly cloud: Cloud;
  readonly manufactured: ManufacturedDevice;
  readonly hardware: HardwareDefinition;
  readonly manifest: Manifest;
  readonly otherHub?: OtherHub;
  /** Whose packages the device takes for development. */
  readonly developers: () => TrustStore;
  readonly packagedProgram?: PackagedProgram;
  /** Lab time between two checks for updates; a day when absent. */
  readonly checkEveryMs?: number;
}

/** The lab's device: a Sphere OS, with updates over the air unless its identity is from outside. */
export interface VirtualDevice extends SphereOs {
  /** Starts the system with this app. */
  begin(app: AppImage): Promise<void>;
  /** Starts it with the app that came over the air, or with this one when there is none. */
  wake(app: AppImage | undefined): Promise<void>;
  readonly updates?: Updater;
  /** What came over the air; absent in a device from outside, which nobody updates. */
  readonly flash?: ImageStore;
  /** A release of the service, as the device has it. */
  releaseOf(published: PublishedRelease): OsRelease;
}

interface PublishedRelease {
  readonly version: string;
  readonly images: readonly { readonly componentId: string; readonly imageId: string }[];
}

/** The parts of a release, with the ids of the images that the Security Service gave. */
function releaseOf({ version, images }: PublishedRelease): OsRelease {
  const ids = new Map(images.map((each) => [each.componentId, each.imageId]));
  const components = osRelease(version).components.map((component) => ({
    ...component,
    imageId: ids.get(component.componentId) ?? component.imageId,
  }));
  return { version, components };
}

/** A virtual MT3620 on the lab's network, or on the real one when its identity is from outside. */
export function createVirtualDevice(options: VirtualDeviceOptions): VirtualDevice {
  const { otherHub } = options;
  return otherHub?.identity
    ? outsideDevice(options, otherHub, otherHub.identity)
    : labDevice(options);
}

/** What the device is, wherever it connects to. */
function hardwareOf(options: VirtualDeviceOptions) {
  const { clock, logger, hardware, state, cloud } = options;
  const { signing, releases } = cloud.service;
  const { productionCertificate: certificate } = signing;
  const production = createTrustStore([{ name: "the lab's Security Service", certificate }]);
  const flash = createImageStore(state.store, releases.first());
  return {
    ...{ clock, logger, flash, store: state.store, storage: state.storage },
    packagedProgram: options.packagedProgram,
    board: boardOf(hardware),
    trusted: production,
    trust: {
      production: () => production,
      development: options.developers,
    },
    /** The release that runs, with the ids of the images that the Security Service gave. */
    release: () => releaseOf({ version: flash.osVersion(), images: flash.installed() }),
  };
}

/** The device of another hub's owner, whom the lab's Security Service does not know. */
function outsideDevice(
  options: VirtualDeviceOptions,
  otherHub: OtherHub,
  identity: Identity,
): VirtualDevice {
  const { deviceId } = identity;
  const { release, ...hardware } = hardwareOf(options);
  const system = systemOf(options, deviceId, release);
  const tenantId = options.manifest.Capabilities.DeviceAuthentication ?? "";
  const os = createSphereOs({
    ...hardware,
    ...{ deviceId, system },
    network: createNetwork({
      ...{ link: system.link, outside: true },
      routes: new Map([routeTo(otherHub)]),
    }),
    deviceAuth: staticDeviceAuth(identity, tenantId),
  });
  async function wake(app: AppImage | undefined): Promise<void> {
    os.start();
    if (app) await os.install(app);
  }
  return Object.assign(os, { releaseOf, begin: wake, wake });
}

/** The computer's own roots are trusted there. */
const routeTo = ({ hostName, port }: OtherHub) =>
  [`${hostName}:${MQTT_PORT}`, { host: hostName, port }] as const;

function systemOf(options: VirtualDeviceOptions, deviceId: string, release: () => OsRelease) {
  const { clock, state, surroundings, accessPoints } = options;
  const { store } = state;
  return createDeviceSystem({ clock, store, surroundings, accessPoints, deviceId, release });
}

function labDevice(options: VirtualDeviceOptions): VirtualDevice {
  const { clock, logger, cloud, manufactured, otherHub } = options;
  const { deviceId, attestationKey } = manufactured;
  const { ca, hub, addresses, serviceAddress } = cloud;
  const { release, ...hardware } = hardwareOf(options);
  const system = systemOf(options, deviceId, release);
  const mqtt = { ...addresses.mqtt, ca };
  const network = createNetwork({
    link: system.link,
    routes: new Map<string, Route>([
      otherHub ? routeTo(otherHub) : [`${hub.hostName}:${MQTT_PORT}`, mqtt],
      [`${DPS_HOST}:${MQTT_PORT}`, mqtt],
      [`${SERVICE_HOST}:${SERVICE_PORT}`, { ...serviceAddress, ca }],
    ]),
  });
  const answer: Parameters<typeof createServiceClient>[0]["answer"] = (nonce, publicKey) =>
    answerChallenge(attestationKey, nonce, publicKey);
  const client = createServiceClient({ clock, network, deviceId, answer });
  const device = createUpdatingDevice({
    ...hardware,
    ...{ deviceId, network, client, system },
    deviceAuth: createDeviceAuth({ clock, logger, network, attest: client.attest }),
    checkEveryMs: options.checkEveryMs,
    appsToo: () => !system.manufacturing.mayDevelop,
  });
  return Object.assign(device, { releaseOf });
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
