import type { AppImage } from "../device/app.ts";
import type { OsRelease } from "../device/system/os-release.ts";
import { LabError, messageOf } from "../errors.ts";
import { type DeviceRest, type DeviceRestRequest, startDeviceRest } from "./device-rest.ts";
import { createPowerSupply, type PowerSupply } from "./power-supply.ts";
import type { LabState } from "./state.ts";
import {
  createVirtualDevice,
  type VirtualDevice,
  type VirtualDeviceOptions,
} from "./virtual-device.ts";

export interface LabDeviceOptions extends VirtualDeviceOptions {
  /** Of the lab: all of its devices have certificates of one authority. */
  readonly labState: LabState;
  readonly rest: Pick<DeviceRestRequest, "host" | "port" | "outputPort" | "gdbPort">;
}

export type LabDevice = Awaited<ReturnType<typeof startLabDevice>>;

interface Run {
  readonly os: VirtualDevice;
  readonly supply: PowerSupply;
  readonly rest: DeviceRest;
}

/**
 * One of the lab's devices with its REST API and its power: a virtual device that can be cut off at
 * any moment and comes back from what its flash holds, at the same address.
 */
export async function startLabDevice(options: LabDeviceOptions) {
  const { state, labState, logger } = options;
  let { port } = options.rest;
  let app: AppImage | undefined;
  let run = await create();
  let powered = true;
  let turn: Promise<unknown> = Promise.resolve();

  /** @param before the run whose surroundings stay as they were put up */
  async function create(before?: Run): Promise<Run> {
    const supply = createPowerSupply(state, () => queueMicrotask(lose));
    const accessPoints = before?.os.system.air.present;
    const os = createVirtualDevice({ ...options, state: supply.kept, accessPoints });
    const { releases } = options.cloud.service;
    const recovery = {
      newest: () => os.releaseOf(releases.current("Retail")),
      installed: ({ version, components }: OsRelease) => os.flash?.recover(version, components),
    };
    const rest = await startDeviceRest({
      ...{ ...options.rest, os, logger, port, recovery },
      state: labState,
    });
    port = rest.description.port;
    return { os, supply, rest };
  }

  /** Switching on and off takes turns, however fast one asks. */
  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = turn.then(change);
    turn = done.catch(() => {});
    return done;
  }

  /** The power is gone at a write; nobody waits for what follows from it. */
  function lose(): void {
    cut().catch((error) => logger.error(`the loss of power: ${messageOf(error)}`));
  }

  function cut(): Promise<void> {
    run.supply.cut();
    return inTurn(async () => {
      if (!powered) return;
      powered = false;
      run.supply.cut();
      run.os.network.setUp(false);
      await Promise.all([run.rest.stop(), run.os.stop()]);
    });
  }

  return {
    ...{ number: state.number, deviceId: run.os.deviceId },
    /** The device as it runs now; after a loss of power another one. */
    get os(): VirtualDevice {
      return run.os;
    },
    get powered(): boolean {
      return powered;
    },
    /** Where its REST API listens. */
    get rest() {
      return run.rest.description;
    },
    async begin(first: AppImage): Promise<void> {
      app = first;
      await run.os.begin(first);
    },
    /** Puts an app there by cable. @throws LabError device-off, install-refused */
    async install(next: AppImage): Promise<void> {
      if (!powered) throw deviceOff(run.os.deviceId);
      await run.os.install(next);
      app = next;
    },
    /** Takes its power away at once: nothing is closed in order and nothing is written any more. */
    cutPower: cut,
    /** The same at the write to its flash after so many others. */
    failPowerAfter: (writes: number): void => run.supply.failAfter(writes),
    /** Gives the power back: what the flash holds runs. Without an app there, that of the cable. */
    powerOn: (): Promise<void> =>
      inTurn(async () => {
        if (powered) return;
        run = await create(run);
        powered = true;
        // Waiting would hold up a cut that comes meanwhile.
        void run.os.wake(app).catch((error) => {
          if (powered) logger.error(`the device does not come up: ${messageOf(error)}`);
        });
      }),
    stop: (): Promise<void> =>
      inTurn(async () => {
        await run.rest.stop();
        if (powered) await run.os.stop();
        powered = false;
      }),
  };
}

export function deviceOff(deviceId: string): LabError {
  return new LabError(
    "device-off",
    `The device ${deviceId.slice(0, 12)}… has no power.`,
    'Switch it on: POST /device/power {"on":true}.',
  );
}
