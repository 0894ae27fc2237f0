import type { TrustStore } from "../../imagepackage/index.ts";
import type { AppImage } from "../app.ts";
import { createSphereOs, type SphereOsOptions } from "../sphere-os.ts";
import { createUpdateEvents } from "./events.ts";
import type { ImageStore } from "./image-store.ts";
import { appOf } from "./package.ts";
import type { ServiceClient } from "./service-client.ts";
import { createUpdater, type UpdaterOptions } from "./updater.ts";

export interface UpdatingDeviceOptions
  extends Omit<SphereOsOptions, "updates" | "onAppEnd">,
    Pick<UpdaterOptions, "checkEveryMs" | "appsToo"> {
  readonly client: ServiceClient;
  readonly trusted: TrustStore;
  /** The device's flash. */
  readonly flash: ImageStore;
}

export type UpdatingDevice = ReturnType<typeof createUpdatingDevice>;

/** A Sphere OS that updates itself and its app over the air. */
export function createUpdatingDevice(options: UpdatingDeviceOptions) {
  const { client, flash } = options;
  const events = createUpdateEvents();
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
    ...{ events, images: flash },
    replaceApp: (app) => (app ? os.install(appOf(app.bytes)) : os.uninstall()),
    reboot: () => os.restart(),
  });
  /** A restart, whoever asked for it, ends the updater and begins it anew. */
  const stopWatching = os.onPower((on) => {
    if (on && ready) updater.start();
    else void updater.stop();
  });
  let ready = false;

  async function install(app: AppImage): Promise<void> {
    flash.forgetDeployed();
    await os.install(app);
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
    /** @param app runs in place of the one that came over the air */
    async begin(app?: AppImage): Promise<void> {
      os.start();
      // An app that starts before would only be told to wait.
      await options.deviceAuth.settled?.();
      const installed = updater.appImage();
      if (app) await install(app);
      else if (installed) await os.install(appOf(installed.bytes));
      ready = true;
      updater.start();
    },
    async stop(): Promise<void> {
      stopWatching();
      const stopped = updater.stop();
      client.stop();
      await stopped;
      await os.stop();
    },
  };
}
