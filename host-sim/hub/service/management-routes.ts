import { createHash } from "node:crypto";
import { certificateBytes } from "../../pki/index.ts";
import type { Certificates, RegisteredCertificate } from "../certificates.ts";
import { HubError } from "../errors.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { Handler, HttpAnswer, HttpRequest, RouteGroup, Routes } from "./endpoint.ts";
import { asObject, ifMatch } from "./json.ts";

/** A resource that management routes serve: a hub or a provisioning service. */
export interface ManagedResource {
  /** Last part of its id, e.g. `spherule-lab`. */
  readonly name: string;
  /** E.g. `Microsoft.Devices/IotHubs`. */
  readonly type: string;
  readonly properties: () => JsonObject;
  readonly keys: () => readonly JsonObject[];
  /** Where a single key is asked for, e.g. `IotHubKeys`. */
  readonly keysAt: string;
  readonly certificates: Certificates;
  readonly sku: () => JsonObject;
  /** A change of the resource's properties. @throws HubError */
  readonly change?: (properties: JsonObject) => void;
  /** Routes below the resource's own path. */
  readonly more?: (base: string, id: (request: HttpRequest) => string) => Routes;
}

/**
 * The management (ARM) routes of hubs and provisioning services that `@azure/arm-*` uses for CA
 * certificates and keys. Any bearer token is accepted: the lab's own user is its administrator.
 */
export function managementGroup(resources: readonly ManagedResource[]): RouteGroup {
  return {
    routes: Object.assign({}, ...resources.map(resourceRoutes)),
    authorize({ headers, query }) {
      if (!headers.authorization?.startsWith("Bearer ")) {
        throw new ManagementError(401, "AuthenticationFailed", "There is no bearer token.");
      }
      if (!query.get("api-version")) {
        throw new ManagementError(400, "MissingApiVersionParameter", "There is no api-version.");
      }
    },
    problem: managementProblem,
  };
}

class ManagementError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function managementProblem(error: unknown): HttpAnswer {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ManagementError) {
    return { status: error.status, json: { error: { code: error.code, message } } };
  }
  const known = error instanceof HubError;
  const code = known ? error.name : "InternalServerError";
  return { status: known ? error.status : 500, json: { error: { code, message } } };
}

function resourceRoutes(resource: ManagedResource): Routes {
  const all = `/subscriptions/:subscription/providers/${resource.type}`;
  const list = `/subscriptions/:subscription/resourceGroups/:group/providers/${resource.type}`;
  const base = `${list}/${resource.name}`;
  const one = `${base}/certificates/:name`;
  const whole: Handler = (request) => ({ json: resourceJson(resource, request) });
  const shown = (request: HttpRequest, code = false): HttpAnswer => {
    const found = resource.certificates.get(request.parameters.name as string);
    return { json: certificateJson(request, resource, found, code) };
  };
  return {
    ...resource.more?.(base, (request) => resourceId(resource, request)),
    [`GET ${all}`]: (request) => ({ json: { value: [resourceJson(resource, request)] } }),
    [`GET ${list}`]: (request) => ({ json: { value: [resourceJson(resource, request)] } }),
    [`GET ${base}`]: whole,
    [`PUT ${base}`]: (request) => {
      const etag = ifMatch(request.headers["if-match"]);
      if (etag !== undefined && etag !== "*" && etag !== etagOfResource(resource)) {
        throw new HubError("PreconditionFailed", "If-Match is not the resource's ETag");
      }
      const { properties } = asObject(request.json());
      if (!resource.change) throw new HubError("NotImplemented", "This resource has no settings");
      resource.change(isObject(properties) ? properties : {});
      return whole(request);
    },
    [`POST ${base}/listkeys`]: () => ({ json: { value: resource.keys() } }),
    [`POST ${base}/${resource.keysAt}/:key/listkeys`]: ({ parameters }) => {
      const found = resource.keys().find(({ keyName }) => keyName === parameters.key);
      if (found) return { json: found };
      throw new ManagementError(404, "NotFound", `There is no policy ${parameters.key}.`);
    },
    [`GET ${base}/certificates`]: (request) => ({
      json: {
        value: resource.certificates
          .list()
          .map((entry) => certificateJson(request, resource, entry, false)),
      },
    }),
    [`GET ${one}`]: (request) => shown(request),
    [`PUT ${one}`]: (request) => upload(resource, request, shown),
    [`DELETE ${one}`]: (request) => {
      requireEtag(resource, request, "needed");
      resource.certificates.delete(request.parameters.name as string);
      return { status: 200 };
    },
    [`POST ${one}/generateVerificationCode`]: (request) => {
      requireEtag(resource, request, "optional");
      resource.certificates.generateVerificationCode(request.parameters.name as string);
      return shown(request, true);
    },
    [`POST ${one}/verify`]: (request) => {
      requireEtag(resource, request, "optional");
      const { certificate } = asObject(request.json());
      const name = request.parameters.name as string;
      resource.certificates.verify(name, certificateText(certificate));
      return shown(request);
    },
  };
}

const CERTIFICATE_NAME = /^[A-Za-z0-9._-]{1,64}$/;

function upload(
  resource: ManagedResource,
  request: HttpRequest,
  shown: (request: HttpRequest) => HttpAnswer,
): HttpAnswer {
  const { certificates } = resource;
  const name = request.parameters.name as string;
  if (!CERTIFICATE_NAME.test(name)) {
    throw new HubError("ArgumentInvalid", "A certificate's name has 1 to 64 of A-Z a-z 0-9 . _ -");
  }
  const exists = certificates.list().some((entry) => entry.name === name);
  if (exists) requireEtag(resource, request, "needed");
  const body = asObject(request.json());
  const properties = isObject(body.properties) ? body.properties : {};
  certificates.add(name, certificateText(properties.certificate), properties.isVerified === true);
  return { ...shown(request), status: exists ? 200 : 201 };
}

function requireEtag(
  { certificates }: ManagedResource,
  { headers, parameters }: HttpRequest,
  when: "needed" | "optional",
): void {
  const etag = ifMatch(headers["if-match"]);
  const current = etagOf(certificates.get(parameters.name as string));
  if (etag === undefined && when === "optional") return;
  if (etag === "*" || etag === current) return;
  throw new HubError("PreconditionFailed", "If-Match is not the certificate's ETag");
}

/** Text that is base64 of a certificate in PEM or DER form. */
function certificateText(text: unknown): Buffer | string {
  if (typeof text !== "string" || text === "") {
    throw new HubError("ArgumentInvalid", "The certificate has to be a text in base64");
  }
  return certificateBytes(text);
}

function etagOf({ thumbprint: print, isVerified, verificationCode }: RegisteredCertificate) {
  const state = isVerified ? "verified" : (verificationCode ?? "new");
  return Buffer.from(`${print.slice(0, 12)}${state.slice(0, 12)}`).toString("base64");
}

function resourceId(resource: ManagedResource, { parameters }: HttpRequest): string {
  const { subscription, group = "lab" } = parameters;
  return `/subscriptions/${subscription}/resourceGroups/${group}/providers/${resource.type}/${resource.name}`;
}

function resourceJson(resource: ManagedResource, request: HttpRequest): JsonObject {
  return {
    id: resourceId(resource, request),
    name: resource.name,
    type: resource.type,
    location: "lab",
    etag: etagOfResource(resource),
    properties: resource.properties(),
    sku: resource.sku(),
  };
}

function etagOfResource({ properties }: ManagedResource): string {
  return createHash("sha256").update(JSON.stringify(properties())).digest("base64").slice(0, 12);
}

function certificateJson(
  request: HttpRequest,
  resource: ManagedResource,
  entry: RegisteredCertificate,
  withCode: boolean,
): JsonObject {
  return {
    id: `${resourceId(resource, request)}/certificates/${entry.name}`,
    name: entry.name,
    type: `${resource.type}/certificates`,
    etag: etagOf(entry),
    properties: {
      subject: entry.subject,
      expiry: entry.expiry,
      thumbprint: entry.thumbprint,
      isVerified: entry.isVerified,
      created: entry.created,
      updated: entry.updated,
      certificate: Buffer.from(entry.pem).toString("base64"),
      ...(withCode ? { verificationCode: entry.verificationCode } : {}),
    },
  };
}
