import type { SecurityService } from "../security-service.ts";
import { actionOf, authorize } from "./access.ts";
import { catalogRoutes } from "./catalogs.ts";
import { certificateRoutes } from "./certificates.ts";
import { deploymentRoutes } from "./deployments.ts";
import { deviceGroupRoutes } from "./device-groups.ts";
import { deviceRoutes } from "./devices.ts";
import { type ArmRoutes, ok } from "./http.ts";
import { imageRoutes } from "./images.ts";
import { createOperations } from "./operations.ts";
import { productRoutes } from "./products.ts";
import { roleRoutes } from "./roles.ts";
import { type ArmContext, PROVIDER } from "./scope.ts";

/**
 * The routes of Microsoft.AzureSphere 2024-04-01, the polling of its long-running operations, and the
 * role assignments of Microsoft.Authorization on catalogs.
 */
export function createArmApi(service: SecurityService, operationMs: number) {
  const operations = createOperations(service, operationMs);
  const context: ArmContext = { service, operations };
  const routes = allRoutes(context);
  return { operations, routes, authorize: authorize.bind(undefined, context) };
}

function allRoutes(context: ArmContext): ArmRoutes {
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
    ...context.operations.routes,
    ...roleRoutes(context),
    [`GET /providers/${PROVIDER}/operations`]: () => ok({ value: list }),
  };
}

function described(route: string) {
  const name = actionOf(route);
  const resource = name.split("/").slice(1, -1).join("/");
  const display = { provider: "Azure Sphere", resource, operation: name, description: name };
  return { name, isDataAction: false, display, origin: "user,system" };
}
