import { readImage, type TrustStore } from "../../imagepackage/index.ts";
import type { AppImage } from "../app.ts";
import { identityOf } from "../package-check.ts";
import { createSphereOs, type SphereOsOptions } from "../sphere-os.ts";
import { createUpdateEvents } from "./events.ts";
import type { ImageStore, StoredImage } from "./image-store.ts";
import { appOf } from "./package.ts";
import type { ServiceClient } from "./service-client.ts";
import { createUpdater, type Phase, type UpdaterOptions } from "./updater.ts";

export interface UpdatingDeviceOptions
  extends Omit<SphereOsOptions, "updates" | "onAppEnd" | "otaInProgress">,
    Pick<UpdaterOptions, "checkEveryMs" | "appsToo"> {
  readonly client: ServiceClient;
  readonly trusted: TrustStore;
  /** The device's flash. */
  readonly flash: ImageStore;
}

/** A deferred update waits for its app, and lets others pass. */
const UNDER_WAY: readonly Phase[] = ["downloading", "pending", "installing"];

export type UpdatingDevice = ReturnType<typeof createUpdatingDevice>;

/** A Sphere OS that updates itself and its app over the air. */
export function createUpdatingDevice(options: UpdatingDeviceOptions) {
  const { client, flash } = options;
  const events = createUpdateEvents();
  const os = createSphereOs({
    ...options,
    updates: events,
    otaInProgress: () => UNDER_WAY.includes(updater.status().phase),
    onAppEnd: (name, { code }) => {
      if (code !== 0) {
        const description = `${name} ended with exit code ${code}`;
        updater.note("AppCrash", name, description);
      }
    },
  });
  const updater = createUpdater({
    ...options,
    ...{ events, images: flash },
    replaceApp: (app) => (app ? run(app) : os.uninstall()),
    reboot: () => os.restart(),
  });
  /** A restart, whoever asked for it, ends the updater and begins it anew. */
  const stopWatching = os.onPower((on) => {
    if (on && ready) updater.start();
    else void updater.stop();
  });
  let ready = false;

  /** Runs an app that came over the air, under the ids that the Security Service gave it. */
  function run({ bytes }: StoredImage): Promise<void> {
    return os.install(appOf(bytes), identityOf(readImage(bytes)));
  }

  async function install(app: AppImage): Promise<void> {
    flash.forgetDeployed();
    await os.install(app);
  }

  /** @param app runs in place of the one that came over the air */
  async function begin(app?: AppImage): Promise<void> {
    os.start();
    // An app that starts before would only be told to wait.
    await options.deviceAuth.settled?.();
    // The device may have been stopped meanwhile.
    if (!os.on) return;
    const installed = updater.appImage();
    if (app) await install(app);
    else if (installed) await run(installed);
    ready = true;
    if (os.on) updater.start();
  }

  const { on: _on, ...rest } = os;
  return {
    ...rest,
    get on(): boolean {
      return os.on;
    },
    updates: updater,
    flash,
    /** Puts an app there by cable: it takes the place of what came over the air. */
    install,
    begin,
    /** The app that came over the air runs again, or this one when there is none. */
    wake: (app: AppImage | undefined): Promise<void> =>
      begin(updater.appImage() === undefined ? app : undefined),
    async stop(): Promise<void> {
      stopWatching();
      const stopped = updater.stop();
      client.stop();
      await stopped;
      await os.stop();
    },
  };
}
