import { createHash } from "node:crypto";
import type { TimerHandle } from "../clock/index.ts";
import { installRefusal, refusalError } from "../imagepackage/index.ts";
import { openMemoryStore, type Store } from "../store/index.ts";
import type { AppImage } from "./app.ts";
import type { AppStatus, AppSurroundings } from "./app-runner.ts";
import { type AppIdentity, createApplications } from "./applications.ts";
import { createImages, type ImageTrust } from "./images.ts";
import { createSignal } from "./system/kept.ts";
import { guidOf } from "./system/os-release.ts";
import { createDeviceSystem, type DeviceSystem } from "./system/system.ts";

export type { AppStatus } from "./app-runner.ts";

export interface SphereOsOptions extends AppSurroundings {
  /** What the system keeps beside its apps; a new one in memory when absent. */
  readonly system?: DeviceSystem;
  /** Where installed packages are kept; in memory when absent. */
  readonly store?: Store;
  /** Whose packages the device takes; nobody's when absent. */
  readonly trust?: ImageTrust;
  /** How long a restart takes. */
  readonly rebootMs?: number;
  /** Whether an update over the air is on its way into the device; never when absent. */
  readonly otaInProgress?: () => boolean;
}

export type SphereOs = ReturnType<typeof createSphereOs>;

const REBOOT_MS = 2_000;
const TRUST_NOBODY: ImageTrust = {
  production: () => new Map(),
  development: () => new Map(),
};
const NO_APP: AppStatus = {
  ...{ name: "", state: "stopped", starts: 0, lastExitCode: null },
  ...{ hubConnected: false, memoryBytes: 0 },
};

/** The virtual Sphere OS: installs apps, keeps them running, owns what outlives them. */
export function createSphereOs(options: SphereOsOptions) {
  const { clock, deviceAuth, deviceId } = options;
  const store = options.store ?? openMemoryStore();
  const system = options.system ?? createDeviceSystem({ clock, store, deviceId });
  const applications = createApplications(options, system);
  const { logger, packagedProgram, trust = TRUST_NOBODY, otaInProgress = () => false } = options;
  const images = createImages({
    ...{ store, logger, system, applications, trust, packagedProgram, otaInProgress },
  });
  images.restore();
  const power = createSignal<boolean>();
  let rebootTimer: TimerHandle | undefined;
  let on = false;
  let stopped = false;
  /** The app that the lab itself builds and installs. */
  let own = "";

  function boot(): void {
    rebootTimer = undefined;
    stopped = false;
    on = true;
    system.boot();
    deviceAuth.start();
    power.emit(true);
  }

  async function goDown(): Promise<void> {
    on = false;
    clock.clearTimer(rebootTimer);
    rebootTimer = undefined;
    power.emit(false);
    deviceAuth.stop();
    images.dropStaged();
    await applications.stopAll();
    system.shutDown();
  }

  return {
    deviceId,
    board: options.board,
    network: options.network,
    deviceAuth,
    ...{ system, applications, images },
    /**
     * Puts the lab's own app in place of the installed one and starts it.
     * @param identity of the package that it came in
     * @throws LabError install-refused; the installed one stays
     */
    async install(next: AppImage, identity: AppIdentity = ownIdentity(next)): Promise<void> {
      const { ComponentId: componentId } = next.manifest;
      const pinsInUse = applications.pinsInUse(componentId);
      const refusal = installRefusal(next.manifest, { pinsInUse });
      if (refusal) throw refusalError(refusal);
      if (own !== "" && own !== componentId) await applications.remove(own);
      own = componentId;
      images.forget(componentId);
      await applications.install(identity, next, true);
    },
    /** Leaves the device without the app that the lab or the air put there. */
    async uninstall(): Promise<void> {
      if (own !== "") await applications.remove(own);
      own = "";
    },
    async startApp(): Promise<void> {
      if (applications.find(own)) await applications.restart(own);
    },
    async stopApp(): Promise<void> {
      if (applications.find(own)) await applications.stop(own);
    },
    start(): void {
      boot();
      void applications.startAll();
    },
    async stop(): Promise<void> {
      stopped = true;
      await goDown();
    },
    get on(): boolean {
      return on;
    },
    /**
     * What a recovery begins with: the device goes down, applications, networks and certificates are
     * gone. Identity, claim, capabilities and manufacturing state stay. It is dark until `powerUp`.
     */
    async erase(): Promise<void> {
      if (on) await goDown();
      own = "";
      for (const { componentId } of applications.list()) {
        images.forget(componentId);
        await applications.remove(componentId);
      }
      images.forgetBoardConfiguration();
      const { wifi, certificates, proxy } = system;
      for (const { id } of wifi.list()) wifi.remove(id);
      for (const id of certificates.identifiers()) certificates.remove(id);
      proxy.clear();
    },
    /** A device that is dark comes up; one that was stopped for good does not. */
    powerUp(): void {
      if (on || stopped) return;
      boot();
      void applications.startAll();
    },
    /** Goes down at once and comes up after the time that a restart takes. */
    async restart(): Promise<void> {
      if (!on) return;
      options.logger.info("the device restarts");
      await goDown();
      if (stopped) return;
      rebootTimer = clock.setTimer(options.rebootMs ?? REBOOT_MS, () => {
        boot();
        void applications.startAll();
      });
    },
    /** The device goes down (false) or has come up (true). */
    onPower: power.subscribe,
    status: (): AppStatus => applications.runner(own)?.status() ?? NO_APP,
  };
}

/** The id of an image that was never packed belongs to its content. */
function ownIdentity({ manifest, wasm = new Uint8Array(0) }: AppImage): AppIdentity {
  const bytes = wasm.length + Buffer.byteLength(JSON.stringify(manifest));
  return {
    componentId: manifest.ComponentId,
    imageId: guidOf(
      createHash("sha256").update(wasm).update(JSON.stringify(manifest)).digest("hex"),
    ),
    name: manifest.Name,
    bytes,
    uncompressedBytes: bytes,
  };
}
