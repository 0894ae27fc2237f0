import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../../clock/index.ts";
import { messageOf } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import { madeOnce, type Store } from "../../store/index.ts";
import { type Certificates, createCertificates } from "../certificates.ts";
import type { Hub } from "../hub.ts";
import type { JsonObject } from "../json.ts";
import { createEnrollments, type Enrollments } from "./enrollments.ts";
import { DpsError } from "./errors.ts";
import { findEnrollment, type RegistrationCredentials } from "./matching.ts";
import { assign, type Registration, registrationJson } from "./provision.ts";

export interface DpsOptions {
  /** E.g. `global.azure-devices-provisioning.net`. */
  readonly hostName: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The linked hubs. */
  readonly hubs: readonly [Hub, ...Hub[]];
  /** What a device is told to wait before it asks again; the field shows 3. */
  readonly retryAfterSeconds?: number;
}

/** How a registration stands: `body` is what the device gets. */
export interface OperationState {
  readonly done: boolean;
  readonly body: JsonObject;
}

export interface Dps {
  readonly hostName: string;
  readonly idScope: string;
  readonly key: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hubs: readonly [Hub, ...Hub[]];
  readonly retryAfterSeconds: number;
  readonly enrollments: Enrollments;
  readonly groups: Enrollments;
  readonly certificates: Certificates;
  readonly registrations: Registrations;
  /** `HostName=…;SharedAccessKeyName=provisioningserviceowner;SharedAccessKey=…` */
  readonly connectionString: string;
  /** @throws DpsError Unauthorized */
  register(credentials: RegistrationCredentials, payload: unknown): OperationState;
  operation(registrationId: string, operationId: string): OperationState;
}

export type Registrations = ReturnType<typeof createRegistrations>;

/** A Device Provisioning Service without its listeners. */
export function createDps(options: DpsOptions): Dps {
  const { hostName, store, clock, logger, hubs, retryAfterSeconds = 3 } = options;
  const idScope = madeOnce(
    store,
    "dps/id-scope",
    () => `0ne${randomBytes(4).toString("hex").toUpperCase()}`,
  );
  const key = madeOnce(store, "dps/key", () => randomBytes(64).toString("base64"));
  const operations = new Map<string, OperationState>();
  const registrations = createRegistrations(store);

  function finish(operationId: string, work: Promise<Registration>): void {
    work.then(
      (registration) => {
        registrations.put(registration);
        operations.set(operationId, assigned(operationId, registration));
        logger.info(`${registration.registrationId.slice(0, 12)}… → ${registration.assignedHub}`);
      },
      (error) => {
        logger.warn(`a registration failed: ${messageOf(error)}`);
        operations.set(operationId, failed(operationId, error));
      },
    );
  }

  const dps: Dps = {
    ...{ hostName, idScope, key, clock, logger, hubs, retryAfterSeconds, registrations },
    enrollments: createEnrollments(store, clock, "individual"),
    groups: createEnrollments(store, clock, "group"),
    certificates: createCertificates(store, clock, "dps"),
    connectionString: `HostName=${hostName};SharedAccessKeyName=provisioningserviceowner;SharedAccessKey=${key}`,
    register(credentials, payload) {
      const found = findEnrollment(dps, credentials);
      const operationId = `5.${randomBytes(8).toString("hex")}.${randomUUID()}`;
      if (!found.enrollment.enabled)
        return disabled(operationId, credentials.registrationId, clock);
      const begun = { done: false, body: { operationId, status: "assigning" } };
      operations.set(operationId, begun);
      const before = registrations.find(credentials.registrationId);
      finish(operationId, assign(dps, found, credentials, before, payload));
      return begun;
    },
    operation(registrationId, operationId) {
      const state = operations.get(operationId);
      if (!state) throw new DpsError("OperationNotFound", `There is no operation ${operationId}`);
      const { registrationState } = state.body as { registrationState?: JsonObject };
      const owner = registrationState?.registrationId;
      if (owner !== undefined && owner !== registrationId.toLowerCase()) {
        throw new DpsError("Unauthorized", "The operation belongs to another registration");
      }
      return state;
    },
  };
  return dps;
}

/** Registrations that were assigned; they outlive a restart. */
function createRegistrations(store: Store) {
  const key = (registrationId: string) => `dps/registrations/${registrationId.toLowerCase()}`;
  return {
    find: (registrationId: string) => store.get<Registration>(key(registrationId)),
    list: () => [...store.entries<Registration>("dps/registrations/")].map(([, each]) => each),
    put: (registration: Registration) => store.put(key(registration.registrationId), registration),
    delete(registrationId: string): void {
      if (!store.get(key(registrationId))) {
        throw new DpsError("NotFound", `There is no registration ${registrationId}`);
      }
      store.delete(key(registrationId));
    },
  };
}

function assigned(operationId: string, registration: Registration): OperationState {
  const registrationState = registrationJson(registration);
  return { done: true, body: { operationId, status: "assigned", registrationState } };
}

function failed(operationId: string, error: unknown): OperationState {
  const errorCode = error instanceof DpsError ? error.code : 500_000;
  const problem = { status: "failed", errorCode, errorMessage: messageOf(error) };
  return { done: true, body: { operationId, status: "failed", registrationState: problem } };
}

function disabled(operationId: string, registrationId: string, clock: Clock): OperationState {
  const lastUpdatedDateTimeUtc = new Date(clock.now()).toISOString();
  const registrationState = { registrationId, status: "disabled", lastUpdatedDateTimeUtc };
  return { done: true, body: { operationId, status: "disabled", registrationState } };
}
