import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../../clock/index.ts";
import { messageOf } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import { madeOnce, type Store } from "../../store/index.ts";
import { type Certificates, createCertificates } from "../certificates.ts";
import { HubError } from "../errors.ts";
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
  /** @throws DpsError Unauthorized, OperationNotFound */
  operation(credentials: RegistrationCredentials, operationId: string): OperationState;
  /** What became of a device's registration. @throws DpsError Unauthorized, NotFound */
  lookUp(credentials: RegistrationCredentials): JsonObject;
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
  const operations = createOperations(store, clock);
  const linked = hubs.map((hub) => hub.hostName);
  const registrations = createRegistrations(store);

  function finish(operationId: string, registrationId: string, work: Promise<Registration>): void {
    work.then(
      (registration) => {
        store.transaction(() => {
          registrations.put(registration);
          operations.end(operationId, registrationId, assigned(operationId, registration));
        });
        logger.info(`${registration.registrationId.slice(0, 12)}… → ${registration.assignedHub}`);
      },
      (error) => {
        logger.warn(`a registration failed: ${messageOf(error)}`);
        operations.end(operationId, registrationId, failed(operationId, registrationId, error));
      },
    );
  }

  const dps: Dps = {
    ...{ hostName, idScope, key, clock, logger, hubs, retryAfterSeconds, registrations },
    enrollments: createEnrollments(store, clock, "individual", linked),
    groups: createEnrollments(store, clock, "group", linked),
    certificates: createCertificates(store, clock, "dps"),
    connectionString: `HostName=${hostName};SharedAccessKeyName=provisioningserviceowner;SharedAccessKey=${key}`,
    register(credentials, payload) {
      const found = findEnrollment(dps, credentials);
      const operationId = operations.newId();
      if (!found.enrollment.enabled)
        return disabled(operationId, credentials.registrationId, clock);
      const { registrationId } = credentials;
      const begun = operations.begin(operationId, registrationId);
      const before = registrations.find(registrationId);
      finish(operationId, registrationId, assign(dps, found, credentials, before, payload));
      return begun;
    },
    operation(credentials, operationId) {
      findEnrollment(dps, credentials);
      const found = operations.find(operationId);
      if (!found) throw new DpsError("OperationNotFound", `There is no operation ${operationId}`);
      if (found.registrationId === credentials.registrationId) return found.state;
      throw new DpsError("Unauthorized", "The operation belongs to another registration");
    },
    lookUp(credentials) {
      findEnrollment(dps, credentials);
      const { registrationId } = credentials;
      const found = registrations.find(registrationId);
      if (found) return registrationJson(found);
      throw new DpsError("NotFound", `There is no registration ${registrationId}`);
    },
  };
  return dps;
}

/** A device asks every few seconds: what nobody has asked for in that time goes. */
const KEPT_MS = 3_600_000;
const OPERATIONS = "dps/operations/";

interface Operation {
  readonly registrationId: string;
  readonly state: OperationState;
}

/** Registrations under way, and what became of the last ones: any process may be asked for them. */
function createOperations(store: Store, clock: Clock) {
  const startOf = (time: number) => `5.${Math.max(0, time).toString(16).padStart(16, "0")}`;

  function forgetOld(): void {
    const limit = OPERATIONS + startOf(clock.now() - KEPT_MS);
    for (const key of store.keys(OPERATIONS)) {
      if (key >= limit) return;
      store.delete(key);
    }
  }

  function put(operationId: string, operation: Operation): OperationState {
    store.put(OPERATIONS + operationId, operation);
    return operation.state;
  }

  return {
    /** Later ones sort behind earlier ones. */
    newId: (): string => `${startOf(clock.now())}.${randomUUID()}`,
    find: (operationId: string) => store.get<Operation>(OPERATIONS + operationId.slice(0, 100)),
    begin(operationId: string, registrationId: string): OperationState {
      return store.transaction(() => {
        forgetOld();
        const state = { done: false, body: { operationId, status: "assigning" } };
        return put(operationId, { registrationId, state });
      });
    },
    end(operationId: string, registrationId: string, state: OperationState): void {
      put(operationId, { registrationId, state });
    },
  };
}

/** Registrations that were assigned; they outlive a restart. */
function createRegistrations(store: Store) {
  const key = (registrationId: string) => `dps/registrations/${registrationId.toLowerCase()}`;
  return {
    find: (registrationId: string) => store.get<Registration>(key(registrationId)),
    list: () => [...store.entries<Registration>("dps/registrations/")].map(([, each]) => each),
    put: (registration: Registration) => store.put(key(registration.registrationId), registration),
    delete(registrationId: string, etag = "*"): void {
      const found = store.get<Registration>(key(registrationId));
      if (!found) throw new DpsError("NotFound", `There is no registration ${registrationId}`);
      if (etag !== "*" && etag !== found.etag) {
        throw new DpsError(
          "PreconditionFailed",
          `${registrationId} was registered again meanwhile`,
        );
      }
      store.delete(key(registrationId));
    },
  };
}

function assigned(operationId: string, registration: Registration): OperationState {
  const registrationState = registrationJson(registration);
  return { done: true, body: { operationId, status: "assigned", registrationState } };
}

function failed(operationId: string, registrationId: string, error: unknown): OperationState {
  const known = error instanceof DpsError || error instanceof HubError;
  const errorCode = known ? error.code : 500_000;
  const problem = {
    ...{ registrationId, status: "failed", errorCode },
    errorMessage: messageOf(error),
  };
  return { done: true, body: { operationId, status: "failed", registrationState: problem } };
}

function disabled(operationId: string, registrationId: string, clock: Clock): OperationState {
  const lastUpdatedDateTimeUtc = new Date(clock.now()).toISOString();
  const registrationState = { registrationId, status: "disabled", lastUpdatedDateTimeUtc };
  return { done: true, body: { operationId, status: "disabled", registrationState } };
}
