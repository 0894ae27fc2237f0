import { randomUUID } from "node:crypto";
import { LabError } from "../../errors.ts";
import type { ServiceContext } from "../context.ts";
import { type ArmRequest, type ArmResponse, type ArmRoutes, ok, parameter } from "./http.ts";

interface StoredOperation {
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly completesAt: number;
  readonly result: unknown;
}

const PROVIDER = "/subscriptions/:subscription/providers/Microsoft.AzureSphere/locations/global";
const MOST_KEPT = 200;

export type Operations = ReturnType<typeof createOperations>;

/**
 * Long-running operations as ARM's clients poll them. The lab's work is done when it answers; how
 * long it claims to take is an option, for tests of pollers.
 */
export function createOperations(
  { store, clock }: Pick<ServiceContext, "store" | "clock">,
  durationMs = 0,
) {
  const prefix = "security-service/operations/";

  /** Old ones go: nobody polls for the outcome of what was long ago. */
  function forget(): void {
    const all = [...store.entries<StoredOperation>(prefix)];
    const old = all.sort(([, a], [, b]) => a.startedAt - b.startedAt).slice(0, -MOST_KEPT);
    for (const [key] of old) store.delete(key);
  }

  function links({ base, parameters, query }: ArmRequest, result: unknown) {
    const id = randomUUID();
    const startedAt = clock.now();
    store.transaction(() => {
      store.put(prefix + id, { startedAt, completesAt: startedAt + durationMs, result });
      forget();
    });
    const place = `${base}${PROVIDER.replace(":subscription", parameters.subscription ?? "")}`;
    const version = `api-version=${query.get("api-version")}`;
    return {
      "azure-asyncoperation": `${place}/operationStatuses/${id}?${version}`,
      location: `${place}/operationResults/${id}?${version}`,
    };
  }

  function find(id: string): StoredOperation {
    const found = store.get<StoredOperation>(prefix + id);
    if (found) return found;
    throw new LabError("operation-unknown", `There is no operation ${id}.`, "Start it again.");
  }

  function status(request: ArmRequest): ArmResponse {
    const id = parameter(request, "operation");
    const { startedAt, completesAt, result } = find(id);
    const done = completesAt <= clock.now();
    return ok({
      id: request.path,
      name: id,
      status: done ? "Succeeded" : "InProgress",
      startTime: new Date(startedAt).toISOString(),
      ...(done ? { endTime: new Date(completesAt).toISOString() } : {}),
      ...(done && result !== undefined ? { properties: result } : {}),
    });
  }

  function outcome(request: ArmRequest): ArmResponse {
    const { completesAt, result } = find(parameter(request, "operation"));
    if (completesAt > clock.now()) {
      return {
        status: 202,
        headers: { location: `${request.base}${request.path}?${request.query}` },
      };
    }
    return result === undefined ? { status: 204 } : ok(result);
  }

  return {
    /** The answer to a POST that goes on for a while. */
    accepted: (request: ArmRequest, result?: unknown): ArmResponse => ({
      status: 202,
      headers: links(request, result),
    }),
    /** The answer to a PUT: 201 with a way to poll when it made something, 200 otherwise. */
    put(request: ArmRequest, made: boolean, resource: unknown): ArmResponse {
      if (!made) return ok(resource);
      const { "azure-asyncoperation": status } = links(request, resource);
      return { status: 201, body: resource, headers: { "azure-asyncoperation": status } };
    },
    routes: {
      [`GET ${PROVIDER}/operationStatuses/:operation`]: status,
      [`GET ${PROVIDER}/operationResults/:operation`]: outcome,
    } satisfies ArmRoutes,
  };
}
