import { LabError } from "../../errors.ts";
import type { errorBody } from "./errors.ts";
import { type ArmRequest, type ArmResponse, type ArmRoutes, ok, parameter } from "./http.ts";

/** A long-running operation as it is kept. */
export interface StoredOperation {
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
/** Pollers of Azure's SDKs would wait for half a minute. */
const RETRY_AFTER = { "retry-after": "1" } as const;

/** Headers that say where an operation can be polled. */
export function pollingLinks({ base, parameters, query }: ArmRequest, id: string) {
  const place = `${base}${PROVIDER.replace(":subscription", parameters.subscription ?? "")}`;
  const version = `api-version=${query.get("api-version")}`;
  return {
    "azure-asyncoperation": `${place}/operationStatuses/${id}?${version}`,
    location: `${place}/operationResults/${id}?${version}`,
    ...RETRY_AFTER,
  };
}

/** The two ways to poll: for the state of an operation, and for its result. */
export function operationRoutes(find: (id: string) => StoredOperation | undefined): ArmRoutes {
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

  return {
    [`GET ${PROVIDER}/operationStatuses/:operation`]: status,
    [`GET ${PROVIDER}/operationResults/:operation`]: outcome,
  };
}

const iso = (epochMs: number) => new Date(epochMs).toISOString();
