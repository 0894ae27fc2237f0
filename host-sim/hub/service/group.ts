import { HubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { problemWithAddress } from "../mqtt/authenticate.ts";
import { eventHubName } from "../names.ts";
import { type Handler, type HttpRequest, hubProblem, type RouteGroup } from "./endpoint.ts";
import { isOnHost, type Permission, policyOf, problemWithToken } from "./sas.ts";

/** Readers of events name the resource as a URL. */
const SCHEME = /^(sb|amqps?|https?):\/\//i;

/** A route with the permission that its caller's policy needs. */
export type ServiceRoutes = Readonly<Record<string, readonly [Permission, Handler]>>;

/** Service routes of a hub: a policy's token, an api-version, IoT Hub's errors. */
export function serviceGroup(hub: Hub, routes: ServiceRoutes): RouteGroup {
  return {
    routes: Object.fromEntries(
      Object.entries(routes).map(([route, [, handler]]) => [route, handler]),
    ),
    authorize(request) {
      requireApiVersion(request);
      requireAddress(hub, request.address);
      const permission = routes[request.route]?.[0] ?? "ServiceConnect";
      requirePermission(hub, request, permission);
    },
    problem: (error) => hubProblem(error, hub.clock.now()),
  };
}

export function requireApiVersion({ query }: HttpRequest): void {
  if (query.get("api-version")) return;
  throw new HubError("ArgumentInvalid", "The query has no api-version");
}

/** @throws HubError IotHubUnauthorizedAccess for a caller that the IP filter turns away */
export function requireAddress(hub: Hub, address: string, deviceId = ""): void {
  const detail = problemWithAddress(hub, address);
  if (detail === undefined) return;
  hub.refusals.add({ deviceId, address, reason: "ip-filter", detail });
  throw new HubError("IotHubUnauthorizedAccess", "Unauthorized");
}

function requirePermission(hub: Hub, request: HttpRequest, permission: Permission): void {
  const problem = problemWithPolicyToken(hub, request.headers.authorization ?? "", [permission]);
  if (problem === undefined) return;
  const { address } = request;
  hub.refusals.add({ deviceId: "", address, reason: "bad-token", detail: problem });
  throw new HubError("IotHubUnauthorizedAccess", problem);
}

/** @returns why a token of a shared access policy does not allow it, or undefined when it does */
export function problemWithPolicyToken(
  hub: Hub,
  token: string,
  permissions: readonly Permission[],
  keyText = false,
): string | undefined {
  const name = policyOf(token);
  const policy = hub.policies.find(name ?? "");
  if (!policy) return name ? `There is no policy ${name}.` : "The token names no policy (skn).";
  const missing = permissions.find((permission) => !policy.permissions.includes(permission));
  if (missing) return `The policy ${policy.name} has no permission ${missing}.`;
  return problemWithToken({
    token,
    keysOf: () => [policy.key, policy.secondaryKey],
    covers: (resource) =>
      isOnHost(resource.replace(SCHEME, ""), [hub.hostName, eventHubName(hub.hostName)]),
    time: hub.clock.now(),
    keyText,
  });
}
