import { HubError } from "../errors.ts";
import type { RefusalReason } from "../refusals.ts";

/** The provisioning service's own error codes. */
const DPS_ERRORS = {
  BadRequest: [400, 400_004],
  Unauthorized: [401, 401_002],
  NotFound: [404, 404_201],
  OperationNotFound: [404, 404_203],
  Conflict: [409, 409_201],
  PreconditionFailed: [412, 412_201],
  NotImplemented: [501, 501_000],
  InternalError: [500, 500_000],
} as const satisfies Record<string, readonly [status: number, code: number]>;

/** A refusal of the provisioning service, with the status and code that clients see. */
export class DpsError extends Error {
  readonly status: number;
  readonly code: number;
  /** Why a device was turned away, for the list of refusals. */
  readonly reason: RefusalReason;

  constructor(
    name: keyof typeof DPS_ERRORS,
    message: string,
    reason: RefusalReason = "not-enrolled",
  ) {
    super(message);
    this.name = name;
    this.reason = reason;
    [this.status, this.code] = DPS_ERRORS[name];
  }
}

/** `{errorCode, trackingId, message, timestampUtc}`, as devices and services get it. */
export function problemJson(error: unknown, time: number) {
  const known = error instanceof DpsError || error instanceof HubError;
  return {
    status: known ? error.status : 500,
    json: {
      errorCode: known ? error.code : 500_000,
      trackingId: crypto.randomUUID(),
      message: error instanceof Error ? error.message : String(error),
      timestampUtc: new Date(time).toISOString(),
    },
  };
}
