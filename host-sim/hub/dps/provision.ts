import { createHash } from "node:crypto";
import { thumbprint } from "../../pki/index.ts";
import { type DeviceRequest, newEtag } from "../devices.ts";
import type { Hub } from "../hub.ts";
import { isObject, type JsonObject } from "../json.ts";
import { derivedKey } from "./attestation.ts";
import type { Dps } from "./dps.ts";
import { enrollmentJson } from "./enrollments.ts";
import { DpsError } from "./errors.ts";
import type { Found, RegistrationCredentials } from "./matching.ts";

export type Substatus =
  | "initialAssignment"
  | "deviceDataMigrated"
  | "deviceDataReset"
  | "reprovisionedToInitialAssignment";

/** A device's assignment to a hub. */
export interface Registration {
  readonly registrationId: string;
  readonly deviceId: string;
  readonly assignedHub: string;
  readonly substatus: Substatus;
  /** The group that let it in; absent for an individual enrollment. */
  readonly groupId?: string;
  readonly x509: boolean;
  /** What a custom allocation gives the device. */
  readonly payload?: unknown;
  readonly etag: string;
  readonly createdDateTimeUtc: string;
  readonly lastUpdatedDateTimeUtc: string;
}

/** What a device, and a service, read of a registration. */
export function registrationJson(registration: Registration): JsonObject {
  const { groupId: _group, x509, payload, ...rest } = registration;
  return {
    ...rest,
    status: "assigned",
    ...(x509 ? { x509: {} } : { symmetricKey: {} }),
    ...(payload === undefined ? {} : { payload: payload as JsonObject }),
  };
}

interface Allocation {
  readonly hub: Hub;
  readonly initialTwin: JsonObject;
  readonly payload?: unknown;
}

/**
 * Chooses a hub, and makes or renews the device's identity there.
 * @throws DpsError when no hub can be chosen
 */
export async function assign(
  dps: Dps,
  found: Found,
  credentials: RegistrationCredentials,
  before: Registration | undefined,
  payload: unknown,
): Promise<Registration> {
  const { enrollment, kind } = found;
  const { registrationId } = credentials;
  const deviceId = enrollment.deviceId ?? registrationId;
  const previous = before && dps.hubs.find((hub) => hub.hostName === before.assignedHub);
  const stays = previous !== undefined && !enrollment.updateHubAssignment;
  const allocation = stays
    ? { hub: previous, initialTwin: enrollment.initialTwin }
    : await allocate(dps, found, credentials, payload);
  const substatus = provision(allocation, previous, deviceId, found, credentials);
  const time = new Date(dps.clock.now()).toISOString();
  return {
    registrationId,
    deviceId,
    assignedHub: allocation.hub.hostName,
    substatus: before && substatus === "initialAssignment" ? before.substatus : substatus,
    ...(kind === "group" ? { groupId: enrollment.id } : {}),
    x509: enrollment.attestation.type === "x509",
    ...(allocation.payload === undefined ? {} : { payload: allocation.payload }),
    etag: newEtag(),
    createdDateTimeUtc: before?.createdDateTimeUtc ?? time,
    lastUpdatedDateTimeUtc: time,
  };
}

function provision(
  { hub, initialTwin }: Allocation,
  previous: Hub | undefined,
  deviceId: string,
  found: Found,
  credentials: RegistrationCredentials,
): Substatus {
  const { enrollment } = found;
  const request: DeviceRequest = {
    deviceId,
    authentication: authenticationFor(found, credentials),
    iotEdge: enrollment.capabilities.iotEdge === true,
  };
  const moved = previous !== hub && previous?.devices.find(deviceId) ? previous : undefined;
  if (hub.devices.find(deviceId)) {
    hub.devices.update(request, "*");
    if (!moved) return "initialAssignment";
  } else {
    hub.limits.takeDevice(() => hub.devices.list().length);
    hub.devices.create(request);
  }
  const twin = moved && enrollment.migrateDeviceData ? moved.twins.get(deviceId) : undefined;
  const desired = isObject(initialTwin.properties) ? initialTwin.properties.desired : undefined;
  if (twin) {
    hub.twins.patch(deviceId, { tags: twin.tags, desired: twin.desired.values });
    hub.twins.patchReported(deviceId, twin.reported.values);
  } else if (desired !== undefined || initialTwin.tags !== undefined) {
    hub.twins.patch(deviceId, { tags: initialTwin.tags ?? {}, desired: desired ?? {} });
  }
  moved?.devices.delete(deviceId);
  if (!moved) return "initialAssignment";
  return twin ? "deviceDataMigrated" : "deviceDataReset";
}

/** X.509 identities carry the leaf's thumbprint, renewed with each registration. */
function authenticationFor(
  { kind, enrollment: { attestation } }: Found,
  { leaf, registrationId }: RegistrationCredentials,
): NonNullable<DeviceRequest["authentication"]> {
  if (attestation.type === "symmetricKey") {
    const { primaryKey, secondaryKey } = attestation.symmetricKey;
    const keyOf = (key: string) => (kind === "individual" ? key : derivedKey(key, registrationId));
    const symmetricKey = { primaryKey: keyOf(primaryKey), secondaryKey: keyOf(secondaryKey) };
    return { type: "sas", symmetricKey };
  }
  const primaryThumbprint = leaf ? thumbprint(leaf, "sha256") : "";
  return { type: "selfSigned", x509Thumbprint: { primaryThumbprint, secondaryThumbprint: null } };
}

async function allocate(
  dps: Dps,
  found: Found,
  credentials: RegistrationCredentials,
  payload: unknown,
): Promise<Allocation> {
  const { enrollment } = found;
  const { initialTwin, allocationPolicy, iotHubs } = enrollment;
  const choice =
    iotHubs.length === 0 ? dps.hubs : dps.hubs.filter((hub) => iotHubs.includes(hub.hostName));
  const [first] = choice;
  if (!first) {
    throw new DpsError("BadRequest", `None of ${iotHubs.join(", ")} is linked to this service`);
  }
  if (allocationPolicy === "custom") {
    return { initialTwin, ...(await askWebhook(found, credentials, choice, payload)) };
  }
  if (allocationPolicy !== "hashed") return { hub: first, initialTwin };
  const hash = createHash("sha256").update(credentials.registrationId).digest().readUInt32BE(0);
  return { hub: choice[hash % choice.length] ?? first, initialTwin };
}

/** A function of the owner's has so long to answer. */
const WEBHOOK_WITHIN_MS = 5_000;

/** A custom allocation asks the owner's own function, as the service asks an Azure function. */
async function askWebhook(
  { kind, enrollment }: Found,
  { registrationId, leaf }: RegistrationCredentials,
  choice: readonly Hub[],
  payload: unknown,
): Promise<Partial<Allocation> & { hub: Hub }> {
  const response = await fetch(enrollment.webhookUrl ?? "", {
    method: "POST",
    signal: AbortSignal.timeout(WEBHOOK_WITHIN_MS),
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      [kind === "group" ? "enrollmentGroup" : "individualEnrollment"]: enrollmentJson(
        enrollment,
        kind,
      ),
      deviceRuntimeContext: { registrationId, payload, ...(leaf ? { x509: {} } : {}) },
      linkedHubs: choice.map((hub) => hub.hostName),
    }),
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok || !isObject(answer)) {
    const what = isObject(answer) ? "" : " and no JSON object";
    throw new DpsError("BadRequest", `The allocation webhook answered ${response.status}${what}`);
  }
  const hub = choice.find((each) => each.hostName === answer.iotHubHostName);
  if (!hub) throw new DpsError("BadRequest", `The webhook chose ${answer.iotHubHostName}`);
  return {
    hub,
    ...(isObject(answer.initialTwin) ? { initialTwin: answer.initialTwin } : {}),
    ...(answer.payload === undefined ? {} : { payload: answer.payload }),
  };
}
