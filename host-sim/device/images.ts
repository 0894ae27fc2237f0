import {
  APPLICATION,
  BOARD_CONFIGURATION,
  buildsDiffer,
  FLASH_LIMIT,
  type Image,
  readImage,
  WASM_FILE,
} from "../imagepackage/index.ts";
import type { Logger } from "../log.ts";
import type { Store } from "../store/index.ts";
import type { PackagedProgram } from "./app.ts";
import { type AppIdentity, type Applications, pinsOfManifest } from "./applications.ts";
import {
  capabilitiesOf,
  codeMismatch,
  describesEthernet,
  type ImageTrust,
  identityOf,
  isCapability,
  loaded,
  readPackage,
  requireAbi,
  requireKind,
  requireManifest,
  requireTrust,
} from "./package-check.ts";
import { DeviceError, ERRORS, refuseIf } from "./system/device-error.ts";
import { kept } from "./system/kept.ts";
import type { DeviceSystem } from "./system/system.ts";

export type { ImageTrust } from "./package-check.ts";

export interface ImagesOptions {
  readonly store: Store;
  readonly logger: Logger;
  readonly system: DeviceSystem;
  readonly applications: Applications;
  readonly trust: ImageTrust;
  /** Makes programs of the code of packages; V8 runs their wasm when absent. */
  readonly packagedProgram?: PackagedProgram;
  /** Whether an update over the air is on its way into the device. */
  readonly otaInProgress: () => boolean;
}

interface Staged {
  readonly bytes: Uint8Array;
  readonly image: Image;
}

export type Images = ReturnType<typeof createImages>;

/** The debug server that comes with application development. */
export const DEBUG_SERVER_COMPONENT = "dc7f135c-6074-4d49-aa3a-160e4eed884f";
const PACKAGES = "device/packages/";

/** Image packages on their way into the device: staged, then installed; and out of it again. */
export function createImages(options: ImagesOptions) {
  const { store, logger, system, applications, trust } = options;
  const { manufacturing, interfaces } = system;
  const board = kept<AppIdentity | null>(store, "board-configuration", () => null);
  const staged = new Map<string, Staged>();

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
    const taken = new Map<number, string>();
    for (const { image } of staged.values()) {
      if (image.imageType !== APPLICATION) continue;
      const others = applications.pinHolders(...staged.keys());
      requireManifest(image, start ? new Map([...others, ...taken]) : undefined);
      requireOneBuild(image);
      for (const pin of pinsOfManifest(loaded(image).manifest)) taken.set(pin, image.name);
    }
  }

  /** The lab's own rule: which of the two runs must make no difference. */
  function requireOneBuild(image: Image): void {
    const mismatch = codeMismatch(image);
    if (mismatch === undefined) return;
    logger.error(`${image.name} is refused: ${buildsDiffer(mismatch).message}`);
    throw new DeviceError(ERRORS.installFailed);
  }

  const isInstalled = ({ componentId, imageId }: Image) =>
    applications.find(componentId)?.imageId === imageId;

  /** Writes to the flash what an installation changes there. */
  function keep({ bytes, image }: Staged, session: boolean): void {
    if (isCapability(image)) {
      const capabilities = capabilitiesOf(image, system.deviceId);
      if (session) manufacturing.beginSession(capabilities);
      else manufacturing.setCapabilities(capabilities);
    } else if (image.imageType === BOARD_CONFIGURATION) {
      board.set(identityOf(image));
      interfaces.setEthernet(describesEthernet(image));
    } else if (!isInstalled(image)) {
      store.put(PACKAGES + image.componentId, Buffer.from(bytes).toString("base64"));
    }
  }

  /** Puts an application in place whose package is kept. */
  async function installApplication(image: Image, start: boolean): Promise<void> {
    if (isInstalled(image)) {
      if (start) await applications.start(image.componentId);
      return;
    }
    const app = loaded(image);
    if (app.wasm === undefined && options.packagedProgram?.(app) === undefined) {
      const why = `it has no ${WASM_FILE}, and ARM code runs with --body arm only`;
      logger.warn(`${image.name} is installed but does nothing: ${why}`);
    }
    await applications.install(identityOf(image), app, start);
    if (app.manifest.ApplicationType === "Debugger") manufacturing.setDebugServer(true);
  }

  return {
    get anyStaged(): boolean {
      return staged.size > 0;
    },
    get otaInProgress(): boolean {
      return options.otaInProgress();
    },
    isStaged: (componentId: string): boolean => staged.has(componentId),
    get boardConfiguration(): AppIdentity | undefined {
      return board.value ?? undefined;
    },
    /** Takes a package in; it is not installed yet. @throws DeviceError */
    stage(bytes: Uint8Array): void {
      refuseIf(options.otaInProgress(), ERRORS.otaInProgress);
      const image = readPackage(bytes);
      requireTrust(bytes, image, trust, manufacturing);
      requireKind(image);
      if (isCapability(image)) capabilitiesOf(image, system.deviceId);
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
     * @param capability how capability images count, when nothing else is to be installed
     * @returns whether the device has to restart
     * @throws DeviceError imagePermission for an image that is no capability image then
     */
    async install(start: boolean, capability?: "Update" | "Session"): Promise<boolean> {
      const session = capability === "Session";
      const all = [...staged.values()];
      try {
        const others = all.some(({ image }) => !isCapability(image));
        refuseIf(capability !== undefined && others, ERRORS.imagePermission);
        checkAll(start);
      } finally {
        staged.clear();
      }
      // At once: a loss of power leaves all of it or nothing.
      store.transaction(() => {
        for (const each of all) keep(each, session);
      });
      const apps = all.filter(({ image }) => image.imageType === APPLICATION);
      for (const { image } of apps) await installApplication(image, start);
      return all.some(
        ({ image }) => image.imageType !== APPLICATION && !(session && isCapability(image)),
      );
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
    forgetBoardConfiguration(): void {
      if (!board.value) return;
      board.set(null);
      interfaces.setEthernet(false);
    },
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

const debuggersAmong = (applications: Applications): string[] =>
  applications
    .firewalled()
    .filter(({ manifest }) => manifest.ApplicationType === "Debugger")
    .map(({ manifest }) => manifest.ComponentId.toLowerCase());
