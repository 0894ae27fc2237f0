import { randomUUID } from "node:crypto";
import type { TimerHandle } from "../../clock/index.ts";
import { messageOf } from "../../errors.ts";
import type { Match } from "../../http/routes.ts";
import type { ServiceContext } from "../context.ts";
import { ArmError, armErrorOf, errorBody } from "./errors.ts";
import { type ArmHandler, type ArmRequest, type ArmResponse, deleted } from "./http.ts";
import { operationRoutes, pollingLinks, type StoredOperation } from "./operation-status.ts";

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

const MOST_KEPT = 200;
const PREFIX = "security-service/operations/";
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
    return pollingLinks(request, id);
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
    routes: operationRoutes(find),
  };
}

function inState(provisioningState: string, resource?: { readonly properties: object }) {
  if (!resource) throw new ArmError(500, "InternalServerError", "The operation makes nothing.");
  return { ...resource, properties: { ...resource.properties, provisioningState } };
}
