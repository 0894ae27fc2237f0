import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { type RequestOptions, request } from "node:https";
import { LabError } from "../errors.ts";
import { shortName } from "../hub/names.ts";
import { createSasToken } from "../hub/service/sas.ts";
import type { LabContext } from "./context.ts";

export type Method = "GET" | "PUT" | "POST" | "PATCH" | "DELETE";

export interface RestRequest {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls one of the lab's services as any client does: real TLS, real name, a token. */
export interface Rest {
  <T>(method: Method, path: string, request?: RestRequest): Promise<T>;
  /** All rows of a query, page by page; at most `most`. */
  rows<T>(path: string, query: string, most?: number): Promise<T[]>;
}

/** Commands run at any time of the lab's clock; their tokens do not end before it. */
const EXPIRY_SECONDS = Date.UTC(2100, 0, 1) / 1000;
const LARGEST_PAGE = 1000;
const HUB_API = "2021-04-12";
const DPS_API = "2021-10-01";
const MANAGEMENT_API = "2023-06-30";

/** The service side of the lab's IoT Hub. */
export function hubRest(lab: LabContext): Rest {
  const { serviceConnectionString, hostName } = lab.endpoints.hub;
  return rest(lab, hostName, HUB_API, tokenFrom(serviceConnectionString));
}

/** The service side of the Device Provisioning Service. */
export function dpsRest(lab: LabContext): Rest {
  const { serviceConnectionString } = lab.endpoints.dps;
  const { HostName = "" } = fieldsOf(serviceConnectionString);
  return rest(lab, HostName, DPS_API, tokenFrom(serviceConnectionString));
}

/** Management routes, relative to the hub's or the provisioning service's resource. */
export function managementRest(lab: LabContext, resource: "hub" | "dps"): Rest {
  const name = shortName(lab.endpoints.hub.hostName);
  const type = resource === "hub" ? `IotHubs/${name}` : "provisioningServices/spherule-dps";
  const base = `/subscriptions/lab/resourceGroups/lab/providers/Microsoft.Devices/${type}`;
  return rest(lab, "management.azure.com", MANAGEMENT_API, "Bearer lab", base);
}

/** The fields of a connection string. */
export function fieldsOf(connectionString: string): Record<string, string> {
  return Object.fromEntries(
    connectionString.split(";").map((field) => {
      const at = field.indexOf("=");
      return [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}

function tokenFrom(connectionString: string): string {
  const { HostName = "", SharedAccessKeyName, SharedAccessKey = "" } = fieldsOf(connectionString);
  return createSasToken(HostName, SharedAccessKey, EXPIRY_SECONDS, SharedAccessKeyName);
}

function rest(
  lab: LabContext,
  servername: string,
  version: string,
  authorization: string,
  base = "",
): Rest {
  const { address, httpsPort } = lab.endpoints.hub;
  const ca = readFileSync(lab.endpoints.caFile);
  const call = (method: Method, path: string, given: RestRequest = {}) => {
    const separator = path.includes("?") ? "&" : "?";
    const options: RequestOptions = {
      ...{ host: address, port: httpsPort, servername, ca, method, agent: false },
      path: `${base}${path}${separator}api-version=${version}`,
      headers: {
        host: servername,
        authorization,
        "content-type": "application/json",
        ...given.headers,
      },
    };
    return send(options, given.body);
  };
  const one = async <T>(method: Method, path: string, given?: RestRequest) =>
    (await call(method, path, given)).body as T;
  const rows = async <T>(path: string, query: string, most = Number.POSITIVE_INFINITY) => {
    const all: T[] = [];
    let token: string | undefined;
    do {
      const size = String(Math.min(LARGEST_PAGE, most - all.length));
      const headers: Record<string, string> = { "x-ms-max-item-count": size };
      if (token !== undefined) headers["x-ms-continuation"] = token;
      const answer = await call("POST", path, { body: { query }, headers });
      all.push(...(answer.body as T[]));
      token = answer.headers["x-ms-continuation"] as string | undefined;
    } while (token !== undefined && all.length < most);
    return all;
  };
  return Object.assign(one, { rows });
}

interface RestAnswer {
  readonly body: unknown;
  readonly headers: IncomingHttpHeaders;
}

function send(options: RequestOptions, body: unknown): Promise<RestAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(options, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString("utf8");
      const { statusCode: status = 0, headers } = response;
      if (status >= 300) reject(refusal(status, text));
      else resolve({ body: text === "" ? undefined : JSON.parse(text), headers });
    });
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The service's own words: hub, DPS and management each write errors in their way. */
function refusal(status: number, text: string): LabError {
  const message = messageIn(text) ?? `It answered ${status}.`;
  return new LabError(
    "service-refused",
    `The service refused with ${status}: ${message}`,
    "`spherule hub refusals` shows refused connections and tokens with their reasons.",
  );
}

function messageIn(text: string): string | undefined {
  try {
    const body = JSON.parse(text);
    return body.Message ?? body.message ?? body.error?.message;
  } catch {
    return text || undefined;
  }
}
