import type { Clock, TimerHandle } from "../../clock/index.ts";
import { LabError, messageOf } from "../../errors.ts";
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
import { APPLICATION, type DeviceEvent, type UpdateManifest } from "./protocol.ts";
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
const FIRST_RETRY_MS = 10_000;
const LONGEST_RETRY_MS = 3_600_000;
const MOST_EVENTS = 100;

/** Asks the Security Service for updates at start-up, once a day and on demand, and installs them. */
export function createUpdater(options: UpdaterOptions) {
  const { clock, logger, network, client, images, events } = options;
  const checkEveryMs = options.checkEveryMs ?? DAY_MS;
  let phase: Phase = "stopped";
  let timer: TimerHandle | undefined;
  let current: Promise<void> | undefined;
  let stopping = new AbortController();
  let stopWatching = () => {};
  let retryMs = FIRST_RETRY_MS;
  let lastCheck: number | undefined;
  let lastProblem: string | undefined;
  let unreported: DeviceEvent[] = [];

  const state = () => ({ osVersion: images.osVersion(), installed: images.installed() });
  const appsToo = () => options.appsToo?.() ?? true;
  const running = () => phase !== "stopped";

  function schedule(delayMs: number): void {
    clock.clearTimer(timer);
    if (running()) timer = clock.setTimer(delayMs, () => void check());
  }

  /** Looks for updates now; when a check is under way already, waits for its end. */
  function check(): Promise<void> {
    if (!running()) return Promise.resolve();
    current ??= run().finally(() => {
      current = undefined;
    });
    return current;
  }

  async function run(): Promise<void> {
    clock.clearTimer(timer);
    const { signal } = stopping;
    try {
      const restart = await update(signal);
      if (signal.aborted) return;
      lastProblem = undefined;
      retryMs = FIRST_RETRY_MS;
      phase = "idle";
      schedule(checkEveryMs);
      if (restart) queueMicrotask(() => void options.reboot());
    } catch (error) {
      if (signal.aborted) return;
      phase = "idle";
      failed(error);
    }
  }

  /** The same trouble at every attempt is told once. */
  function failed(error: unknown): void {
    const hint = error instanceof LabError ? ` ${error.hint}` : "";
    const problem = messageOf(error);
    if (problem !== lastProblem) logger.warn(`no update: ${problem}${hint}`);
    lastProblem = problem;
    schedule(retryMs);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  }

  /** @returns whether the device has to start anew for the update to take effect */
  async function update(signal: AbortSignal): Promise<boolean> {
    let installed = false;
    for (;;) {
      phase = "checking";
      const offer = await client.manifest(state());
      signal.throwIfAborted();
      lastCheck = clock.now();
      const step = planUpdate({
        ...{ offer, installed: images.installed(), deployed: images.deployed() },
        appsToo: appsToo(),
      });
      if (step.kind === "none") {
        images.discard();
        if (!installed) events.announce(NO_UPDATE);
        await tell(!installed);
        return false;
      }
      await download(step, signal);
      if (await install(step, offer, signal)) return true;
      installed = true;
    }
  }

  async function download({ kind, missing }: ActiveStep, signal: AbortSignal): Promise<void> {
    phase = "downloading";
    if (kind !== "prerequisites") events.announce(UPDATE_STARTED);
    const wanted = new Set(missing.map(({ imageId }) => imageId));
    if (images.staged().some(({ imageId }) => !wanted.has(imageId))) images.discard();
    for (const image of missing.filter((each) => !images.isStaged(each))) {
      const bytes = await client.download(image);
      signal.throwIfAborted();
      try {
        images.stage(image, checkDownload(image, bytes, options.trusted));
      } catch (error) {
        note("UpdateFailure", image.componentId, `${image.name} was refused: ${messageOf(error)}`);
        await tell(false).catch((problem) => logger.debug(messageOf(problem)));
        throw error;
      }
      logger.info(`update: ${image.name} (${image.imageId}) downloaded and verified`);
    }
  }

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
    if (step.kind === "os") {
      images.installOs(offer.osVersion);
      note("UpdateInstalled", "OS", `OS ${offer.osVersion} installed`);
      await tell(false).catch((error) => logger.debug(messageOf(error)));
      return true;
    }
    await installApps(step);
    return false;
  }

  async function installApps({ missing, removed }: ActiveStep): Promise<void> {
    const before = appImage();
    images.installDeployed(removed);
    const after = appImage();
    for (const { name, imageId, componentId } of missing) {
      note("UpdateInstalled", componentId, `${name} (${imageId}) installed`);
      logger.info(`update: ${name} (${imageId}) installed`);
    }
    const same = before?.imageId === after?.imageId && before !== undefined;
    if (!same) return options.replaceApp(after);
    const info = { maxDeferralMinutes: 0, updateType: APP_UPDATE };
    events.announce(READY_FOR_INSTALL, COMPLETE, info);
  }

  /** An MT3620 runs one high-level app. */
  const appImage = () => images.deployed().find(({ imageType }) => imageType === APPLICATION);

  function note(eventCategory: string, eventClass: string, description: string): void {
    const event = { description, eventCategory, eventClass, eventType: eventCategory };
    unreported = [...unreported, event].slice(-MOST_EVENTS);
  }

  /** @param quiet nothing has changed, so only events are worth a request */
  async function tell(quiet: boolean): Promise<void> {
    if (quiet && unreported.length === 0) return;
    const sent = unreported;
    await client.report(state(), sent);
    unreported = unreported.filter((event) => !sent.includes(event));
  }

  return {
    check,
    appImage,
    /** An event that the owner may want to know; it goes with the next report. */
    note,
    start(): void {
      if (running()) return;
      phase = "idle";
      stopping = new AbortController();
      stopWatching = network.onChange((up) => {
        if (up) schedule(0);
      });
      schedule(0);
    },
    async stop(): Promise<void> {
      phase = "stopped";
      clock.clearTimer(timer);
      stopWatching();
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
