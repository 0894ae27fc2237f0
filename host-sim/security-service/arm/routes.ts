import type { SecurityService } from "../security-service.ts";
import { catalogRoutes } from "./catalogs.ts";
import { certificateRoutes } from "./certificates.ts";
import { deploymentRoutes } from "./deployments.ts";
import { deviceGroupRoutes } from "./device-groups.ts";
import { deviceRoutes } from "./devices.ts";
import { type ArmRoutes, ok } from "./http.ts";
import { imageRoutes } from "./images.ts";
import { createOperations } from "./operations.ts";
import { productRoutes } from "./products.ts";
import { type ArmContext, PROVIDER } from "./scope.ts";

/** The routes of Microsoft.AzureSphere 2024-04-01, and the polling of its long-running operations. */
export function armRoutes(service: SecurityService, operationMs: number): ArmRoutes {
  const operations = createOperations(service, operationMs);
  const context: ArmContext = { service, operations };
  const subjects: ArmRoutes = {
    ...catalogRoutes(context),
    ...certificateRoutes(context),
    ...imageRoutes(context),
    ...productRoutes(context),
    ...deviceGroupRoutes(context),
    ...deploymentRoutes(context),
    ...deviceRoutes(context),
  };
  // The GET beside a POST only leads to its next page.
  const list = Object.keys(subjects)
    .filter((name) => !(name.startsWith("GET ") && subjects[name.replace("GET", "POST")]))
    .map(described);
  return {
    ...subjects,
    ...operations.routes,
    [`GET /providers/${PROVIDER}/operations`]: () => ok({ value: list }),
  };
}

/** `PUT …/catalogs/:catalog/products/:product` → `Microsoft.AzureSphere/catalogs/products/write`. */
function described(route: string) {
  const [method = "", path = ""] = route.split(" ");
  const parts = path.slice(path.indexOf(PROVIDER)).split("/");
  const resource = parts.filter((part) => !part.startsWith(":"));
  const verbs: Record<string, string> = { GET: "read", PUT: "write", PATCH: "write" };
  const verb = method === "POST" ? "action" : (verbs[method] ?? "delete");
  const name = [...resource, verb].join("/");
  const display = {
    provider: "Azure Sphere",
    resource: resource.slice(1).join("/"),
    operation: name,
    description: name,
  };
  return { name, isDataAction: false, display, origin: "user,system" };
}
