import { type Role, suffices } from "../roles.ts";
import { ArmError } from "./errors.ts";
import type { ArmRequest } from "./http.ts";
import { catalogId } from "./resources.ts";
import { type ArmContext, findCatalog } from "./scope.ts";

/** POSTs that change nothing. */
const READS = /\/(list\w+|countDevices|retrieveCertChain)$/;

/** `PUT …/catalogs/:catalog/products/:product` → `Microsoft.AzureSphere/catalogs/products/write`. */
export function actionOf(route: string): string {
  const [method = "", path = ""] = route.split(" ");
  const parts = path.slice(path.lastIndexOf("/providers/") + "/providers/".length).split("/");
  const resource = parts.filter((part) => !part.startsWith(":"));
  const verbs: Record<string, string> = { GET: "read", PUT: "write", PATCH: "write" };
  const verb = method === "POST" ? "action" : (verbs[method] ?? "delete");
  return [...resource, verb].join("/");
}

/** The role that a route needs: who reads, who changes, who says who may. */
export function roleFor(route: string): Role {
  const [method = "", path = ""] = route.split(" ");
  // Its GET leads to a next page, and makes groups all the same.
  if (path.endsWith("/generateDefaultDeviceGroups")) return "Contributor";
  if (method === "GET" || (method === "POST" && READS.test(path))) return "Reader";
  const ownersOnly = path.includes("/roleAssignments") || /\/catalogs\/:catalog$/.test(path);
  return ownersOnly ? "Administrator" : "Contributor";
}

/**
 * Whether the caller's role in the catalog allows it. Anybody may create a catalog, and owns it then.
 * @throws ArmError 403 AuthorizationFailed
 */
export function authorize(context: ArmContext, route: string, request: ArmRequest): void {
  if (request.parameters.catalog === undefined) return;
  const catalog = findCatalog(context, request);
  if (!catalog) return;
  const { user } = request;
  const role = context.service.roles.of(catalog.tenantId, user);
  if (suffices(role, roleFor(route))) return;
  throw new ArmError(
    403,
    "AuthorizationFailed",
    `The client '${user}' does not have authorization to perform action '${actionOf(route)}' ` +
      `over scope '${catalogId(catalog)}' or the scope is invalid.`,
    {
      hint:
        `${role ? `The role ${role} is not enough` : "No role in this catalog"}; an administrator ` +
        "gives one with `azsphere role add`.",
    },
  );
}
