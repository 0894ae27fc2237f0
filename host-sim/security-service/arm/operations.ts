import { randomUUID } from "node:crypto";
import type { TimerHandle } from "../../clock/index.ts";
import { LabError, messageOf } from "../../errors.ts";
import type { Match } from "../../http/routes.ts";
import type { ServiceContext } from "../context.ts";
import { ArmError, armErrorOf, errorBody } from "./errors.ts";
import {
  type ArmHandler,
  type ArmRequest,
  type ArmResponse,
  type ArmRoutes,
  deleted,
  ok,
  parameter,
} from "./http.ts";

/** What is said at once about a request that starts an operation. */
export type Acceptance =
  /** There is nothing to wait for. */
  | { readonly done: ArmResponse }
  | {
      /** What the work needs beside its request; JSON. */
      readonly plan?: unknown;
      /** What a PUT makes, as far as it is known. */
      readonly resource?: { readonly properties: object };
    };

/** An operation that goes on after its request was answered. */
export interface Work {
  /** @throws what is wrong with the request itself */
  readonly accept: (request: ArmRequest) => Acceptance;
  /** In one transaction, later. Its refusals are told to those who poll. @returns the result */
  readonly run: (request: ArmRequest, plan: unknown) => unknown;
}

interface LongRunning extends ArmHandler {
  readonly run: Work["run"];
}

interface StoredOperation {
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly completesAt: number;
  /** Nobody else may ask for it. */
  readonly user: string;
  /** What has to be done; absent when it is done. */
  readonly request?: StoredRequest;
  readonly plan?: unknown;
  readonly result?: unknown;
  readonly failure?: { readonly status: number; readonly body: ReturnType<typeof errorBody> };
}

type StoredRequest = Pick<ArmRequest, "method" | "path" | "body" | "base"> & {
  readonly query: string;
};

const PROVIDER = "/subscriptions/:subscription/providers/Microsoft.AzureSphere/locations/global";
const MOST_KEPT = 200;
const PREFIX = "security-service/operations/";
/** Pollers of Azure's SDKs would wait for half a minute. */
const RETRY_AFTER = { "retry-after": "1" } as const;

export type Operations = ReturnType<typeof createOperations>;

/**
 * Long-running operations as ARM's clients poll them. An operation that was accepted is done in any
 * case: what a stop of the service leaves over is done after the next start.
 */
export function createOperations(
  { store, clock, logger }: Pick<ServiceContext, "store" | "clock" | "logger">,
  durationMs = 0,
) {
  let duration = durationMs;
  /** How to call off what has not begun, by operation. */
  const waiting = new Map<string, () => void>();

  /** Old ones go: nobody polls for the outcome of what was long ago. */
  function forget(): void {
    const ended = [...store.entries<StoredOperation>(PREFIX)].filter(([, { request }]) => !request);
    const old = ended.sort(([, a], [, b]) => a.startedAt - b.startedAt).slice(0, -MOST_KEPT);
    for (const [key] of old) store.delete(key);
  }

  function find(id: string): StoredOperation | undefined {
    return store.get<StoredOperation>(PREFIX + id);
  }

  function begin(
    work: Pick<Work, "run">,
    request: ArmRequest,
    plan: unknown,
  ): Record<string, string> {
    const id = randomUUID();
    const startedAt = clock.now();
    const { method, path, body, base, user } = request;
    store.put(PREFIX + id, {
      ...{ startedAt, completesAt: startedAt + duration, user, plan },
      request: { method, path, body, base, query: request.query.toString() },
    } satisfies StoredOperation);
    runIn(duration, id, () => execute(id, work, request));
    const { subscription = "" } = request.parameters;
    const place = `${base}${PROVIDER.replace(":subscription", subscription)}`;
    const version = `api-version=${request.query.get("api-version")}`;
    return {
      "azure-asyncoperation": `${place}/operationStatuses/${id}?${version}`,
      location: `${place}/operationResults/${id}?${version}`,
      ...RETRY_AFTER,
    };
  }

  /** Without a duration it is done as soon as the request is answered. */
  function runIn(ms: number, id: string, work: () => void): void {
    const run = () => {
      try {
        work();
      } catch (error) {
        // Not even the failure could be written: it is tried again after the next start.
        logger.error(`operation ${id} is not done: ${messageOf(error)}`);
      }
    };
    if (ms > 0) {
      const timer: TimerHandle = clock.setTimer(ms, run);
      waiting.set(id, () => clock.clearTimer(timer));
    } else {
      const soon = setImmediate(run);
      waiting.set(id, () => clearImmediate(soon));
    }
  }

  /** Work and outcome are kept together or not at all. */
  function execute(id: string, { run }: Pick<Work, "run">, request: ArmRequest): void {
    waiting.delete(id);
    const operation = find(id);
    if (!operation) return;
    const { request: _todo, plan, ...rest } = operation;
    try {
      store.transaction(() => {
        const result = run(request, plan);
        store.put(PREFIX + id, { ...rest, result } satisfies StoredOperation);
      });
    } catch (error) {
      const refused = armErrorOf(error);
      if (refused.status >= 500) logger.error(`operation ${id} failed: ${refused.message}`);
      const failure = { status: refused.status, body: errorBody(refused) };
      store.put(PREFIX + id, { ...rest, failure } satisfies StoredOperation);
    }
    forget();
  }

  /** Of the caller, who is not told of anybody else's. */
  function own(request: ArmRequest): StoredOperation {
    const id = parameter(request, "operation");
    const found = find(id);
    if (found?.user === request.user) return found;
    throw new LabError("operation-unknown", `There is no operation ${id}.`, "Start it again.");
  }

  function status(request: ArmRequest): ArmResponse {
    const { startedAt, completesAt, result, failure, ...rest } = own(request);
    const times = { startTime: iso(startedAt), endTime: iso(completesAt) };
    const shown = { id: request.path, name: parameter(request, "operation") };
    if (rest.request) {
      const body = { ...shown, status: "InProgress", startTime: times.startTime };
      return { status: 200, body, headers: RETRY_AFTER };
    }
    if (failure) return ok({ ...shown, status: "Failed", ...times, ...failure.body });
    const made = result === undefined ? {} : { properties: result };
    return ok({ ...shown, status: "Succeeded", ...times, ...made });
  }

  function outcome(request: ArmRequest): ArmResponse {
    const { result, failure, ...rest } = own(request);
    if (rest.request) {
      const location = `${request.base}${request.path}?${request.query}`;
      return { status: 202, headers: { location, ...RETRY_AFTER } };
    }
    if (failure) return failure;
    return result === undefined ? { status: 204 } : ok(result);
  }

  /** The handler of a long-running operation: a PUT answers 201, anything else 202. */
  function later({ accept, run }: Work): ArmHandler {
    const answer = (request: ArmRequest): ArmResponse => {
      const accepted = accept(request);
      if ("done" in accepted) return accepted.done;
      const headers = begin({ run }, request, accepted.plan);
      if (request.method !== "PUT") return { status: 202, headers };
      const { location: _result, ...poll } = headers;
      return { status: 201, body: inState("Accepted", accepted.resource), headers: poll };
    };
    return Object.assign(answer, { run }) satisfies LongRunning;
  }

  return {
    later,
    /** A removal, of which there is nothing to do when `check` finds nothing. */
    removal: (
      check: (request: ArmRequest) => boolean,
      run: (request: ArmRequest) => void,
    ): ArmHandler =>
      later({
        accept: (request): Acceptance => (check(request) ? {} : { done: deleted(false) }),
        run,
      }),
    /** How long, in lab time, operations take that begin from now on. */
    setDuration(ms: number): void {
      duration = ms;
    },
    /** Takes up what was accepted before a stop. */
    resume(route: (method: string, path: string) => Match<ArmHandler>): void {
      const all = [...store.entries<StoredOperation>(PREFIX)];
      for (const [key, operation] of all.sort(([, a], [, b]) => a.startedAt - b.startedAt)) {
        const { request, user, startedAt, completesAt } = operation;
        if (!request) continue;
        const id = key.slice(PREFIX.length);
        const { handler, parameters } = route(request.method, request.path);
        const query = new URLSearchParams(request.query);
        const again = { ...request, query, parameters, user };
        // The clock may have been set back meanwhile.
        const left = Math.min(completesAt - clock.now(), completesAt - startedAt);
        runIn(left, id, () => execute(id, handler as LongRunning, again));
      }
    },
    /** What has not begun waits for the next start. */
    stop(): void {
      for (const cancel of waiting.values()) cancel();
      waiting.clear();
    },
    routes: {
      [`GET ${PROVIDER}/operationStatuses/:operation`]: status,
      [`GET ${PROVIDER}/operationResults/:operation`]: outcome,
    } satisfies ArmRoutes,
  };
}

const iso = (epochMs: number) => new Date(epochMs).toISOString();

function inState(provisioningState: string, resource?: { readonly properties: object }) {
  if (!resource) throw new ArmError(500, "InternalServerError", "The operation makes nothing.");
  return { ...resource, properties: { ...resource.properties, provisioningState } };
}
