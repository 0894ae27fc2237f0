import type { TrustStore } from "../../imagepackage/index.ts";
import type { Store } from "../../store/index.ts";
import type { AppImage } from "../app.ts";
import { createSphereOs, type SphereOsOptions } from "../sphere-os.ts";
import { createUpdateEvents } from "./events.ts";
import { createImageStore, type FactoryOs } from "./image-store.ts";
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

  async function install(app: AppImage): Promise<void> {
    images.forgetDeployed();
    await os.install(app);
  }

  return {
    ...os,
    updates: updater,
    images,
    /** Puts an app there by cable: it takes the place of what came over the air. */
    install,
    /** @param app runs in place of the one that came over the air */
    async start(app?: AppImage): Promise<void> {
      os.start();
      // An app that starts before would only be told to wait.
      await options.deviceAuth.settled?.();
      const installed = updater.appImage();
      if (app) await install(app);
      else if (installed) await os.install(appOf(installed.bytes));
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
