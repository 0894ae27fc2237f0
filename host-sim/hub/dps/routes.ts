import { HubError } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";
import { holds } from "../query/evaluate.ts";
import { parseCondition } from "../query/parse.ts";
import type { HttpAnswer, HttpRequest, RouteGroup, Routes } from "../service/endpoint.ts";
import { asObject, ifMatch } from "../service/json.ts";
import type { ManagedResource } from "../service/management-routes.ts";
import { isOnHost, problemWithToken } from "../service/sas.ts";
import { withKeys } from "./attestation.ts";
import type { Dps, OperationState } from "./dps.ts";
import { type Enrollments, enrollmentJson } from "./enrollments.ts";
import { DpsError, problemJson } from "./errors.ts";
import { type RegistrationCredentials, registrationPayload } from "./matching.ts";
import { registrationJson } from "./provision.ts";

const LARGEST_PAGE = 1000;
const LARGEST_BULK = 100;

/** What a device can ask over HTTPS; each request has to show its certificate or token. */
export function registrationGroup(dps: Dps): RouteGroup {
  const answer = ({ done, body }: OperationState): HttpAnswer => ({
    status: done ? 200 : 202,
    json: body,
    headers: done ? {} : { "retry-after": String(dps.retryAfterSeconds) },
  });
  const noted =
    (run: (request: HttpRequest, credentials: RegistrationCredentials) => HttpAnswer) =>
    (request: HttpRequest): HttpAnswer => {
      try {
        return run(request, credentialsOf(request));
      } catch (error) {
        if (error instanceof DpsError && error.status === 401) noteRefusal(dps, request, error);
        throw error;
      }
    };
  return {
    routes: {
      "PUT /:scope/registrations/:id/register": noted((request, credentials) => {
        const body = request.body.length === 0 ? {} : request.json();
        const payload = registrationPayload(body, credentials.registrationId);
        return answer(dps.register(credentials, payload));
      }),
      "GET /:scope/registrations/:id/operations/:operation": noted(({ parameters }, credentials) =>
        answer(dps.operation(credentials, parameters.operation as string)),
      ),
      "POST /:scope/registrations/:id": noted((_request, credentials) => ({
        json: dps.lookUp(credentials),
      })),
    },
    authorize(request) {
      const { scope } = request.parameters;
      if (scope?.toLowerCase() === dps.idScope.toLowerCase()) return;
      const detail = `The id scope is ${dps.idScope}, the device says ${scope}.`;
      const error = new DpsError("Unauthorized", detail, "wrong-scope");
      noteRefusal(dps, request, error);
      throw error;
    },
    problem: (error) => problemJson(error, dps.clock.now()),
  };
}

function noteRefusal(
  { hubs }: Dps,
  { parameters, address }: HttpRequest,
  { reason, message }: DpsError,
): void {
  hubs[0].refusals.add({ deviceId: parameters.id ?? "", address, reason, detail: message });
}

function credentialsOf({ parameters, peer, headers }: HttpRequest): RegistrationCredentials {
  const registrationId = (parameters.id as string).toLowerCase();
  return { ...peer, token: headers.authorization ?? "", registrationId };
}

/** What services ask: enrollments, groups and registrations. */
export function enrollmentGroupRoutes(dps: Dps): RouteGroup {
  return {
    routes: {
      ...crudRoutes(dps.enrollments, "enrollments"),
      ...crudRoutes(dps.groups, "enrollmentGroups"),
      ...registrationRoutes(dps),
    },
    authorize(request) {
      if (!request.query.get("api-version")) {
        throw new DpsError("BadRequest", "The query has no api-version");
      }
      requireOwner(dps, request);
    },
    problem: (error) => problemJson(error, dps.clock.now()),
  };
}

function requireOwner(dps: Dps, request: HttpRequest): void {
  const problem = problemWithToken({
    token: request.headers.authorization ?? "",
    keysOf: (policy) => (policy === "provisioningserviceowner" ? [dps.key] : []),
    covers: (resource) => isOnHost(resource, [dps.hostName]),
    time: dps.clock.now(),
  });
  if (problem === undefined) return;
  const error = new DpsError("Unauthorized", problem, "bad-token");
  noteRefusal(dps, request, error);
  throw error;
}

function crudRoutes(enrollments: Enrollments, noun: string): Routes {
  const { kind } = enrollments;
  const shown = (id: string): HttpAnswer => {
    const enrollment = enrollments.get(id);
    return { json: enrollmentJson(enrollment, kind), headers: { ETag: `"${enrollment.etag}"` } };
  };
  return {
    [`POST /${noun}/query`]: (request) =>
      page(
        request,
        chosen(
          enrollments.list().map((each) => enrollmentJson(each, kind)),
          request,
        ),
        kind === "individual" ? "Enrollment" : "EnrollmentGroup",
      ),
    [`POST /${noun}`]: (request) => bulk(enrollments, asObject(request.json())),
    [`PUT /${noun}/:id`]: ({ parameters, headers, json }) => {
      const id = parameters.id as string;
      enrollments.put(id, asObject(json()), ifMatch(headers["if-match"]));
      return shown(id);
    },
    [`GET /${noun}/:id`]: ({ parameters }) => shown(parameters.id as string),
    [`DELETE /${noun}/:id`]: ({ parameters, headers }) => {
      enrollments.delete(parameters.id as string, ifMatch(headers["if-match"]) ?? "*");
      return { status: 204 };
    },
    [`POST /${noun}/:id/attestationmechanism`]: ({ parameters }) => {
      const { attestation } = enrollments.get(parameters.id as string);
      return { json: withKeys(attestation) };
    },
  };
}

/** Of the query language the service knows `SELECT * FROM …` with a condition. */
function chosen(rows: JsonObject[], request: HttpRequest): JsonObject[] {
  const { query } = request.body.length === 0 ? {} : asObject(request.json());
  const text = String(query ?? "*").trim();
  if (text === "" || text === "*") return rows;
  const match = /^select\s+\*(?:\s+from\s+\w+)?(?:\s+where\s+(.*))?$/is.exec(text);
  if (!match) throw new DpsError("BadRequest", "A query is SELECT * FROM … WHERE …");
  if (match[1] === undefined) return rows;
  const condition = parseCondition(match[1]);
  return rows.filter((row) => holds(condition, row));
}

function bulk(enrollments: Enrollments, body: JsonObject): HttpAnswer {
  if (!Array.isArray(body.enrollments) || body.enrollments.length > LARGEST_BULK) {
    const message = `A bulk request has a list of up to ${LARGEST_BULK} enrollments`;
    throw new DpsError("BadRequest", message);
  }
  const errors = body.enrollments.flatMap((entry) => {
    const registrationId = String((isObject(entry) && entry.registrationId) || "");
    try {
      runMode(enrollments, String(body.mode), registrationId, asObject(entry, "An entry"));
      return [];
    } catch (error) {
      if (!(error instanceof DpsError || error instanceof HubError)) throw error;
      return [{ registrationId, errorCode: error.code, errorStatus: error.message }];
    }
  });
  return { json: { isSuccessful: errors.length === 0, errors } };
}

function runMode(enrollments: Enrollments, mode: string, id: string, entry: JsonObject): void {
  const etag = typeof entry.etag === "string" ? entry.etag : "*";
  if (mode === "create") enrollments.put(id, entry, undefined);
  else if (mode === "update") enrollments.put(id, entry, "*");
  else if (mode === "updateIfMatchETag") enrollments.put(id, entry, etag);
  else if (mode === "delete") enrollments.delete(id);
  else throw new DpsError("BadRequest", `The bulk mode ${mode} is not known`);
}

function registrationRoutes({ registrations }: Dps): Routes {
  return {
    "GET /registrations/:id": ({ parameters }) => {
      const found = registrations.find(parameters.id as string);
      if (!found) throw new DpsError("NotFound", `There is no registration ${parameters.id}`);
      return { json: registrationJson(found), headers: { ETag: `"${found.etag}"` } };
    },
    "DELETE /registrations/:id": ({ parameters, headers }) => {
      registrations.delete(parameters.id as string, ifMatch(headers["if-match"]));
      return { status: 204 };
    },
    "POST /registrations/:id/query": (request) => {
      const group = request.parameters.id;
      const all = registrations.list().filter((each) => each.groupId === group);
      return page(request, all.map(registrationJson), "DeviceRegistration");
    },
  };
}

function page(request: HttpRequest, rows: readonly JsonObject[], itemType: string): HttpAnswer {
  const wanted = Number(request.headers["x-ms-max-item-count"] ?? LARGEST_PAGE);
  const size = Math.min(Math.max(1, wanted || LARGEST_PAGE), LARGEST_PAGE);
  const from = Number(request.headers["x-ms-continuation"] ?? 0) || 0;
  const more = rows.length > from + size;
  return {
    json: rows.slice(from, from + size),
    headers: {
      "x-ms-item-type": itemType,
      ...(more ? { "x-ms-continuation": String(from + size) } : {}),
    },
  };
}

/** The provisioning service as management routes serve it. */
export function managedDps(dps: Dps): ManagedResource {
  return {
    name: "spherule-dps",
    type: "Microsoft.Devices/provisioningServices",
    certificates: dps.certificates,
    keysAt: "keys",
    sku: () => ({ name: "S1", tier: "Standard", capacity: 1 }),
    keys: () => [
      {
        keyName: "provisioningserviceowner",
        primaryKey: dps.key,
        secondaryKey: dps.key,
        rights: "ServiceConfig, DeviceConnect, EnrollmentWrite",
      },
    ],
    properties: () => ({
      state: "Active",
      idScope: dps.idScope,
      deviceProvisioningHostName: dps.hostName,
      serviceOperationsHostName: dps.hostName,
      allocationPolicy: "Hashed",
      iotHubs: dps.hubs.map((hub) => ({ name: hub.hostName, location: "lab" })),
    }),
  };
}
