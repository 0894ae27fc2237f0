import { networkInterfaces } from "node:os";
import type { AppImage } from "../device/app.ts";
import { createDiscovery } from "../device-rest/index.ts";
import { createLogger, type LogSink } from "../log.ts";
import type { ManufacturedDevice } from "../security-service/index.ts";
import type { LabDescription } from "./description.ts";
import { type LabDevice, type LabDeviceOptions, startLabDevice } from "./lab-device.ts";
import type { LabState } from "./state.ts";

type Shared = Omit<
  LabDeviceOptions,
  "state" | "labState" | "surroundings" | "manufactured" | "logger" | "rest" | "accessPoints"
>;

export interface DevicesOptions extends Shared {
  readonly state: LabState;
  readonly manufactured: readonly ManufacturedDevice[];
  /** Address of the devices' listeners; their own or 127.0.0.1 when absent. */
  readonly host?: string;
  /** Of the first device; those that share its address have the next ones. 0 when absent. */
  readonly restPort?: number;
  readonly outputPort?: number;
  readonly gdbPort?: number;
  readonly discoveryPort?: number;
  readonly publishLine: LogSink;
}

const LOOPBACK = "127.0.0.1";
const HTTPS_PORT = 443;
/** Where the cable of the first device is plugged in. */
const FIRST_CONNECTION_PATH = 223;

/** All devices of a lab, and the service by which tools find them. */
export async function startDevices(options: DevicesOptions) {
  const { manufactured, state, host, discoveryPort, publishLine, ...rest } = options;
  const { restPort, outputPort, gdbPort, ...shared } = rest;
  const addresses = deviceAddresses(manufactured.length, host, ownAddresses());
  const all: LabDevice[] = [];
  const discovery = createDiscovery({
    ...{ host: host ?? LOOPBACK, port: discoveryPort ?? 0 },
    devices: () => all.filter(({ powered }) => powered).map(attached),
  });

  async function stop(): Promise<void> {
    await discovery.stop();
    await Promise.all(all.map((device) => device.stop()));
  }

  try {
    for (const [index, chip] of manufactured.entries()) {
      const number = index + 1;
      const sink = number === 1 ? publishLine : numbered(publishLine, number);
      const ownPort = (first: number | undefined) => portOf(first, addresses, index);
      const device = await startLabDevice({
        ...shared,
        ...{ manufactured: chip, labState: state, surroundings: state.store },
        state: state.device(number),
        logger: createLogger("device", () => options.clock.now(), sink),
        rest: {
          host: addresses[index] ?? LOOPBACK,
          ...{
            port: ownPort(restPort),
            outputPort: ownPort(outputPort),
            gdbPort: ownPort(gdbPort),
          },
        },
      });
      all.push(device);
    }
    const [first] = all;
    if (!first) throw new Error("a lab has a device");
    const at = await discovery.start();
    return {
      ...{ all, first, stop },
      /** All come up together; the answer comes when each runs the app. */
      async begin(app: AppImage): Promise<void> {
        await Promise.all(all.map((device) => device.begin(app)));
      },
      async install(app: AppImage): Promise<void> {
        const powered = all.filter((device) => device.powered);
        await Promise.all(powered.map((device) => device.install(app)));
      },
      description: (): Pick<LabDescription, "deviceRest" | "devices" | "discovery"> => ({
        deviceRest: restOf(first),
        discovery: { address: at.host, port: at.port },
        devices: all.map(described),
      }),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** 192.168.35.2, .3 … when this computer has all of them, as real devices do; otherwise one for all. */
export function deviceAddresses(
  count: number,
  host: string | undefined,
  own: ReadonlySet<string>,
): string[] {
  const real = Array.from({ length: count }, (_, index) => `192.168.35.${index + 2}`);
  const there = host === undefined && real.every((address) => own.has(address));
  return there ? real : real.map(() => host ?? LOOPBACK);
}

function ownAddresses(): Set<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.map(({ address }) => address));
}

/** Devices that share an address have ports that follow each other. */
function portOf(first = 0, addresses: readonly string[], index: number): number {
  const shared = index > 0 && addresses[index] === addresses[0];
  return first === 0 || !shared ? first : first + index;
}

/** A device that was off has another socket afterwards, so it is looked at when somebody asks. */
function restOf(device: LabDevice): LabDescription["deviceRest"] {
  const { address, port, ca } = device.rest;
  return {
    ...{ address, port, ca },
    get recovery() {
      return device.rest.recovery;
    },
  };
}

function described(device: LabDevice): LabDescription["devices"][number] {
  const { address, port } = device.rest;
  return {
    deviceId: device.deviceId,
    rest: { address, port },
    get recovery() {
      return device.rest.recovery;
    },
  };
}

function attached({ number, rest }: LabDevice) {
  return {
    IpAddress: rest.address,
    DeviceConnectionPath: String(FIRST_CONNECTION_PATH + number - 1),
    ...(rest.port === HTTPS_PORT ? {} : { Port: rest.port }),
  };
}

/** Lines of the second device come from `device-2` and `app-2`. */
function numbered(sink: LogSink, number: number): LogSink {
  return (line) => sink({ ...line, source: `${line.source}-${number}` });
}
