import { readFileSync } from "node:fs";
import { request } from "node:https";
import { RealClock, sleep } from "../../clock/index.ts";
import { LabError } from "../../errors.ts";
import { callLab, type LabContext } from "../context.ts";
import { notFound, usage } from "./errors.ts";
import type { Settings } from "./settings.ts";
import { type Given, type Grammar, optional } from "./table.ts";

/** A resource as Azure Resource Manager shows it. */
export interface Resource<Properties = Readonly<Record<string, unknown>>> {
  readonly id: string;
  readonly name: string;
  readonly properties: Properties;
  readonly tags?: Readonly<Record<string, string>>;
}

export type Catalog = Resource<{ readonly tenantId: string }>;

/** The Security Service, in the shape of Azure Resource Manager. */
export interface Arm {
  /** `id` is a path below the service; waits for long-running operations. */
  call<T>(method: string, id: string, body?: unknown): Promise<T>;
  /** All pages of a list. */
  list<T = Resource>(id: string, method?: string, body?: unknown): Promise<readonly T[]>;
  catalogs(): Promise<readonly Catalog[]>;
  /** The tenant (`azsphere`) or catalog (`az sphere`) that a command means. */
  catalog(given: Given): Promise<Catalog>;
  /** Path of a catalog that need not be there. */
  catalogId(name: string, resourceGroup: string): string;
}

export interface ArmOptions {
  readonly grammar: Grammar;
  readonly settings: Settings;
  /** Is told each request. */
  trace(line: string): void;
}

const PROVIDER = "providers/Microsoft.AzureSphere";
const API_VERSION = "2024-04-01";
const AUTHORIZATION_VERSION = "2022-04-01";
const POLL_MS = 200;
/** Tag of a catalog that is called otherwise as a tenant: a catalog's own name is for ever. */
export const NAME_TAG = "tenantName";

interface Answer {
  readonly body: unknown;
  /** Where to ask how a long-running operation goes. */
  readonly operation: string | undefined;
}

/** What the service says of a long-running operation. */
interface OperationStatus {
  readonly status: string;
  readonly properties?: unknown;
  readonly error?: ServiceError;
}

interface ServiceError {
  readonly code?: string;
  readonly message?: string;
  readonly additionalInfo?: readonly { readonly info?: { readonly hint?: string } }[];
}

export function createArm(lab: LabContext, { grammar, settings, trace }: ArmOptions): Arm {
  const { url, catalogId: own } = lab.endpoints.securityService;
  const subscription = own.split("/").slice(0, 3).join("/");
  const send = sender(lab, settings.get("user"));

  /** What the operation made, as soon as it has. */
  async function finished(operation: string): Promise<unknown> {
    for (;;) {
      const { status, properties, error } = (await send("GET", operation)).body as OperationStatus;
      if (status === "Succeeded") return properties;
      if (error) throw refusalOf(error, error.code === "ResourceNotFound");
      await sleep(new RealClock(), POLL_MS);
    }
  }

  async function call<T>(method: string, id: string, body?: unknown): Promise<T> {
    trace(`${method} ${url}${id}`);
    const version = id.includes("/Microsoft.Authorization/") ? AUTHORIZATION_VERSION : API_VERSION;
    const answer = await send(method, `${url}${encoded(id)}?api-version=${version}`, body);
    if (answer.operation === undefined) return answer.body as T;
    return (await finished(answer.operation)) as T;
  }

  async function list<T>(id: string, method = "GET", body?: unknown): Promise<readonly T[]> {
    const all: T[] = [];
    let page = await call<{ value: T[]; nextLink?: string }>(method, id, body);
    for (;;) {
      all.push(...page.value);
      if (!page.nextLink) return all;
      page = (await send("GET", page.nextLink)).body as typeof page;
    }
  }

  async function catalogs(): Promise<readonly Catalog[]> {
    const all = await list<Catalog>(`${subscription}/${PROVIDER}/catalogs`);
    const shown = grammar === "az" ? all : all.map(asTenant);
    return [...shown].sort((a, b) => a.name.localeCompare(b.name));
  }

  const catalogId = (name: string, resourceGroup: string) =>
    `${subscription}/resourceGroups/${resourceGroup}/${PROVIDER}/catalogs/${name}`;

  async function tenant(given: Given): Promise<Catalog> {
    const all = await catalogs();
    const named = optional(given, "tenant");
    if (named !== undefined) return find(all, named);
    const selected = all.find(({ properties }) => properties.tenantId === settings.get("tenant"));
    if (selected) return selected;
    if (all.length === 1 && all[0]) return all[0];
    throw usage(
      all.length === 0
        ? "There is no tenant yet."
        : `You have access to ${all.length} tenants, and none is selected.`,
      all.length === 0
        ? "Type `azsphere tenant create --name NAME`."
        : `Type \`azsphere tenant select --tenant NAME\`; there are ${names(all)}.`,
    );
  }

  async function named(given: Given): Promise<Catalog> {
    const name = optional(given, "catalog") ?? settings.get("defaults.sphere.catalog");
    const group = optional(given, "resourceGroup") ?? settings.get("defaults.group");
    const missing = [
      ...(name === undefined ? ["--catalog/-c"] : []),
      ...(group === undefined ? ["--resource-group/-g"] : []),
    ];
    if (name === undefined || group === undefined) {
      throw usage(
        `the following arguments are required: ${missing.join(", ")}`,
        "Give them, or type `az config set defaults.sphere.catalog=NAME defaults.group=GROUP`.",
      );
    }
    return call<Catalog>("GET", catalogId(name, group));
  }

  return { call, list, catalogs, catalogId, catalog: grammar === "az" ? named : tenant };
}

/** A catalog under the name that it has as a tenant. */
export const asTenant = (catalog: Catalog): Catalog => ({
  ...catalog,
  name: catalog.tags?.[NAME_TAG] ?? catalog.name,
});

const encoded = (id: string) => id.split("/").map(encodeURIComponent).join("/");

const names = (all: readonly Catalog[]) => all.map(({ name }) => name).join(", ");

/** By name or id, in any letter case. @throws LabError azsphere-not-found */
export function find(all: readonly Catalog[], wanted: string): Catalog {
  const lower = wanted.toLowerCase();
  const found = all.find(
    ({ name, properties }) => name.toLowerCase() === lower || properties.tenantId === lower,
  );
  if (found) return found;
  throw notFound(`There is no tenant '${wanted}'.`, `There are ${names(all) || "none"}.`);
}

/** Downloads from a link that the service gave. */
export async function fetchLink(lab: LabContext, url: string): Promise<Buffer> {
  const { bytes } = await exchange(lab, { method: "GET", url });
  return bytes;
}

/** @param user whose token is taken; the lab's own when absent */
function sender(lab: LabContext, user: string | undefined) {
  let issued: Promise<{ accessToken: string }> | undefined;
  async function token(): Promise<string> {
    if (user === undefined) return lab.endpoints.securityService.token;
    issued ??= callLab(lab, "POST", "/token", { user });
    return (await issued).accessToken;
  }
  return async (method: string, url: string, body?: unknown): Promise<Answer> => {
    const request = { method, url, body, token: await token() };
    const { bytes, operation } = await exchange(lab, request);
    const text = bytes.toString("utf8");
    return { operation, body: text === "" ? undefined : JSON.parse(text) };
  };
}

interface Exchange {
  readonly method: string;
  readonly url: string;
  /** None for a link that needs none. */
  readonly token?: string;
  readonly body?: unknown;
}

interface Exchanged {
  readonly bytes: Buffer;
  readonly operation: string | undefined;
}

function exchange(lab: LabContext, { method, url, token, body }: Exchange) {
  const ca = readFileSync(lab.endpoints.caFile);
  const headers = {
    "content-type": "application/json",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return new Promise<Exchanged>((resolve, reject) => {
    const call = request(url, { method, ca, headers, agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      const status = response.statusCode ?? 0;
      if (status >= 300) return reject(refusal(status, bytes.toString("utf8")));
      const operation = response.headers["azure-asyncoperation"];
      resolve({ bytes, operation: operation === undefined ? undefined : String(operation) });
    });
    call.on("error", (error) => reject(unreachable(error.message)));
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function refusal(status: number, text: string): LabError {
  const message = `The Security Service answered ${status}.`;
  return refusalOf({ message, ...errorIn(text) }, status === 404);
}

function refusalOf({ message = "", additionalInfo }: ServiceError, missing: boolean): LabError {
  const hint =
    additionalInfo?.[0]?.info?.hint ??
    "docs/security-service.md has the rules of the Security Service.";
  return missing ? notFound(message, hint) : new LabError("service-refused", message, hint);
}

function errorIn(text: string): ServiceError {
  try {
    return JSON.parse(text).error;
  } catch {
    return {};
  }
}

function unreachable(why: string): LabError {
  return new LabError(
    "service-unreachable",
    `The Security Service does not answer: ${why}.`,
    "`spherule status` tells whether the lab runs.",
  );
}
