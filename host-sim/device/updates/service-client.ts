import type { KeyObject } from "node:crypto";
import { request } from "node:https";
import type { Clock } from "../../clock/index.ts";
import { LabError, systemErrorCode } from "../../errors.ts";
import { generateKeyPair, privateKeyPem } from "../../pki/index.ts";
import type { Attest } from "../device-auth.ts";
import type { Network } from "../network.ts";
import type { DeviceEvent, DeviceState, OfferedImage, UpdateManifest } from "./protocol.ts";

export interface ServiceClientOptions {
  readonly clock: Clock;
  readonly network: Network;
  readonly deviceId: string;
  /** Signs a nonce and a public key with the chip's attestation key; base64. */
  readonly answer: (nonce: string, publicKey: KeyObject) => string;
}

export type ServiceClient = ReturnType<typeof createServiceClient>;

/** The name and port under which devices know the service. */
export const SERVICE_HOST = "prod.core.sphere.azure.net";
export const SERVICE_PORT = 443;
/** A server that says nothing is given up; this is transport, so it counts real time. */
const SILENCE_MS = 30_000;
/** A certificate that ends so soon is not used any more. */
const MARGIN_MS = 60_000;

interface Credentials {
  readonly key: string;
  readonly certificate: string;
  readonly notAfter: number;
}

interface Attested {
  readonly update: { readonly certificate: string; readonly notAfter: number };
  readonly customer?: Awaited<ReturnType<Attest>>;
}

/** The device's side of the Security Service: attestation, update manifests, downloads, reports. */
export function createServiceClient(options: ServiceClientOptions) {
  const { clock, network, deviceId } = options;
  let credentials: Credentials | undefined;
  let inFlight = 0;
  let stopped = new AbortController();

  async function call(method: string, path: string, body?: unknown, identity?: Credentials) {
    const route = network.up ? network.resolve(SERVICE_HOST, SERVICE_PORT) : undefined;
    if (!route) throw unreachable(network.up ? "no server answers to its name" : "no network");
    inFlight += 1;
    try {
      return await exchange({ ...route, method, path, body, identity, signal: stopped.signal });
    } finally {
      inFlight -= 1;
    }
  }

  const json = async <T>(path: string, body: unknown, identity?: Credentials): Promise<T> =>
    JSON.parse((await call("POST", path, body, identity)).toString("utf8"));

  async function attestation(publicKey: KeyObject): Promise<Attested> {
    const { nonce } = await json<{ nonce: string }>("/device/v1/attestation/nonce", {});
    return json("/device/v1/attestation", {
      deviceId,
      nonce,
      publicKey: publicKey.export({ type: "spki", format: "der" }).toString("base64"),
      signature: options.answer(nonce, publicKey),
    });
  }

  /** The certificate of the operating system, which no app sees. */
  async function identity(): Promise<Credentials> {
    if (credentials && credentials.notAfter > clock.now() + MARGIN_MS) return credentials;
    const key = generateKeyPair("P-256");
    const { update } = await attestation(key.publicKey);
    credentials = { key: privateKeyPem(key.privateKey), ...update };
    return credentials;
  }

  /** A refused certificate is renewed once: the clock may have been set since it was issued. */
  async function asDevice<T>(run: (identity: Credentials) => Promise<T>): Promise<T> {
    try {
      return await run(await identity());
    } catch (error) {
      if (!(error instanceof ServiceRefusal) || error.serviceCode !== "CertificateRefused")
        throw error;
      credentials = undefined;
      return run(await identity());
    }
  }

  return {
    /** Requests that are under way. */
    get inFlight(): number {
      return inFlight;
    },
    /** The certificate for apps. @throws LabError device-unclaimed, service-unreachable … */
    attest: (async (publicKey) => {
      const { customer } = await attestation(publicKey);
      if (customer) return customer;
      throw new LabError(
        "device-unclaimed",
        "The device belongs to no tenant, so it gets no certificate for apps.",
        "Claim it: `spherule device claim`.",
      );
    }) satisfies Attest,
    manifest: (state: DeviceState): Promise<UpdateManifest> =>
      asDevice((own) => json("/device/v1/update/manifest", state, own)),
    download: ({ path }: OfferedImage): Promise<Uint8Array> =>
      asDevice((own) => call("GET", path, undefined, own)),
    async report(state: DeviceState, events: readonly DeviceEvent[]): Promise<void> {
      await asDevice((own) => json("/device/v1/update/report", { ...state, events }, own));
    },
    /** Ends what is under way. */
    stop(): void {
      stopped.abort(new Error("the device stops"));
      stopped = new AbortController();
    },
  };
}

interface Exchange {
  readonly host: string;
  readonly port: number;
  readonly ca?: string;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly identity: Credentials | undefined;
  readonly signal: AbortSignal;
}

/** One request on a connection of its own: a device asks twice a day. */
function exchange({ host, port, ca, identity, ...what }: Exchange): Promise<Buffer> {
  const { method, path, body, signal } = what;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(signal.aborted ? error : unreachable(systemErrorCode(error) || error.message));
    const outgoing = request(
      {
        ...{ host, port, ca, method, path, signal },
        ...{ servername: SERVICE_HOST, agent: false, timeout: SILENCE_MS },
        ...{ key: identity?.key, cert: identity?.certificate },
        headers: { host: SERVICE_HOST, "content-type": "application/json" },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          if (response.statusCode === 200 && response.complete) resolve(bytes);
          else reject(refusalOf(bytes, response.statusCode));
        });
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer")));
    outgoing.on("error", fail);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The service answered, but not with what was asked for. */
class ServiceRefusal extends LabError {
  /** As the service names it, e.g. `CertificateRefused`. */
  readonly serviceCode: string;

  constructor(serviceCode: string, message: string, hint: string) {
    super("service-refused", message, hint);
    this.serviceCode = serviceCode;
  }
}

function refusalOf(bytes: Buffer, status: number | undefined): LabError {
  try {
    const { error } = JSON.parse(bytes.toString("utf8"));
    const hint = error.additionalInfo?.[0]?.info?.hint ?? "The lab's log says why.";
    return new ServiceRefusal(String(error.code), String(error.message), String(hint));
  } catch {
    const message = `The Security Service answered with HTTP status ${status}.`;
    return new ServiceRefusal("", message, "The lab's log says why.");
  }
}

function unreachable(problem: string): LabError {
  return new LabError(
    "service-unreachable",
    `The Security Service cannot be reached: ${problem}.`,
    "The device tries again by itself; see that the lab runs and the network is up.",
  );
}
