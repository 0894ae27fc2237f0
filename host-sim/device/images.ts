import { LabError } from "../errors.ts";
import {
  APPLICATION,
  BOARD_CONFIGURATION,
  FLASH_LIMIT,
  type Image,
  installRefusal,
  MANIFEST_FILE,
  type Manifest,
  readImage,
  sectionOf,
  type TrustStore,
  verifyImage,
  WASM_FILE,
} from "../imagepackage/index.ts";
import type { Logger } from "../log.ts";
import type { Store } from "../store/index.ts";
import type { AppImage } from "./app.ts";
import { type AppIdentity, type Applications, pinsOfManifest } from "./applications.ts";
import { DeviceError, ERRORS, refuseIf } from "./system/device-error.ts";
import { kept } from "./system/kept.ts";
import { ABI_VERSIONS } from "./system/os-release.ts";
import type { DeviceSystem } from "./system/system.ts";

/** Whose packages a device takes; asked for at each package. */
export interface ImageTrust {
  /** The Security Service: always. */
  production(): TrustStore;
  /** Developers: while the device has the application development capability. */
  development(): TrustStore;
}

export interface ImagesOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly system: DeviceSystem;
  readonly applications: Applications;
  readonly trust: ImageTrust;
}

interface Staged {
  readonly bytes: Uint8Array;
  readonly image: Image;
}

export type Images = ReturnType<typeof createImages>;

/** A capability image: its payload names a device and what that device may do from now on. */
export const CAPABILITY_COMPONENT = "5b1c9a34-7c1f-4e7b-9a36-0c4d2e8f7a61";
/** The debug server that comes with application development. */
export const DEBUG_SERVER_COMPONENT = "dc7f135c-6074-4d49-aa3a-160e4eed884f";
const OTHER = 28;
const NO_COMPONENT = /^[0-]+$/;
const PACKAGES = "device/packages/";
const ABI_NAMES = [undefined, "SecureWorldRuntime", "OSRuntime", "ApplicationRuntime"] as const;
/** What every WebAssembly module begins with. */
const WASM_MAGIC = Buffer.from("\0asm");

/** Image packages on their way into the device: staged, then installed; and out of it again. */
export function createImages(options: ImagesOptions) {
  const { store, logger, system, applications, trust } = options;
  const { manufacturing, interfaces } = system;
  const board = kept<AppIdentity | null>(store, "board-configuration", () => null);
  const staged = new Map<string, Staged>();

  /** @throws DeviceError imageNotTrusted, permission */
  function requireTrust(bytes: Uint8Array, image: Image): void {
    const capability = isCapability(image);
    const production = verifyImage(bytes, trust.production()).verdict === "valid";
    const developer = manufacturing.mayDevelop && !capability;
    const good =
      production || (developer && verifyImage(bytes, trust.development()).verdict === "valid");
    // A locked device takes nothing but what unlocks it.
    refuseIf(manufacturing.locked && !capability, ERRORS.permission, "forbidden");
    refuseIf(!good, ERRORS.imageNotTrusted);
    if (capability) capabilitiesOf(image);
  }

  /** @throws DeviceError imageNotTrusted when the image is for another device */
  function capabilitiesOf({ payload }: Image): number[] {
    try {
      const { deviceId, capabilities } = JSON.parse(Buffer.from(payload).toString("utf8"));
      const numbers = Array.isArray(capabilities) && capabilities.every(Number.isInteger);
      if (deviceId === system.deviceId && numbers) return capabilities;
    } catch {
      // Signed, and yet no capability image: the same refusal.
    }
    throw new DeviceError(ERRORS.imageNotTrusted);
  }

  /** Flash for packages, as if everything that is staged were installed. */
  function requireSpace(next: Image): void {
    const sizes = new Map(
      applications.list().map(({ componentId, bytes }) => [componentId, bytes]),
    );
    for (const { image } of staged.values()) sizes.set(image.componentId, image.size);
    sizes.set(next.componentId, next.size);
    const sum = [...sizes.values()].reduce((total, bytes) => total + bytes, 0);
    refuseIf(sum > FLASH_LIMIT, ERRORS.noFreeSpace);
  }

  /** Everything that speaks against an installation, found before anything is changed. */
  function checkAll(start: boolean): void {
    const taken = new Set<number>();
    for (const { image } of staged.values()) {
      if (image.imageType !== APPLICATION) continue;
      const others = applications.pinsInUse(...staged.keys());
      requireManifest(image, start ? new Set([...others, ...taken]) : undefined);
      for (const pin of pinsOfManifest(loaded(image).manifest)) taken.add(pin);
    }
  }

  async function installOne({ bytes, image }: Staged, start: boolean): Promise<boolean> {
    if (isCapability(image)) {
      manufacturing.setCapabilities(capabilitiesOf(image));
      return true;
    }
    if (image.imageType === BOARD_CONFIGURATION) {
      board.set(identityOf(image));
      interfaces.setEthernet(describesEthernet(image.payload));
      return true;
    }
    await installApplication(bytes, image, start);
    return false;
  }

  async function installApplication(bytes: Uint8Array, image: Image, start: boolean) {
    const { componentId } = image;
    if (applications.find(componentId)?.imageId === image.imageId) {
      if (start) await applications.start(componentId);
      return;
    }
    const app = loaded(image);
    if (app.wasm === undefined) {
      const why = `it has no ${WASM_FILE}, and the lab does not execute ARM code`;
      logger.warn(`${image.name} is installed but does nothing: ${why}`);
    }
    store.put(PACKAGES + componentId, Buffer.from(bytes).toString("base64"));
    await applications.install(identityOf(image), app, start);
    if (app.manifest.ApplicationType === "Debugger") manufacturing.setDebugServer(true);
  }

  return {
    get anyStaged(): boolean {
      return staged.size > 0;
    },
    isStaged: (componentId: string): boolean => staged.has(componentId),
    get boardConfiguration(): AppIdentity | undefined {
      return board.value ?? undefined;
    },
    /** Takes a package in; it is not installed yet. @throws DeviceError */
    stage(bytes: Uint8Array): void {
      const image = read(bytes);
      requireTrust(bytes, image);
      requireKind(image);
      requireAbi(image);
      requireSpace(image);
      staged.set(image.componentId, { bytes: Uint8Array.from(bytes), image });
      system.log.add("info", "staged", [
        { type: "guid", value: image.componentId },
        { type: "guid", value: image.imageId },
        { type: "integer", value: image.imageType },
      ]);
    },
    /**
     * Installs all that is staged, or nothing of it: what is refused is dropped.
     * @param start whether applications start at once
     * @returns whether the device has to restart
     */
    async install(start: boolean): Promise<boolean> {
      const all = [...staged.values()];
      try {
        checkAll(start);
      } finally {
        staged.clear();
      }
      let restart = false;
      for (const each of all) restart = (await installOne(each, start)) || restart;
      return restart;
    },
    /** @returns whether the device has to restart. What is not there is no mistake. */
    async remove(componentId: string): Promise<boolean> {
      manufacturing.requireDevelopment();
      if (board.value?.componentId === componentId) {
        board.set(null);
        interfaces.setEthernet(false);
        return true;
      }
      const debuggers = [DEBUG_SERVER_COMPONENT, ...debuggersAmong(applications)];
      if (debuggers.includes(componentId)) manufacturing.setDebugServer(false);
      store.delete(PACKAGES + componentId);
      await applications.remove(componentId);
      return false;
    },
    /** Forgets a package whose place something else takes. */
    forget: (componentId: string): void => store.delete(PACKAGES + componentId.toLowerCase()),
    /** What was staged and not installed does not outlive a restart. */
    dropStaged: (): void => staged.clear(),
    /** Brings back what was installed when the process ended; nothing is started. */
    restore(): void {
      for (const [, text] of store.entries<string>(PACKAGES)) {
        const image = readImage(Buffer.from(text, "base64"));
        applications.restore(identityOf(image), loaded(image));
      }
    },
  };
}

/** @throws DeviceError notAPackage */
function read(bytes: Uint8Array): Image {
  try {
    return readImage(bytes);
  } catch (error) {
    if (error instanceof LabError) throw new DeviceError(ERRORS.notAPackage);
    throw error;
  }
}

/** @throws DeviceError invalidComponentId, imagePermission */
function requireKind(image: Image): void {
  refuseIf(NO_COMPONENT.test(image.componentId), ERRORS.invalidComponentId);
  const kinds = [APPLICATION, BOARD_CONFIGURATION];
  refuseIf(!kinds.includes(image.imageType) && !isCapability(image), ERRORS.imagePermission);
}

const isCapability = ({ imageType, componentId }: Image): boolean =>
  imageType === OTHER && componentId === CAPABILITY_COMPONENT;

/** @throws DeviceError installFailed when the image needs a newer system */
function requireAbi({ sections }: Image): void {
  for (const { version, type } of sectionOf(sections, "AbiDepends")?.abis ?? []) {
    const name = ABI_NAMES[type];
    refuseIf(name !== undefined && version > ABI_VERSIONS[name], ERRORS.installFailed);
  }
}

/** @throws DeviceError with the number of what is wrong in the manifest */
function requireManifest(image: Image, pinsInUse: ReadonlySet<number> | undefined): void {
  const text = manifestText(image);
  if (text === undefined) throw new DeviceError(ERRORS.manifestMissing);
  const files = image.files.map(({ path }) => path);
  const refusal = installRefusal(text, { files, pinsInUse });
  if (refusal) throw new DeviceError(refusal.code);
  const { ComponentId: component } = JSON.parse(text.replace(/^\uFEFF/, "")) as Manifest;
  const same = String(component).toLowerCase() === image.componentId;
  refuseIf(!same, ERRORS.invalidComponentId);
}

function manifestText({ files }: Image): string | undefined {
  const file = files.find(({ path }) => path === MANIFEST_FILE);
  return file && Buffer.from(file.content).toString("utf8");
}

/** The app inside a package, with the code that the lab can run, if it has such. */
function loaded(image: Image): AppImage {
  const manifest = JSON.parse((manifestText(image) ?? "").replace(/^\uFEFF/, "")) as Manifest;
  const entry = image.files.find(({ path }) => `/${path}` === manifest.EntryPoint);
  const isWasm = entry && Buffer.from(entry.content).subarray(0, 4).equals(WASM_MAGIC);
  const wasm = image.files.find(({ path }) => path === WASM_FILE) ?? (isWasm ? entry : undefined);
  return {
    manifest: { ...manifest, CmdArgs: manifest.CmdArgs ?? [] },
    ...(wasm ? { wasm: Uint8Array.from(wasm.content) } : {}),
  };
}

function identityOf({ componentId, imageId, name, size, sections }: Image): AppIdentity {
  const compression = sectionOf(sections, "Compression");
  const uncompressedBytes = compression?.uncompressedSize ?? size;
  return { componentId, imageId, name, bytes: size, uncompressedBytes };
}

/** A board configuration is a device tree; the published ones for Ethernet name the ENC28J60. */
function describesEthernet(deviceTree: Uint8Array): boolean {
  return /enc28j60|ethernet/i.test(Buffer.from(deviceTree).toString("latin1"));
}

const debuggersAmong = (applications: Applications): string[] =>
  applications
    .firewalled()
    .filter(({ manifest }) => manifest.ApplicationType === "Debugger")
    .map(({ manifest }) => manifest.ComponentId.toLowerCase());
