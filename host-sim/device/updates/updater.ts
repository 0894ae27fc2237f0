import type { Clock } from "../../clock/index.ts";
import { messageOf, messageWithHint } from "../../errors.ts";
import type { TrustStore } from "../../imagepackage/index.ts";
import type { Logger } from "../../log.ts";
import type { Network } from "../network.ts";
import { awaitConsent } from "./consent.ts";
import {
  APP_UPDATE,
  COMPLETE,
  NO_UPDATE,
  READY_FOR_INSTALL,
  SYSTEM_UPDATE,
  UPDATE_STARTED,
  type UpdateEvents,
} from "./events.ts";
import type { ImageStore, StoredImage } from "./image-store.ts";
import { checkDownload } from "./package.ts";
import { planUpdate, type Step } from "./plan.ts";
import { APPLICATION, type OfferedImage, type UpdateManifest } from "./protocol.ts";
import { createReporter } from "./reporter.ts";
import { createSchedule } from "./schedule.ts";
import type { ServiceClient } from "./service-client.ts";

export interface UpdaterOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly network: Network;
  readonly client: Pick<ServiceClient, "manifest" | "download" | "report">;
  readonly images: ImageStore;
  readonly events: UpdateEvents;
  /** Whose images the device takes. */
  readonly trusted: TrustStore;
  /** Lab time between two checks; a day when absent. */
  readonly checkEveryMs?: number;
  /** False leaves apps alone, as on a device with the capability to develop apps. */
  readonly appsToo?: () => boolean;
  /** Puts the app in place of the running one; undefined when none is left. */
  readonly replaceApp: (app: StoredImage | undefined) => Promise<void>;
  readonly reboot: () => Promise<void>;
}

export type Phase =
  | "stopped"
  | "idle"
  | "checking"
  | "downloading"
  | "pending"
  | "deferred"
  | "installing";

export interface UpdateStatus {
  readonly phase: Phase;
  readonly osVersion: string;
  /** ISO 8601, null before the first answer of the service. */
  readonly lastCheck: string | null;
  readonly lastProblem: string | null;
}

type ActiveStep = Exclude<Step, { kind: "none" }>;

export type Updater = ReturnType<typeof createUpdater>;

const DAY_MS = 86_400_000;

/** Asks the Security Service for updates at start-up, once a day and on demand, and installs them. */
export function createUpdater(options: UpdaterOptions) {
  const { clock, logger, network, client, images, events } = options;
  const state = () => ({ osVersion: images.osVersion(), installed: images.installed() });
  const reporter = createReporter(client, state);
  const everyMs = options.checkEveryMs ?? DAY_MS;
  const schedule = createSchedule({ clock, network, everyMs, run: () => void look() });
  let phase: Phase = "stopped";
  let current: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  let stopping = new AbortController();
  let lastCheck: number | undefined;
  let lastProblem: string | undefined;
  let leftAlone: string | undefined;

  function look(): Promise<void> {
    if (phase === "stopped") return Promise.resolve();
    current ??= run().finally(() => {
      current = undefined;
    });
    return current;
  }

  /** Looks for updates now; a look that is under way may have asked too early, so one follows it. */
  function check(): Promise<void> {
    if (!current) return look();
    following ??= current.then(() => {
      following = undefined;
      return look();
    });
    return following;
  }

  async function run(): Promise<void> {
    schedule.began();
    const { signal } = stopping;
    try {
      const restart = await update(signal);
      if (signal.aborted) return;
      lastProblem = undefined;
      phase = "idle";
      schedule.succeeded();
      if (restart) queueMicrotask(() => void options.reboot());
    } catch (error) {
      if (signal.aborted) return;
      phase = "idle";
      explain(error);
      schedule.failed();
    }
  }

  /** The same trouble at every attempt is told once. */
  function explain(error: unknown): void {
    const problem = messageOf(error);
    if (problem !== lastProblem) logger.warn(`no update: ${messageWithHint(error)}`);
    lastProblem = problem;
  }

  /** Each deployment that the device leaves alone is told of once. */
  function tellLeftAlone({ deployment }: UpdateManifest): void {
    if (!deployment || deployment.deploymentId === leftAlone) return;
    leftAlone = deployment.deploymentId;
    logger.info(
      "update: the deployment of the device's group is left alone, because the device may develop " +
        "applications; `azsphere device enable-cloud-test` changes that",
    );
  }

  /** @returns whether the device has to start anew for the update to take effect */
  async function update(signal: AbortSignal): Promise<boolean> {
    for (let installed = false; ; installed = true) {
      phase = "checking";
      const offer = await client.manifest(state());
      signal.throwIfAborted();
      lastCheck = clock.now();
      const appsToo = options.appsToo?.() ?? true;
      if (!appsToo) tellLeftAlone(offer);
      const step = planUpdate({
        ...{ offer, installed: images.installed(), deployed: images.deployed(), appsToo },
      });
      if (step.kind === "none") {
        images.discard();
        if (!installed) events.announce(NO_UPDATE);
        if (installed || reporter.anything) await reporter.send();
        return false;
      }
      phase = "downloading";
      if (step.kind !== "prerequisites") events.announce(UPDATE_STARTED);
      await download(step, signal);
      if (await install(step, offer, signal)) return true;
    }
  }

  /** Stages what is missing; what was staged before a power cut is not downloaded again. */
  async function download({ missing }: ActiveStep, signal: AbortSignal): Promise<void> {
    const wanted = new Set(missing.map(({ imageId }) => imageId));
    if (images.staged().some(({ imageId }) => !wanted.has(imageId))) images.discard();
    for (const image of missing.filter((each) => !images.isStaged(each))) {
      const bytes = await client.download(image);
      signal.throwIfAborted();
      await stage(image, bytes);
      logger.info(`update: ${image.name} (${image.imageId}) downloaded and verified`);
    }
  }

  async function stage(image: OfferedImage, bytes: Uint8Array): Promise<void> {
    try {
      images.stage(image, checkDownload(image, bytes, options.trusted));
    } catch (error) {
      const description = `${image.name} was refused: ${messageOf(error)}`;
      reporter.note("UpdateFailure", image.componentId, description);
      await sendQuietly();
      throw error;
    }
  }

  /** The next report tells what this one cannot. */
  const sendQuietly = () =>
    reporter.send().catch((error) => logger.debug(`no report: ${messageOf(error)}`));

  /** @returns whether the device has to start anew */
  async function install(step: ActiveStep, offer: UpdateManifest, signal: AbortSignal) {
    if (step.kind === "prerequisites") {
      images.installOs(images.osVersion());
      return false;
    }
    phase = "pending";
    const updateType = step.kind === "os" ? SYSTEM_UPDATE : APP_UPDATE;
    const onDeferred = (deferred: boolean) => {
      phase = deferred ? "deferred" : "pending";
    };
    await awaitConsent({ clock, events, updateType, signal, onDeferred });
    phase = "installing";
    if (step.kind === "deployment") {
      await installApps(step);
      return false;
    }
    images.installOs(offer.osVersion);
    reporter.note("UpdateInstalled", "OS", `OS ${offer.osVersion} installed`);
    await sendQuietly();
    return true;
  }

  async function installApps({ missing, removed }: ActiveStep): Promise<void> {
    const before = appImage();
    images.installDeployed(removed);
    const after = appImage();
    for (const { name, imageId, componentId } of missing) {
      reporter.note("UpdateInstalled", componentId, `${name} (${imageId}) installed`);
      logger.info(`update: ${name} (${imageId}) installed`);
    }
    const same = before?.imageId === after?.imageId && before !== undefined;
    if (!same) return options.replaceApp(after);
    const info = { maxDeferralMinutes: 0, updateType: APP_UPDATE };
    events.announce(READY_FOR_INSTALL, COMPLETE, info);
  }

  /** An MT3620 runs one high-level app. */
  const appImage = () => images.deployed().find(({ imageType }) => imageType === APPLICATION);

  return {
    check,
    appImage,
    /** An event that the owner may want to know; it goes with the next report. */
    note: reporter.note,
    start(): void {
      if (phase !== "stopped") return;
      phase = "idle";
      stopping = new AbortController();
      schedule.start();
    },
    async stop(): Promise<void> {
      phase = "stopped";
      schedule.stop();
      stopping.abort(new Error("the device stops"));
      await current;
      phase = "stopped";
    },
    status: (): UpdateStatus => ({
      phase,
      osVersion: images.osVersion(),
      lastCheck: lastCheck === undefined ? null : new Date(lastCheck).toISOString(),
      lastProblem: lastProblem ?? null,
    }),
  };
}
