import { EVENT_GPIO } from "../../../assembly/sphere/host/abi.ts";
import { EINVAL, ENOENT } from "../../../assembly/sphere/host/errors.ts";
import type { Clock } from "../../clock/index.ts";
import type { Manifest } from "../../imagepackage/manifest.ts";
import type { Logger } from "../../log.ts";
import type { Board } from "../board.ts";
import type { DeviceAuth } from "../device-auth.ts";
import type { HubTarget } from "../hub-client/client.ts";
import type { Network } from "../network.ts";
import type { MutableStorage } from "../storage.ts";
import { createUpdateEvents, type UpdateEvents } from "../updates/events.ts";
import { createGpio } from "./gpio.ts";
import { createHubs } from "./hubs.ts";
import { createIothub, type IothubOptions } from "./iothub.ts";
import { createStorage } from "./storage.ts";
import { createSysevent } from "./sysevent.ts";
import { createTimers } from "./timers.ts";

/** What the operating system lends to one run of the app. */
export interface SessionOptions {
  readonly manifest: Manifest;
  readonly clock: Clock;
  /** Lines of the system about the app. */
  readonly logger: Logger;
  /** The app's own lines. */
  readonly appLogger: Logger;
  readonly board: Board;
  readonly network: Network;
  readonly deviceAuth: DeviceAuth;
  readonly deviceId: string;
  readonly storage: MutableStorage;
  /** Where the updater speaks to the app; nobody speaks when absent. */
  readonly updates?: UpdateEvents;
  readonly emit: IothubOptions["emit"];
  readonly onTimer: (id: number) => void;
}

export type AppSession = ReturnType<typeof createSession>;

/** Everything that one run of the app may ask for; it ends with the run. */
export function createSession(options: SessionOptions) {
  const { manifest, clock, logger, appLogger, board, emit } = options;
  const { Capabilities: capabilities, CmdArgs: args } = manifest;
  const gpio = createGpio({
    clock,
    board,
    allowed: (capabilities.Gpio ?? []).filter((pin) => typeof pin === "number"),
    onDenied: (pin) =>
      logger.warn(`EACCES: GPIO ${pin} is not in the Gpio capability of app_manifest.json`),
    onChange: (handle, level) => emit(EVENT_GPIO, handle, level),
  });
  const timers = createTimers(clock, options.onTimer);
  const access = {
    allowedConnections: capabilities.AllowedConnections ?? [],
    tenantId: capabilities.DeviceAuthentication ?? "",
  };
  const iothub = createIothub({
    ...options,
    ...access,
    target: targetFrom(args),
  });
  const sysevent = createSysevent({
    mayNotify: capabilities.SystemEventNotifications === true,
    mayDefer: capabilities.SoftwareUpdateDeferral === true,
    updates: options.updates ?? createUpdateEvents(),
    emit,
  });
  const hubs = createHubs({ ...options, ...access });
  const bytes = (capabilities.MutableStorage?.SizeKB ?? 0) * 1024;
  return {
    gpio,
    timers,
    iothub,
    hubs,
    storage: createStorage(options.storage, bytes, logger),
    sysevent,
    /** Whether the manifest lists the serial controller ISU0 to ISU4 for this use. */
    allowsSerial(use: "Uart" | "SpiMaster", controller: number): boolean {
      const allowed = (capabilities[use] ?? []).includes(`ISU${controller}`);
      if (!allowed) {
        logger.warn(
          `EACCES: ISU${controller} is not in the ${use} capability of app_manifest.json`,
        );
      }
      return allowed;
    },
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    argument: (index: number): Uint8Array | number => {
      const text = args[index];
      return text === undefined ? ENOENT : Buffer.from(text, "utf8");
    },
    log(level: number, text: string): number {
      const write = [appLogger.debug, appLogger.info, appLogger.warn, appLogger.error][level];
      write?.(text);
      return write ? 0 : EINVAL;
    },
    get hubConnected(): boolean {
      return iothub.connected || hubs.connected;
    },
    async end(): Promise<void> {
      gpio.end();
      timers.end();
      sysevent.end();
      await Promise.all([iothub.end(), hubs.end()]);
    },
  };
}

/** `--ScopeID` goes by the Device Provisioning Service, `--Hostname` straight to a hub. */
function targetFrom(args: readonly string[]): HubTarget | undefined {
  const idScope = argumentAfter(args, "--ScopeID");
  if (idScope !== undefined) return { idScope };
  const hostName = argumentAfter(args, "--Hostname");
  return hostName === undefined ? undefined : { hostName };
}

function argumentAfter(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
}
