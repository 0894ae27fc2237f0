import { messageOf } from "../errors.ts";
import { type Manifest, PERIPHERAL_KINDS, pinsOf } from "../imagepackage/index.ts";
import type { AppImage, DebugGate } from "./app.ts";
import { type AppRunner, type AppSurroundings, createAppRunner } from "./app-runner.ts";
import { DeviceError, ERRORS } from "./system/device-error.ts";
import type { FirewalledApp } from "./system/firewall.ts";
import { createSignal } from "./system/kept.ts";
import type { DeviceSystem } from "./system/system.ts";

/** What identifies an installed application. GUIDs are lower case. */
export interface AppIdentity {
  readonly componentId: string;
  readonly imageId: string;
  readonly name: string;
  /** Of the image package, and of what it holds when it is compressed. */
  readonly bytes: number;
  readonly uncompressedBytes: number;
}

export type AppState = "running" | "stopped" | "debugging" | "notPresent";

export interface AppQuota {
  readonly UsageKB: number;
  readonly LimitKB: number;
}

interface Installed extends FirewalledApp {
  readonly identity: AppIdentity;
  readonly runner: AppRunner;
  /** Which of the two real-time cores it runs on. */
  readonly realTimeCore?: number;
  wanted: Exclude<AppState, "notPresent">;
}

export type Applications = ReturnType<typeof createApplications>;

const FIRST_UID = 1001;
const REAL_TIME_CORES = 2;
const MOST_STORAGE_BYTES = 64 * 1024;

/** The applications of the device: which are installed, and which of them run. */
export function createApplications(surroundings: AppSurroundings, system: DeviceSystem) {
  const installed = new Map<string, Installed>();
  const output = createSignal<{ readonly componentId: string; readonly text: string }>();
  const changed = createSignal<string>();
  let peakBytes = 0;

  const key = (componentId: string) => componentId.toLowerCase();
  const note = (event: "appStarting" | "appStopping" | "appDebugging", componentId: string) =>
    system.log.add("info", event, [{ type: "guid", value: componentId }]);

  function find(componentId: string): Installed {
    const app = installed.get(key(componentId));
    if (app) return app;
    throw new DeviceError(ERRORS.appNotPresent, "conflict");
  }

  function add(identity: AppIdentity, image: AppImage): Installed {
    const { componentId, imageId } = identity;
    const { manifest } = image;
    const runner = createAppRunner({
      ...surroundings,
      image,
      onOutput: (text) => output.emit({ componentId, text }),
      onFailure(status) {
        measure(status.memoryBytes);
        system.errorReports.appEnded(status, componentId, imageId);
        if (status.next === "nothing") giveUp(app);
      },
      onMemory: () => void measure(),
    });
    const realTimeCore = manifest.ApplicationType === "RealTimeCapable" ? freeCore() : undefined;
    const app: Installed = {
      ...{ identity, manifest, runner, realTimeCore },
      uid: freeUid(),
      wanted: "stopped",
    };
    installed.set(componentId, app);
    return app;
  }

  /** It is not started again, and so does not run. */
  function giveUp(app: Installed): void {
    app.wanted = "stopped";
    changed.emit(app.identity.componentId);
  }

  function freeUid(): number {
    const taken = new Set([...installed.values()].map(({ uid }) => uid));
    let uid = FIRST_UID;
    while (taken.has(uid)) uid += 1;
    return uid;
  }

  function freeCore(): number {
    const taken = new Set([...installed.values()].map(({ realTimeCore }) => realTimeCore));
    return Math.max(
      0,
      [...Array(REAL_TIME_CORES).keys()].findIndex((core) => !taken.has(core)),
    );
  }

  /** Pins that apps hold, and those apps' names; without those of some components. */
  function pinHolders(...exceptComponents: readonly string[]): Map<number, string> {
    const except = new Set(exceptComponents.map(key));
    const others = [...installed.values()].filter(
      ({ wanted, identity }) => wanted !== "stopped" && !except.has(identity.componentId),
    );
    return new Map(
      others.flatMap(({ manifest, identity: { name } }) =>
        pinsOfManifest(manifest).map((pin) => [pin, name] as const),
      ),
    );
  }

  const pinsInUse = (...except: readonly string[]): Set<number> =>
    new Set(pinHolders(...except).keys());

  /** @throws DeviceError pinsInUse when another app that runs has one of its pins */
  function requireFreePins(manifest: Manifest): void {
    const conflict = pinConflict(manifest, pinHolders(manifest.ComponentId));
    if (conflict) throw conflict;
  }

  async function run(
    app: Installed,
    wanted: "running" | "debugging",
    gate?: DebugGate,
  ): Promise<void> {
    requireFreePins(app.manifest);
    const { componentId } = app.identity;
    app.wanted = wanted;
    note(wanted === "debugging" ? "appDebugging" : "appStarting", componentId);
    await app.runner.start(gate);
    changed.emit(componentId);
  }

  /**
   * V8's memory only grows, so it is enough to look at an app's end and when somebody asks; that of a
   * process is looked at all the time.
   */
  function measure(ofAnEnd = 0): number {
    const all = [...installed.values()];
    const bytes = all.reduce((sum, { runner }) => sum + runner.status().memoryBytes, 0);
    peakBytes = Math.max(peakBytes, bytes + ofAnEnd);
    return bytes;
  }

  async function stop(app: Installed): Promise<void> {
    measure();
    app.wanted = "stopped";
    note("appStopping", app.identity.componentId);
    await app.runner.stop();
    changed.emit(app.identity.componentId);
  }

  return {
    pinHolders,
    pinsInUse,
    list: (): AppIdentity[] => [...installed.values()].map(({ identity }) => identity),
    /** For the firewall. */
    firewalled: (): FirewalledApp[] => [...installed.values()],
    find: (componentId: string): AppIdentity | undefined =>
      installed.get(key(componentId))?.identity,
    runner: (componentId: string): AppRunner | undefined => installed.get(key(componentId))?.runner,
    state: (componentId: string): AppState =>
      installed.get(key(componentId))?.wanted ?? "notPresent",
    realTimeCore: (componentId: string): number | undefined =>
      installed.get(key(componentId))?.realTimeCore,
    /** Puts an app in place of the one with the same component id, whose storage it takes over. */
    async install(identity: AppIdentity, image: AppImage, start: boolean): Promise<void> {
      if (start) requireFreePins(image.manifest);
      const componentId = key(identity.componentId);
      const before = installed.get(componentId);
      if (before) await stop(before);
      installed.delete(componentId);
      const app = add({ ...identity, componentId }, image);
      changed.emit(componentId);
      if (start) await run(app, "running");
    },
    /** Puts an app back that was installed before the process ended; it does not run yet. */
    restore: (identity: AppIdentity, image: AppImage): void => void add(identity, image),
    /** Takes an app away, with its storage. What is not there is no mistake. */
    async remove(componentId: string): Promise<void> {
      const app = installed.get(key(componentId));
      if (!app) return;
      await stop(app);
      installed.delete(app.identity.componentId);
      const storage = surroundings.storage(app.manifest.ComponentId);
      storage.erase();
      storage.close();
      system.log.add("info", "deleted", [{ type: "guid", value: app.identity.componentId }]);
      changed.emit(app.identity.componentId);
    },
    /** Starts an app that does not run, or that a debugger holds. @throws DeviceError */
    async start(componentId: string): Promise<void> {
      const app = find(componentId);
      if (app.wanted !== "running") await run(app, "running");
    },
    restart: (componentId: string): Promise<void> => run(find(componentId), "running"),
    stop: (componentId: string): Promise<void> => stop(find(componentId)),
    /** @param gate where its debugger knocks; without one it runs at once */
    async debug(componentId: string, gate?: DebugGate): Promise<void> {
      const app = find(componentId);
      if (!gate && app.realTimeCore === undefined) {
        const why = "V8 runs it, and gdb finds programs only (--body native or arm)";
        surroundings.logger.warn(`${app.identity.name} runs without a debugger: ${why}`);
      }
      await run(app, "debugging", gate);
    },
    /** Whether it runs as a program, which a debugger can hold. */
    isProgram: (componentId: string): boolean => find(componentId).runner.isProgram(),
    /**
     * When the program of an app that was started is there.
     * @throws DeviceError cannotExecute when it could not be made; the log tells why
     */
    async launched(componentId: string): Promise<void> {
      try {
        await installed.get(key(componentId))?.runner.ready();
      } catch (error) {
        surroundings.logger.debug(`${componentId} does not start: ${messageOf(error)}`);
        throw new DeviceError(ERRORS.cannotExecute);
      }
    },
    quota(componentId: string): AppQuota {
      const app = installed.get(key(componentId));
      if (!app) throw new DeviceError(ERRORS.appNotPresent, "absent");
      const limit = app.manifest.Capabilities.MutableStorage?.SizeKB ?? 0;
      if (limit === 0) return { UsageKB: 0, LimitKB: 0 };
      const storage = surroundings.storage(app.manifest.ComponentId);
      const used = storage.read(0, MOST_STORAGE_BYTES).length;
      return { UsageKB: Math.ceil(used / 1024), LimitKB: limit };
    },
    /** Bytes of memory of all apps, now and at most since the system came up. */
    memory: () => ({ bytes: measure(), peakBytes }),
    /** All apps start at boot, also those that were stopped by hand before. */
    async startAll(): Promise<void> {
      for (const app of installed.values()) {
        await run(app, "running").catch((error) => {
          surroundings.logger.error(`${app.identity.name} is not started: ${error.message}`);
        });
      }
    },
    async stopAll(): Promise<void> {
      for (const app of installed.values()) if (app.wanted !== "stopped") await stop(app);
      peakBytes = 0;
    },
    onOutput: output.subscribe,
    /** An app came, went, started or stopped. */
    onChange: changed.subscribe,
  };
}

/** The refusal of an app that wants a pin of another one. */
export function pinConflict(
  manifest: Manifest,
  holders: ReadonlyMap<number, string>,
): DeviceError | undefined {
  const pin = pinsOfManifest(manifest).find((each) => holders.has(each));
  if (pin === undefined) return undefined;
  const detail = `pin ${pin} is held by '${holders.get(pin)}'`;
  return new DeviceError(ERRORS.pinsInUse, "invalid", detail);
}

/** The GPIO numbers that an app takes for itself, by themselves or as parts of a peripheral. */
export function pinsOfManifest({ Capabilities: capabilities }: Manifest): number[] {
  return PERIPHERAL_KINDS.flatMap((kind) => {
    const values = capabilities[kind];
    return Array.isArray(values) ? values.flatMap((value) => pinsOf(kind, value) ?? []) : [];
  });
}
