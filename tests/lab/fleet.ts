import { randomUUID } from "node:crypto";
import { createTrustStore, readImage, resolveManifest } from "../../host-sim/imagepackage/index.ts";
import { readHardware } from "../../host-sim/lab/app-image.ts";
import type { LabDevice } from "../../host-sim/lab/lab-device.ts";
import { startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { newSigningKey } from "../../host-sim/security-service/index.ts";
import { compileFixture } from "../assembly/support.ts";
import { COMPONENT, makePackage } from "../security-service/support.ts";

const HUB = "fleet-lab.azure-devices.net";
const TENANT = "c5d7a3f2-8a6e-4b0e-9d3c-1f2e3d4c5b6a";
const GROUP = { product: "Fleet", group: "Field Test" };
const CAPABILITIES = {
  AllowedConnections: [HUB],
  DeviceAuthentication: TENANT,
  MutableStorage: { SizeKB: 16 },
};

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until the condition holds; says what it waited for when it does not. */
export async function until(what: string, ms: number, condition: () => boolean): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`after ${ms} ms there is still no ${what}`);
    await pause(10);
  }
}

/** The same numbers from 0 to 1 for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What the hub got from one device: the version of the app by the number of the message. */
type Received = Map<number, string>;

/** A lab with so many devices that run version `v0` of an app that numbers its messages. */
export async function startFleet(options: { devices: number; stateFolder?: string }) {
  const { wasm } = await compileFixture("fleet", "release");
  const hardware = readHardware(packageFolder());
  const signer = newSigningKey("a developer", 0);
  const received = new Map<string, Received>();
  const newest = new Map<string, string>();
  const manifest = resolveManifest(
    {
      ...{
        SchemaVersion: 1 as const,
        Name: "Fleet",
        ComponentId: COMPONENT,
        EntryPoint: "/bin/app",
      },
      ...{ CmdArgs: ["--Hostname", HUB, "v0"], Capabilities: CAPABILITIES },
      ApplicationType: "Default" as const,
    },
    hardware,
  );
  const lab = await startLab({
    ...options,
    app: { manifest, hardware, wasm, file: "" },
    developers: () => createTrustStore([{ name: "a developer", certificate: signer.certificate }]),
    onEvent: (event) => {
      if (event.type !== "telemetry") return;
      const { deviceId, body } = event.message as { deviceId: string; body: string };
      const { version, number } = JSON.parse(Buffer.from(body, "base64").toString("utf8"));
      const messages: Received = received.get(deviceId) ?? new Map();
      received.set(deviceId, messages.set(number, version));
      newest.set(deviceId, version);
    },
  });
  const { service, devices } = lab;
  service.products.put(TENANT, GROUP.product, "");
  for (const { deviceId, os } of devices) {
    service.devices.assign(TENANT, deviceId, GROUP);
    // Devices for development get no apps over the air.
    os.system.manufacturing.setCapabilities([]);
  }
  const images = new Map<string, string>();

  return {
    ...{ lab, devices, received },
    /** Waits until the hub has telemetry of this version from all devices. */
    reporting: (version: string, ms: number): Promise<void> =>
      until(`telemetry of ${version} from all`, ms, () =>
        devices.every(({ deviceId }) => newest.get(deviceId) === version),
      ),
    /** Uploads a version and deploys it to all; nobody is told yet. */
    deploy(version: string): void {
      const imageId = randomUUID();
      const args = ["--Hostname", HUB, version];
      const capabilities = CAPABILITIES;
      const bytes = makePackage({ signer, imageId, wasm, args, capabilities, name: "Fleet" });
      service.images.upload(TENANT, { bytes });
      service.deployments.create(TENANT, GROUP, [imageId]);
      images.set(version, imageId);
    },
    /** Lets all devices that have power look for updates now. */
    check(): void {
      for (const { powered, os } of devices) if (powered) void os.updates?.check();
    },
    /** The version that the flash of a device holds, whole; v0 is the one of the cable. */
    versionIn: (device: LabDevice): string => versionIn(device, images),
    /** What is wrong with what the hub got; empty when nothing is lost. */
    gaps: (): string[] =>
      [...received].flatMap(([deviceId, messages]) => gapsIn(deviceId.slice(0, 8), messages)),
    stop: () => lab.stop(),
  };
}

export type Fleet = Awaited<ReturnType<typeof startFleet>>;

/** @throws Error when the flash holds anything else than one whole app */
function versionIn({ os }: LabDevice, images: ReadonlyMap<string, string>): string {
  const deployed = os.flash?.deployed() ?? [];
  if (deployed.length === 0) return "v0";
  if (deployed.length > 1) throw new Error(`${deployed.length} apps in one flash`);
  const [{ imageId, bytes } = { imageId: "", bytes: new Uint8Array(0) }] = deployed;
  if (readImage(bytes).imageId !== imageId) throw new Error(`${imageId} is another image`);
  const installed = os.flash?.installed().filter((image) => image.componentId === COMPONENT);
  if (installed?.length !== 1) throw new Error(`${installed?.length} images of the app`);
  const found = [...images].find(([, id]) => id === imageId);
  if (!found) throw new Error(`nobody deployed ${imageId}`);
  return found[0];
}

/** Numbers without a gap from 0 on, and versions that never go back. */
function gapsIn(name: string, messages: Received): string[] {
  const problems: string[] = [];
  let last = 0;
  for (let number = 0; number < messages.size; number++) {
    const version = messages.get(number);
    if (version === undefined) return [...problems, `${name}: message ${number} is lost`];
    const edition = Number(version.slice(1));
    if (edition < last) problems.push(`${name}: ${version} sent ${number} after v${last}`);
    last = edition;
  }
  return problems;
}

export interface Interruptions {
  readonly count: number;
  /** The interrupted updates: after so many, all devices get the next version. */
  readonly perVersion: number;
  readonly random: () => number;
  readonly report?: (text: string) => void;
}

/** Versions that an interrupted device had in its flash, by how often. */
export type Tally = Record<"before" | "after", number>;

/**
 * Updates the fleet again and again while devices lose their power at random moments, half of them
 * in the middle of their writes, and come back from what their flash holds.
 * @throws Error when a device is found between two versions, or never comes back
 */
export async function interrupt(fleet: Fleet, options: Interruptions): Promise<Tally> {
  const { count, perVersion, random, report } = options;
  const tally: Tally = { before: 0, after: 0 };
  for (let round = 0; round * perVersion < count; round++) {
    const [before, after] = [`v${round + 1}`, `v${round + 2}`];
    fleet.deploy(after);
    fleet.check();
    const cuts = Math.min(perVersion, count - round * perVersion);
    for (let cut = 0; cut < cuts; cut++) {
      const found = await cutOne(fleet, after, random);
      if (found !== before && found !== after)
        throw new Error(`${found}, not ${before} or ${after}`);
      tally[found === after ? "after" : "before"] += 1;
    }
    await fleet.reporting(after, 60_000);
    report?.(`all have ${after}, ${cuts} lost their power meanwhile`);
    for (const device of fleet.devices) {
      if (fleet.versionIn(device) !== after) throw new Error("telemetry and flash differ");
    }
  }
  await until("end of the gaps", 20_000, () => fleet.gaps().length === 0).catch((error) => {
    throw new Error(`${error.message}\n${fleet.gaps().join("\n")}`);
  });
  return tally;
}

/** @returns the version that the device had in its flash when it had lost its power */
async function cutOne({ devices, versionIn }: Fleet, after: string, random: () => number) {
  await pause(random() * 40);
  const waiting = devices.filter((device) => versionIn(device) !== after);
  const among = waiting.length > 0 && random() < 0.8 ? waiting : devices;
  const device = among[Math.floor(random() * among.length)] as LabDevice;
  if (random() < 0.5) {
    device.failPowerAfter(Math.floor(random() * 5));
    // A device that is just coming up may not write for a while; then the power goes anyway.
    await until("write that finds no power", 2_000, () => !device.powered).catch(() => {});
  } else {
    await pause(random() * 60);
  }
  await device.cutPower();
  const version = versionIn(device);
  await pause(random() * 30);
  await device.powerOn();
  return version;
}
