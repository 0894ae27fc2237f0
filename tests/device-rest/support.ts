import { Agent, request } from "node:https";
import { connect } from "node:tls";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import type { PackagedProgram } from "../../host-sim/device/app.ts";
import { createBoard } from "../../host-sim/device/board.ts";
import type { DeviceAuth } from "../../host-sim/device/device-auth.ts";
import type { ImageTrust } from "../../host-sim/device/images.ts";
import { createNetwork } from "../../host-sim/device/network.ts";
import { createSphereOs } from "../../host-sim/device/sphere-os.ts";
import { type MutableStorage, memoryStorage } from "../../host-sim/device/storage.ts";
import { createDeviceSystem, type SystemOptions } from "../../host-sim/device/system/system.ts";
import {
  createDeviceRestServer,
  type DeviceRestOptions,
  deviceAuthority,
  deviceCredentials,
} from "../../host-sim/device-rest/index.ts";
import { createLogger, type LogLine } from "../../host-sim/log.ts";
import { manufactureDevice } from "../../host-sim/security-service/index.ts";
import { openMemoryStore, type Store } from "../../host-sim/store/index.ts";

const authority = deviceAuthority(openMemoryStore());
export const CREDENTIALS = deviceCredentials(authority, "127.0.0.1");

/** The device's CA, in PEM. */
export const CA = authority.certificate;
export const REBOOT_MS = 1_000;
export const BUTTON = 12;

export const noDeviceAuth: DeviceAuth = {
  current: () => undefined,
  onReady: () => () => {},
  start() {},
  stop() {},
};

export interface TestDeviceOptions extends Partial<Omit<SystemOptions, "clock" | "deviceId">> {
  readonly rest?: Partial<DeviceRestOptions>;
  readonly deviceAuth?: DeviceAuth;
  readonly trust?: ImageTrust;
  readonly packagedProgram?: PackagedProgram;
  /** Storage of apps that outlives this device. */
  readonly storages?: Map<string, MutableStorage>;
}

/** A virtual device on a stepped clock. */
export function createDevice(options: TestDeviceOptions = {}) {
  const clock = new SteppedClock(Date.UTC(2026, 5, 1));
  const lines: LogLine[] = [];
  const logger = createLogger(
    "device",
    () => clock.now(),
    (line) => lines.push(line),
  );
  const { deviceId } = manufactureDevice();
  const store: Store = options.store ?? openMemoryStore();
  const system = createDeviceSystem({ factory: "fresh", ...options, store, clock, deviceId });
  const storages = options.storages ?? new Map<string, MutableStorage>();
  const storage = (componentId: string) => {
    const found = storages.get(componentId) ?? memoryStorage();
    storages.set(componentId, found);
    return found;
  };
  const pins = new Map([["BUTTON_A", BUTTON]]);
  const os = createSphereOs({
    ...{ clock, logger, deviceId, system, storage, store, rebootMs: REBOOT_MS },
    trust: options.trust,
    packagedProgram: options.packagedProgram,
    board: createBoard("test board", [4, 8, 9, 10, BUTTON, 13], pins),
    network: createNetwork({ routes: new Map(), link: system.link }),
    deviceAuth: options.deviceAuth ?? noDeviceAuth,
  });
  return { os, clock, logger, lines, store, storages, system, deviceId };
}

/** A device with its REST API on a real socket. */
export async function startRest(options: TestDeviceOptions = {}) {
  const device = createDevice(options);
  const { os, logger } = device;
  os.start();
  const server = createDeviceRestServer({
    ...{ os, logger, host: "127.0.0.1", port: 0, credentials: CREDENTIALS },
    ...options.rest,
  });
  const { port } = await server.start();
  const { agent, call, close } = client(port);
  return {
    ...device,
    ...{ server, port, agent, call },
    get: (path: string) => call("GET", path),
    /** Waits for a device that restarts: lets its time pass until it answers again. */
    async restarted(): Promise<void> {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        device.clock.advance(REBOOT_MS);
        if (os.on && (await answers(port))) return;
      }
    },
    async stop(): Promise<void> {
      close();
      await server.stop();
      await os.stop();
    },
  };
}

/** Sends requests to a device's REST API. */
export function client(port: number) {
  const agent = new Agent({ keepAlive: true, ca: CA });
  return {
    agent,
    call: (method: string, path: string, body?: unknown, headers = {}) =>
      send({ port, agent, method, path, body, headers }),
    close: () => agent.destroy(),
  };
}

export type TestRest = Awaited<ReturnType<typeof startRest>>;

export interface Answer {
  readonly status: number;
  /** The text of the body as it was sent. */
  readonly text: string;
  readonly bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into all shapes
  readonly json: any;
  readonly headers: NodeJS.Dict<string | string[]>;
}

interface Sent {
  readonly port: number;
  readonly agent: Agent;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string | undefined>;
}

/** Bytes are sent as they are, text as JSON as it is, anything else as its JSON. */
function send({ port, agent, method, path, body, headers = {} }: Sent): Promise<Answer> {
  const raw = Buffer.isBuffer(body) || typeof body === "string" || body === undefined;
  const payload = raw ? body : JSON.stringify(body);
  const json = body !== undefined && !Buffer.isBuffer(body);
  const sent = { ...(json ? { "content-type": "application/json" } : {}), ...headers };
  const given = Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== undefined));
  return new Promise((resolve, reject) => {
    const call = request(
      { host: "127.0.0.1", port, agent, method, path, headers: given as Record<string, string> },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          const text = bytes.toString("utf8");
          const isJson = response.headers["content-type"] === "application/json";
          const parsed = isJson ? JSON.parse(text) : undefined;
          const { statusCode: status = 0 } = response;
          resolve({ status, text, bytes, json: parsed, headers: response.headers });
        });
      },
    );
    call.on("error", reject);
    call.end(payload);
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, ca: CA, servername: "localhost" });
    socket.on("secureConnect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Checks status and error number of an answer. */
export const refusal = ({ status, json }: Answer) => [status, json.error];
