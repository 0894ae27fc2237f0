import { isObject, type JsonObject } from "../json.ts";
import type { HttpAnswer, HttpRequest, RouteGroup, Routes } from "../service/endpoint.ts";
import { asObject, ifMatch } from "../service/json.ts";
import type { ManagedResource } from "../service/management-routes.ts";
import { isOnHost, problemWithToken } from "../service/sas.ts";
import { certificatesOf } from "./attestation.ts";
import type { Dps, OperationState } from "./dps.ts";
import { type Enrollments, enrollmentJson } from "./enrollments.ts";
import { DpsError, problemJson } from "./errors.ts";
import type { RegistrationCredentials } from "./matching.ts";
import { registrationJson } from "./provision.ts";

const LARGEST_PAGE = 1000;

/** What a device can ask over HTTPS; its certificate or token is checked with the registration. */
export function registrationGroup(dps: Dps): RouteGroup {
  const answer = ({ done, body }: OperationState): HttpAnswer => ({
    status: done ? 200 : 202,
    json: body,
    headers: done ? {} : { "retry-after": String(dps.retryAfterSeconds) },
  });
  return {
    routes: {
      "PUT /:scope/registrations/:id/register": (request) => {
        const body = request.body.length === 0 ? {} : asObject(request.json());
        return answer(dps.register(credentialsOf(request), body.payload));
      },
      "GET /:scope/registrations/:id/operations/:operation": ({ parameters }) =>
        answer(dps.operation(parameters.id as string, parameters.operation as string)),
      "POST /:scope/registrations/:id": ({ parameters }) => {
        const found = dps.registrations.find(parameters.id as string);
        if (!found) throw new DpsError("NotFound", `There is no registration ${parameters.id}`);
        return { json: registrationJson(found) };
      },
    },
    authorize({ parameters }) {
      if (parameters.scope?.toLowerCase() === dps.idScope.toLowerCase()) return;
      throw new DpsError("Unauthorized", `The id scope is not ${parameters.scope}`);
    },
    problem: (error) => problemJson(error, dps.clock.now()),
  };
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
      requireOwner(dps, request.headers.authorization ?? "");
    },
    problem: (error) => problemJson(error, dps.clock.now()),
  };
}

function requireOwner(dps: Dps, token: string): void {
  const problem = problemWithToken({
    token,
    keysOf: (policy) => (policy === "provisioningserviceowner" ? [dps.key] : []),
    covers: (resource) => isOnHost(resource, [dps.hostName]),
    time: dps.clock.now(),
  });
  if (problem !== undefined) throw new DpsError("Unauthorized", problem);
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
        enrollments.list().map((each) => enrollmentJson(each, kind)),
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
      if (attestation.type === "symmetricKey") return { json: attestation };
      const certificates = certificatesOf(attestation).map((certificate) => ({ certificate }));
      return { json: { type: "x509", x509: { certificates } } };
    },
  };
}

function bulk(enrollments: Enrollments, body: JsonObject): HttpAnswer {
  const list = Array.isArray(body.enrollments) ? body.enrollments.filter(isObject) : [];
  const errors = list.flatMap((entry) => {
    const registrationId = String(entry.registrationId ?? "");
    try {
      runMode(enrollments, String(body.mode), registrationId, entry);
      return [];
    } catch (error) {
      if (!(error instanceof DpsError)) throw error;
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
    "DELETE /registrations/:id": ({ parameters }) => {
      registrations.delete(parameters.id as string);
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
