import { readFileSync } from "node:fs";
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { type Clock, SteppedClock } from "../../host-sim/clock/index.ts";
import { createDps } from "../../host-sim/hub/dps/dps.ts";
import { createHub, type HubOptions } from "../../host-sim/hub/hub.ts";
import { createListeners } from "../../host-sim/hub/listeners.ts";
import { silentLogger } from "../../host-sim/log.ts";
import {
  type Authority,
  createCertificate,
  createServerRoot,
  generateKeyPair,
  issueServerCertificate,
  loadAuthority,
  privateKeyPem,
} from "../../host-sim/pki/index.ts";
import { openMemoryStore, type Store } from "../../host-sim/store/index.ts";

export const HUB_NAME = "contoso.azure-devices.net";
const DAY_MS = 86_400_000;
// Benchmarks trust it explicitly; only official SDKs need one that Node was started with.
const rootFile = process.env.SPHERULE_TEST_ROOT;
const serverRoot = rootFile
  ? loadAuthority(JSON.parse(readFileSync(rootFile, "utf8")))
  : createServerRoot();
export const EVENT_HUB_NAME = "contoso.servicebus.windows.net";
export const DPS_NAME = "contoso-dps.azure-devices-provisioning.net";
export const DPS_DEVICE_NAME = "global.azure-devices-provisioning.net";
export const credentials = issueServerCertificate(serverRoot, {
  dns: [HUB_NAME, "localhost", EVENT_HUB_NAME, DPS_NAME, DPS_DEVICE_NAME, "management.azure.com"],
  ip: ["127.0.0.1"],
});

/** The root that clients trust. */
export const CA = serverRoot.certificate;

export function makeAuthority(clock: Clock, name = "Contoso CA"): Authority {
  const key = generateKeyPair();
  const subject = { O: "Contoso", CN: name };
  const certificate = createCertificate({
    subject,
    issuer: subject,
    publicKey: key.publicKey,
    issuerKey: key,
    notBefore: clock.now() - DAY_MS,
    notAfter: clock.now() + 365 * DAY_MS,
    authority: {},
  });
  return { subject, certificate, key };
}

export function makeLeaf(authority: Authority, commonName: string, notBefore: number) {
  const key = generateKeyPair();
  const cert = createCertificate({
    subject: { CN: commonName },
    issuer: authority.subject,
    publicKey: key.publicKey,
    issuerKey: authority.key,
    notBefore,
    notAfter: notBefore + DAY_MS,
    usage: "client",
  });
  return { key: privateKeyPem(key.privateKey), cert };
}

/** A running hub with one verified CA. */
export async function startHub(
  store: Store = openMemoryStore(),
  options: Partial<HubOptions> = {},
  transportClock?: Clock,
) {
  const clock =
    options.clock instanceof SteppedClock ? options.clock : new SteppedClock(Date.UTC(2026, 5, 1));
  const hub = createHub({ hostName: HUB_NAME, store, logger: silentLogger, ...options, clock });
  const dps = createDps({
    ...{ hostName: DPS_NAME, store, clock, logger: silentLogger, hubs: [hub] },
    retryAfterSeconds: 0,
  });
  const authority = makeAuthority(clock);
  hub.certificates.add("ca", authority.certificate);
  const code = hub.certificates.generateVerificationCode("ca");
  hub.certificates.verify("ca", makeLeaf(authority, code, clock.now()).cert);
  const server = createListeners({
    ...{ hub, dps, host: "127.0.0.1", credentials, transportClock },
  });
  const addresses = await server.start();
  const { port } = addresses.mqtt;
  const clients: MqttClient[] = [];

  /** Makes an X.509 CA-signed device and the options that connect it. */
  function device(deviceId: string, overrides: IClientOptions = {}): IClientOptions {
    if (!hub.devices.find(deviceId)) {
      hub.devices.create({ deviceId, authentication: { type: "certificateAuthority" } });
    }
    return {
      host: "127.0.0.1",
      port,
      protocol: "mqtts",
      servername: HUB_NAME,
      ca: CA,
      ...makeLeaf(authority, deviceId, clock.now()),
      clientId: deviceId,
      username: `${HUB_NAME}/${deviceId}/?api-version=2021-04-12`,
      clean: true,
      reconnectPeriod: 0,
      protocolVersion: 4,
      ...overrides,
    } as IClientOptions;
  }

  /** Connects; rejects with the CONNACK code in `code`. */
  function dial(options: IClientOptions): Promise<MqttClient> {
    const client = connect(options);
    clients.push(client);
    return new Promise((resolve, reject) => {
      client.once("connect", () => resolve(client));
      client.once("error", reject);
      client.once("close", () => reject(Object.assign(new Error("closed"), { code: -1 })));
    });
  }

  return {
    hub,
    dps,
    clock,
    port,
    addresses,
    authority,
    server,
    device,
    dial,
    async stop() {
      await Promise.all(clients.map((client) => client.endAsync(true)));
      await server.stop();
      await hub.stop();
    },
  };
}

export type TestHub = Awaited<ReturnType<typeof startHub>>;

/** The next message on a topic that starts with `prefix`. */
export function nextMessage(client: MqttClient, prefix: string) {
  return new Promise<{ topic: string; text: string; dup: boolean }>((resolve) => {
    const onMessage = (topic: string, payload: Buffer, packet: { dup: boolean }) => {
      if (!topic.startsWith(prefix)) return;
      client.removeListener("message", onMessage);
      resolve({ topic, text: payload.toString("utf8"), dup: packet.dup });
    };
    client.on("message", onMessage);
  });
}
