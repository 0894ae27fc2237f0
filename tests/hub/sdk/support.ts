import type { IncomingHttpHeaders } from "node:http";
import { globalAgent, request } from "node:https";
import { createRequire } from "node:module";
import { join } from "node:path";
import azureDevice, { type Client } from "azure-iot-device";
import azureMqtt from "azure-iot-device-mqtt";
import azureIothub from "azure-iothub";
import type { HubOptions } from "../../../host-sim/hub/hub.ts";
import { createSasToken } from "../../../host-sim/hub/service/sas.ts";
import { packageFolder } from "../../../host-sim/paths.ts";
import {
  DPS_DEVICE_NAME,
  DPS_NAME,
  EVENT_HUB_NAME,
  HUB_NAME,
  startHub,
  type TestHub,
} from "../support.ts";

export * from "../support.ts";

// What `spherule exec` loads into its clients: real names and ports lead to the hub under test.
createRequire(import.meta.url)(join(packageFolder(), "host-sim/hub/redirect/preload.cjs"));

/** A hub that the official SDKs reach under its real name. */
export async function startRedirectedHub(options: Partial<HubOptions> = {}) {
  const lab = await startHub(undefined, options);
  const { mqtt, https, amqp } = lab.addresses;
  const names = [HUB_NAME, EVENT_HUB_NAME, DPS_NAME, DPS_DEVICE_NAME, "management.azure.com"];
  process.env.SPHERULE_REDIRECTS = JSON.stringify(
    Object.fromEntries(
      names.flatMap((name) => [
        [`${name}:8883`, `127.0.0.1:${mqtt.port}`],
        [`${name}:443`, `127.0.0.1:${https.port}`],
        [`${name}:5671`, `127.0.0.1:${amqp.port}`],
      ]),
    ),
  );
  const connectionString = lab.hub.policies.connectionString;
  return {
    ...lab,
    connectionString,
    async stop() {
      // The SDKs share one pool; a connection to a hub that is gone must not serve the next test.
      globalAgent.destroy();
      await lab.stop();
    },
    registry: azureIothub.Registry.fromConnectionString(connectionString),
  };
}

export type RedirectedHub = Awaited<ReturnType<typeof startRedirectedHub>>;

/** The SDKs' answer with its body. */
export async function bodyOf<T>(answer: Promise<unknown>): Promise<T> {
  return ((await answer) as { responseBody: T }).responseBody;
}

/** The error that the SDK makes of a refusal. */
export async function errorOf(answer: Promise<unknown>): Promise<Error> {
  try {
    await answer;
  } catch (error) {
    return error as Error;
  }
  throw new Error("The SDK was not refused");
}

/** A device of the official SDK with a symmetric key, connected over the transport. */
export async function connectDevice(
  lab: Pick<TestHub, "hub">,
  deviceId: string,
  transport: unknown = azureMqtt.Mqtt,
): Promise<Client> {
  const device = lab.hub.devices.find(deviceId) ?? lab.hub.devices.create({ deviceId });
  const { authentication } = device;
  const key = authentication.type === "sas" ? authentication.symmetricKey.primaryKey : "";
  const text = `HostName=${HUB_NAME};DeviceId=${deviceId};SharedAccessKey=${key}`;
  const client = azureDevice.Client.fromConnectionString(text, transport as typeof azureMqtt.Mqtt);
  await client.open();
  return client;
}

export interface RestRequest {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The hub's name when absent. */
  readonly host?: string;
}

/** A bare HTTPS request to a real name, on a connection of its own. */
export function rest(
  path: string,
  token = "",
  method = "GET",
  { body, headers: more, host = HUB_NAME }: RestRequest = {},
): Promise<RestAnswer> {
  const headers = {
    ...(token === "" ? {} : { authorization: token }),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...more,
  };
  return new Promise((resolve, reject) => {
    const asked = request({ host, path, method, headers, agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const { statusCode: status = 0, headers: answered } = response;
      resolve({ status, headers: answered, text: Buffer.concat(chunks).toString() });
    });
    asked.on("error", reject);
    const text = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    asked.end(text);
  });
}

/** What the owner of the hub may ask on any of its service routes. */
export function asOwner(
  { hub, clock }: Pick<TestHub, "hub" | "clock">,
  method: string,
  path: string,
  given: RestRequest = {},
): Promise<RestAnswer> {
  const { key = "" } = hub.policies.find("iothubowner") ?? {};
  const expiry = Math.floor(clock.now() / 1000) + 3600;
  const at = path.includes("?") ? "&" : "?";
  const token = createSasToken(HUB_NAME, key, expiry, "iothubowner");
  return rest(`${path}${at}api-version=2021-04-12`, token, method, given);
}

export interface RestAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}
