import type { Clock } from "../../clock/index.ts";
import type { Store } from "../../store/index.ts";
import { newEtag } from "../devices.ts";
import { isObject, type JsonObject } from "../json.ts";
import { type Attestation, attestationFrom, attestationJson } from "./attestation.ts";
import { DpsError } from "./errors.ts";

export type AllocationPolicy = "hashed" | "geoLatency" | "static" | "custom";

/** What individual enrollments and groups share. */
export interface Enrollment {
  /** The registration id of a device, or the id of a group. */
  readonly id: string;
  readonly attestation: Attestation;
  readonly enabled: boolean;
  /** Host names of the hubs to choose from; all that are linked when empty. */
  readonly iotHubs: readonly string[];
  readonly allocationPolicy: AllocationPolicy;
  readonly webhookUrl?: string;
  readonly updateHubAssignment: boolean;
  readonly migrateDeviceData: boolean;
  readonly initialTwin: JsonObject;
  readonly capabilities: JsonObject;
  /** Of an individual enrollment, when the device has another name than its registration. */
  readonly deviceId?: string;
  readonly etag: string;
  readonly createdDateTimeUtc: string;
  readonly lastUpdatedDateTimeUtc: string;
}

export type Kind = "individual" | "group";
export type Enrollments = ReturnType<typeof createEnrollments>;

const ID = /^[A-Za-z0-9\-._:]{0,127}[A-Za-z0-9-]$/;
const POLICIES: readonly string[] = ["hashed", "geoLatency", "static", "custom"];

/** Individual enrollments (`kind` individual) or enrollment groups; ids know no case. */
export function createEnrollments(
  store: Store,
  clock: Clock,
  kind: Kind,
  linkedHubs: readonly string[],
) {
  const room = kind === "individual" ? "dps/enrollments/" : "dps/groups/";
  const key = (id: string) => room + id.toLowerCase();

  function get(id: string): Enrollment {
    const found = store.get<Enrollment>(key(id));
    if (found) return found;
    throw new DpsError("NotFound", `There is no enrollment ${id}`);
  }

  function requireEtag(before: Enrollment | undefined, etag: string | undefined): void {
    if (before && etag === undefined) {
      throw new DpsError(
        "Conflict",
        `The enrollment ${before.id} exists; give its etag to change it`,
      );
    }
    if (before && etag !== "*" && etag !== before.etag) {
      throw new DpsError("PreconditionFailed", `The enrollment ${before.id} was changed meanwhile`);
    }
  }

  return {
    kind,
    get,
    find: (id: string) => store.get<Enrollment>(key(id)),
    list: () => [...store.entries<Enrollment>(room)].map(([, enrollment]) => enrollment),
    /** Without an etag it creates. @throws DpsError BadRequest, Conflict, PreconditionFailed */
    put(id: string, body: JsonObject, etag: string | undefined): Enrollment {
      const before = store.get<Enrollment>(key(id));
      requireEtag(before, etag);
      const time = new Date(clock.now()).toISOString();
      const enrollment = enrollmentFrom(id, body, kind, before, time);
      requireHubs(enrollment, linkedHubs);
      store.put(key(id), enrollment);
      return enrollment;
    },
    delete(id: string, etag = "*"): void {
      requireEtag(get(id), etag);
      store.delete(key(id));
    },
  };
}

function requireHubs({ iotHubs, allocationPolicy }: Enrollment, linked: readonly string[]): void {
  const unknown = iotHubs.find((name) => !linked.includes(name));
  if (unknown !== undefined) {
    throw bad(`The hub ${unknown} is not linked to this service: ${linked.join(", ")}`);
  }
  if (allocationPolicy === "static" && iotHubs.length > 1) {
    throw bad("Static allocation takes one hub of iotHubs");
  }
}

function enrollmentFrom(
  id: string,
  body: JsonObject,
  kind: Kind,
  before: Enrollment | undefined,
  time: string,
): Enrollment {
  if (!ID.test(id)) {
    throw bad(`The id ${id} has other characters than letters, digits and - . _ :`);
  }
  const policy = body.allocationPolicy ?? before?.allocationPolicy ?? "hashed";
  if (!POLICIES.includes(String(policy))) throw bad(`The allocation policy ${policy} is not known`);
  const reprovision = isObject(body.reprovisionPolicy) ? body.reprovisionPolicy : {};
  const custom = isObject(body.customAllocationDefinition) ? body.customAllocationDefinition : {};
  if (policy === "custom" && typeof custom.webhookUrl !== "string") {
    throw bad("Custom allocation needs customAllocationDefinition.webhookUrl");
  }
  return {
    id,
    attestation: attestationOf(body, kind, before),
    enabled: body.provisioningStatus !== "disabled",
    iotHubs: hubsOf(body),
    allocationPolicy: policy as AllocationPolicy,
    ...(typeof custom.webhookUrl === "string" ? { webhookUrl: custom.webhookUrl } : {}),
    updateHubAssignment: reprovision.updateHubAssignment !== false,
    migrateDeviceData: reprovision.migrateDeviceData !== false,
    initialTwin: isObject(body.initialTwin) ? body.initialTwin : {},
    capabilities: isObject(body.capabilities) ? body.capabilities : { iotEdge: false },
    ...(typeof body.deviceId === "string" && body.deviceId ? { deviceId: body.deviceId } : {}),
    etag: newEtag(),
    createdDateTimeUtc: before?.createdDateTimeUtc ?? time,
    lastUpdatedDateTimeUtc: time,
  };
}

/** A client that changes an enrollment sends back what it read, without certificates and keys. */
function attestationOf(body: JsonObject, kind: Kind, before: Enrollment | undefined): Attestation {
  if (before && JSON.stringify(body.attestation ?? null).includes('"info"')) {
    return before.attestation;
  }
  const { type = "symmetricKey", symmetricKey } = isObject(body.attestation)
    ? body.attestation
    : { type: null };
  const bare = type === "symmetricKey" && symmetricKey === undefined;
  if (before?.attestation.type === "symmetricKey" && bare) return before.attestation;
  return attestationFrom(body.attestation, kind);
}

function hubsOf({ iotHubs, iotHubHostName }: JsonObject): string[] {
  if (Array.isArray(iotHubs)) return iotHubs.map(String);
  return typeof iotHubHostName === "string" && iotHubHostName ? [iotHubHostName] : [];
}

/** As the service's routes write it. */
export function enrollmentJson(enrollment: Enrollment, kind: Kind): JsonObject {
  const { id, webhookUrl, deviceId } = enrollment;
  return {
    ...(kind === "individual" ? { registrationId: id } : { enrollmentGroupId: id }),
    ...(kind === "individual" ? { deviceId: deviceId ?? null } : {}),
    attestation: attestationJson(enrollment.attestation),
    capabilities: enrollment.capabilities,
    provisioningStatus: enrollment.enabled ? "enabled" : "disabled",
    reprovisionPolicy: {
      updateHubAssignment: enrollment.updateHubAssignment,
      migrateDeviceData: enrollment.migrateDeviceData,
    },
    initialTwin: enrollment.initialTwin,
    allocationPolicy: enrollment.allocationPolicy,
    iotHubs: enrollment.iotHubs,
    ...(webhookUrl === undefined
      ? {}
      : { customAllocationDefinition: { webhookUrl, apiVersion: "2021-10-01" } }),
    etag: enrollment.etag,
    createdDateTimeUtc: enrollment.createdDateTimeUtc,
    lastUpdatedDateTimeUtc: enrollment.lastUpdatedDateTimeUtc,
  };
}

function bad(message: string): DpsError {
  return new DpsError("BadRequest", message);
}
