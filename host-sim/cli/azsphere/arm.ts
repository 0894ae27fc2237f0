import { readFileSync } from "node:fs";
import { request } from "node:https";
import { RealClock, sleep } from "../../clock/index.ts";
import { LabError } from "../../errors.ts";
import type { LabContext } from "../context.ts";
import { notFound, usage } from "./errors.ts";
import type { Settings } from "./settings.ts";
import { type Given, type Grammar, optional } from "./table.ts";

/** A resource as Azure Resource Manager shows it. */
export interface Resource<Properties = Readonly<Record<string, unknown>>> {
  readonly id: string;
  readonly name: string;
  readonly properties: Properties;
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
const POLL_MS = 200;

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly location: string | undefined;
}

export function createArm(lab: LabContext, { grammar, settings, trace }: ArmOptions): Arm {
  const { url, catalogId: own } = lab.endpoints.securityService;
  const subscription = own.split("/").slice(0, 3).join("/");
  const send = sender(lab);

  async function finished(answer: Answer): Promise<unknown> {
    let last = answer;
    while (last.status === 202 && last.location) {
      await sleep(new RealClock(), POLL_MS);
      last = await send("GET", last.location);
    }
    return last.body;
  }

  async function call<T>(method: string, id: string, body?: unknown): Promise<T> {
    trace(`${method} ${url}${id}`);
    const answer = await send(method, `${url}${encoded(id)}?api-version=${API_VERSION}`, body);
    return (await finished(answer)) as T;
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
    return [...all].sort((a, b) => a.name.localeCompare(b.name));
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
  const { bytes } = await exchange(lab, "GET", url);
  return bytes;
}

function sender(lab: LabContext) {
  return async (method: string, url: string, body?: unknown): Promise<Answer> => {
    const { bytes, ...answer } = await exchange(lab, method, url, body);
    const text = bytes.toString("utf8");
    return { ...answer, body: text === "" ? undefined : JSON.parse(text) };
  };
}

interface Exchanged {
  readonly status: number;
  readonly bytes: Buffer;
  readonly location: string | undefined;
}

function exchange(lab: LabContext, method: string, url: string, body?: unknown) {
  const { caFile, securityService } = lab.endpoints;
  const ca = readFileSync(caFile);
  const headers = {
    authorization: `Bearer ${securityService.token}`,
    "content-type": "application/json",
  };
  return new Promise<Exchanged>((resolve, reject) => {
    const call = request(url, { method, ca, headers, agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      const status = response.statusCode ?? 0;
      if (status >= 300) return reject(refusal(status, bytes.toString("utf8")));
      resolve({ status, bytes, location: response.headers.location });
    });
    call.on("error", (error) => reject(unreachable(error.message)));
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function refusal(status: number, text: string): LabError {
  const { message, hint } = wordsOf(text);
  const shown = message ?? `The Security Service answered ${status}.`;
  const next = hint ?? "docs/security-service.md has the rules of the Security Service.";
  if (status === 404) return notFound(shown, next);
  return new LabError("service-refused", shown, next);
}

function wordsOf(text: string): { message?: string; hint?: string } {
  try {
    const { message, additionalInfo } = JSON.parse(text).error;
    return { message, hint: additionalInfo?.[0]?.info?.hint };
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
