import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { isIP } from "node:net";
import { LabError, messageOf } from "../../errors.ts";
import { readBytes } from "../../lab/package-app.ts";
import { connectLab } from "../context.ts";
import { refusalOf } from "./device-errors.ts";
import { notFound, usage } from "./errors.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** A device that is attached to this computer, as far as that can be told without asking it. */
export interface AttachedDevice {
  readonly address: string;
  readonly port: number;
  /** Where its cable is plugged in. */
  readonly path: string;
  /** PEM texts of the CAs that its certificate may be from. */
  readonly ca: readonly string[];
  /** Where these are from, as errors say it. */
  readonly caFrom: string;
  /** Socket of its boot loader, by which it is recovered. */
  readonly recovery?: string;
}

export type Trace = (line: string) => void;

export interface Device extends AttachedDevice {
  /** @throws LabError device-refused, device-unreachable, device-silent */
  get<T>(path: string): Promise<T>;
  send<T>(method: string, path: string, body?: unknown): Promise<T>;
  upload(path: string, bytes: Uint8Array): Promise<void>;
  download(path: string): Promise<Buffer>;
}

const TIMEOUT_MS = 30_000;
const RELEASED_PORT = 443;
/** Of the first device that a discovery service lists. */
const FIRST_CONNECTION_PATH = 223;
/** What official clients put into `Host`, whichever device they speak to. */
const HOST_HEADER = "*.devices.sphere.azure.local";

/**
 * Attached devices: those of `SPHERULE_DEVICE_REST`, those that the discovery service of
 * `SPHERULE_DEVICE_DISCOVERY` knows, or the one of the running lab.
 */
export async function attachedDevices(env: Env): Promise<readonly AttachedDevice[]> {
  if (env.SPHERULE_DEVICE_DISCOVERY) return discovered(env.SPHERULE_DEVICE_DISCOVERY, env);
  if (env.SPHERULE_DEVICE_REST) return named(env.SPHERULE_DEVICE_REST, env);
  const lab = await connectLab().catch((error: unknown) => {
    if (error instanceof LabError && error.code === "no-lab") return undefined;
    throw error;
  });
  if (!lab) return [];
  const { deviceRest, devices } = lab.endpoints;
  const ca = [pem(deviceRest.ca)];
  const caFrom = `The lab names ${deviceRest.ca}`;
  return devices.map(({ rest: { address, port }, recovery }, index) => {
    return { address, port, path: String(index + 1), ca, caFrom, recovery };
  });
}

function authorities({ SPHERULE_DEVICE_CA: files = "" }: Env) {
  const ca = files
    .split(",")
    .filter((file) => file !== "")
    .map((file) => inVariable("SPHERULE_DEVICE_CA", () => certificatesIn(file)));
  const caFrom = files === "" ? "SPHERULE_DEVICE_CA is not set" : `SPHERULE_DEVICE_CA is ${files}`;
  return { ca, caFrom };
}

/** Errors of the file say which variable names it. */
function inVariable<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    throw new LabError(error.code, `${name}: ${error.message}`, error.hint);
  }
}

/** @throws LabError file-unreadable, certificate-invalid */
function certificatesIn(file: string): string {
  const text = pem(file);
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new LabError(
    "certificate-invalid",
    `${file} has no certificate in PEM.`,
    "Name the device-ca.pem that `spherule device-server` prints as `trust`.",
  );
}

const pem = (file: string): string => Buffer.from(readBytes(file)).toString("utf8");

function named(urls: string, env: Env): AttachedDevice[] {
  const trust = authorities(env);
  const sockets = (env.SPHERULE_DEVICE_RECOVERY ?? "").split(",");
  return urls.split(",").map((url, index) => {
    const { hostname, port } = parseUrl(url);
    const recovery = sockets[index] || undefined;
    const path = String(index + 1);
    return { address: hostname, port: Number(port || RELEASED_PORT), path, ...trust, recovery };
  });
}

function parseUrl(url: string): URL {
  try {
    return new URL(url);
  } catch {
    throw usage(
      `SPHERULE_DEVICE_REST has '${url}', which is no address.`,
      "Set it to addresses such as https://127.0.0.1:40123, separated by commas.",
    );
  }
}

/** What the discovery service says of a device; a port only where it is not the usual one. */
interface Listed {
  readonly IpAddress: string;
  readonly DeviceConnectionPath: string;
  readonly Port?: number;
}

async function discovered(service: string, env: Env): Promise<AttachedDevice[]> {
  const response = await fetch(`${service}/api/service/devices`).catch((error: unknown) => {
    throw new LabError(
      "device-unreachable",
      `The discovery service at ${service} does not answer: ${messageOf(error)}.`,
      "`spherule device-server` prints where its own listens.",
    );
  });
  const listed = (await response.json()) as Listed[];
  const trust = authorities(env);
  const sockets = (env.SPHERULE_DEVICE_RECOVERY ?? "").split(",");
  return listed.map(({ IpAddress: address, DeviceConnectionPath: path, Port }) => {
    const port = Port ?? Number(env.SPHERULE_DEVICE_PORT ?? RELEASED_PORT);
    // The list leaves out what has no power; the paths tell which of the devices these are.
    const recovery = sockets[Number(path) - FIRST_CONNECTION_PATH] || undefined;
    return { address, port, path, ...trust, recovery };
  });
}

/** The device that `--device` names, or the only one. @throws LabError */
export async function pickDevice(
  attached: readonly AttachedDevice[],
  wanted: string | undefined,
  trace?: Trace,
): Promise<Device> {
  if (attached.length === 0) throw unreachable("No device is attached.");
  if (wanted === undefined) {
    if (attached.length === 1 && attached[0]) return connect(attached[0], trace);
    throw usage(
      `${attached.length} devices are attached.`,
      `Name one with --device: ${attached.map(({ path }) => path).join(", ")}.`,
    );
  }
  for (const device of attached) {
    const { address, port, path } = device;
    if ([path, `${address}:${port}`].includes(wanted)) return connect(device, trace);
  }
  const sameAddress = attached.filter(({ address }) => address === wanted);
  if (sameAddress.length === 1 && sameAddress[0]) return connect(sameAddress[0], trace);
  for (const each of attached) {
    const device = connect(each, trace);
    const id = await deviceIdOf(device).catch(() => "");
    if (id.toLowerCase() === wanted.toLowerCase()) return device;
  }
  throw notFound(
    `No attached device is '${wanted}'.`,
    "`azsphere device list-attached` shows ids, addresses and connection paths.",
  );
}

export async function deviceIdOf(device: Device): Promise<string> {
  const state = await device.get<{ deviceIdentifier: string }>("/device/security_state");
  return state.deviceIdentifier;
}

/** @param trace is told each request and its outcome */
export function connect(attached: AttachedDevice, trace: Trace = () => {}): Device {
  const exchange = async (request: Exchange) => {
    const line = `${request.method} https://${attached.address}:${attached.port}${request.path}`;
    trace(line);
    return transfer(attached, request);
  };
  const json = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const answer = await exchange({ method, path, payload, type: "application/json" });
    return JSON.parse(answer.toString("utf8")) as T;
  };
  return {
    ...attached,
    get: (path) => json("GET", path),
    send: json,
    async upload(path, bytes) {
      const type = "application/octet-stream";
      await exchange({ method: "PUT", path, payload: Buffer.from(bytes), type });
    },
    download: (path) => exchange({ method: "GET", path, type: "application/json" }),
  };
}

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly payload?: Buffer;
  readonly type: string;
}

function transfer(
  { address, port, ca, caFrom }: AttachedDevice,
  { method, path, payload, type }: Exchange,
): Promise<Buffer> {
  const headers = {
    host: HOST_HEADER,
    accept: "application/json",
    ...(payload ? { "content-type": type, "content-length": payload.length } : {}),
  };
  // The certificate has to be for the address that was dialled, not for the name in `Host`.
  const servername = isIP(address) ? "" : address;
  return new Promise((resolve, reject) => {
    const call = request(
      { ...{ host: address, port, ca: [...ca], method, path, headers, agent: false }, servername },
      async (response) => {
        const chunks: Buffer[] = [];
        try {
          for await (const chunk of response) chunks.push(chunk);
        } catch (error) {
          return reject(unreachable(messageOf(error)));
        }
        const body = Buffer.concat(chunks);
        const status = response.statusCode ?? 0;
        if (status < 300) resolve(body);
        else reject(refusalOf(status, body.toString("utf8"), headerOf(response)));
      },
    );
    call.setTimeout(TIMEOUT_MS, () => call.destroy(silent()));
    call.on("error", (error) => reject(failureOf(error, caFrom)));
    call.end(payload);
  });
}

const headerOf = ({ headers }: IncomingMessage): string | undefined =>
  [headers["spherule-detail"]].flat()[0];

/** What OpenSSL and Node say of a certificate that nobody vouches for. */
const CERTIFICATE_PROBLEM = /CERT|UNABLE_TO_|SELF_SIGNED|SIGNATURE/;

function failureOf(error: NodeJS.ErrnoException, caFrom: string): LabError {
  if (error instanceof LabError) return error;
  if (!CERTIFICATE_PROBLEM.test(error.code ?? "")) return unreachable(error.message);
  return new LabError(
    "device-unreachable",
    `The certificate of the device is not trusted: ${error.message}. ${caFrom}.`,
    "Set SPHERULE_DEVICE_CA to the device-ca.pem that `spherule device-server` prints as `trust`.",
  );
}

function unreachable(why: string): LabError {
  return new LabError(
    "device-unreachable",
    `Could not connect to the device; please ensure it is attached. (${why})`,
    "Type `spherule start` or `spherule device-server`, or put it behind `spherule exec --`.",
  );
}

function silent(): LabError {
  return new LabError(
    "device-silent",
    "The device is not responding. The device may be unresponsive if it is applying an Azure " +
      "Sphere operating system update; please retry in a few minutes.",
    "The lab's log says what the device does.",
  );
}
