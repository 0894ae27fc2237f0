import type { TrustStore } from "../../imagepackage/index.ts";
import type { Store } from "../../store/index.ts";
import type { AppImage } from "../app.ts";
import { createSphereOs, type SphereOsOptions } from "../sphere-os.ts";
import { createUpdateEvents } from "./events.ts";
import { createImageStore, type FactoryOs, type StoredImage } from "./image-store.ts";
import { appOf } from "./package.ts";
import type { ServiceClient } from "./service-client.ts";
import { createUpdater, type UpdaterOptions } from "./updater.ts";

export interface UpdatingDeviceOptions
  extends Omit<SphereOsOptions, "updates" | "onAppEnd">,
    Pick<UpdaterOptions, "checkEveryMs" | "appsToo"> {
  /** Where the device keeps its images. */
  readonly store: Store;
  readonly client: ServiceClient;
  readonly trusted: TrustStore;
  /** The operating system that the device was made with. */
  readonly factoryOs: FactoryOs;
}

export type UpdatingDevice = ReturnType<typeof createUpdatingDevice>;

/** A Sphere OS that updates itself and its app over the air. */
export function createUpdatingDevice(options: UpdatingDeviceOptions) {
  const { client } = options;
  const events = createUpdateEvents();
  const images = createImageStore(options.store, options.factoryOs);
  const os = createSphereOs({
    ...options,
    updates: events,
    onAppEnd: (name, { code }) => {
      if (code !== 0) {
        const description = `${name} ended with exit code ${code}`;
        updater.note("AppCrash", name, description);
      }
    },
  });
  const updater = createUpdater({
    ...options,
    ...{ images, events },
    replaceApp: (app) => (app ? os.install(appOf(app.bytes)) : os.uninstall()),
    async reboot() {
      await updater.stop();
      if (await os.reboot()) updater.start();
    },
  });
  let sideloaded = false;

  return {
    ...os,
    updates: updater,
    images,
    /** Puts an app there by cable: it takes the place of what came over the air. */
    async install(app: AppImage): Promise<void> {
      sideloaded = true;
      images.forgetDeployed();
      await os.install(app);
    },
    /** Starts the system, and the app that came over the air unless another was put there. */
    async start(): Promise<void> {
      os.start();
      const app: StoredImage | undefined = updater.appImage();
      if (app && !sideloaded) await os.install(appOf(app.bytes));
      updater.start();
    },
    async stop(): Promise<void> {
      const stopped = updater.stop();
      client.stop();
      await stopped;
      await os.stop();
    },
  };
}
