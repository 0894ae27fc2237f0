import type { SecurityService } from "../security-service.ts";
import { LAB_RESOURCE_GROUP, type Tenant } from "../tenants.ts";
import { ArmError } from "./errors.ts";
import { type ArmRequest, parameter } from "./http.ts";
import type { Operations } from "./operations.ts";

/** What all groups of routes work with. */
export interface ArmContext {
  readonly service: SecurityService;
  readonly operations: Operations;
}

export { LAB_RESOURCE_GROUP };
/** The lab is one subscription. */
export const LAB_SUBSCRIPTION = "5be7e000-0000-4000-8000-000000000000";
export const PROVIDER = "Microsoft.AzureSphere";

export const SUBSCRIPTION = "/subscriptions/:subscription";
export const GROUP = `${SUBSCRIPTION}/resourceGroups/:resourceGroup`;
export const CATALOGS = `${GROUP}/providers/${PROVIDER}/catalogs`;
export const CATALOG = `${CATALOGS}/:catalog`;
export const PRODUCT = `${CATALOG}/products/:product`;
export const DEVICE_GROUP = `${PRODUCT}/deviceGroups/:deviceGroup`;

/** @throws ArmError 404 for any subscription but the lab's */
export function checkSubscription(request: ArmRequest): void {
  const subscription = parameter(request, "subscription");
  if (subscription.toLowerCase() === LAB_SUBSCRIPTION) return;
  throw new ArmError(
    404,
    "SubscriptionNotFound",
    `The subscription '${subscription}' could not be found.`,
    { hint: `The lab's subscription is ${LAB_SUBSCRIPTION}.` },
  );
}

export function findCatalog({ service }: ArmContext, request: ArmRequest): Tenant | undefined {
  checkSubscription(request);
  const [group, name] = [parameter(request, "resourceGroup"), parameter(request, "catalog")];
  return service.tenants.findByName(group, name);
}

/** The catalog that the path names. @throws ArmError 404 */
export function catalogOf(context: ArmContext, request: ArmRequest): Tenant {
  const tenant = findCatalog(context, request);
  if (tenant) return tenant;
  const [group, name] = [parameter(request, "resourceGroup"), parameter(request, "catalog")];
  throw new ArmError(
    404,
    "ResourceNotFound",
    `The Resource '${PROVIDER}/catalogs/${name}' under resource group '${group}' was not found.`,
    { hint: "`spherule status` shows the lab's catalog." },
  );
}

export const groupPathOf = (request: ArmRequest) => ({
  product: parameter(request, "product"),
  group: parameter(request, "deviceGroup"),
});

/** The group that the path names, which exists. @throws LabError product-unknown, group-unknown */
export function groupOf(context: ArmContext, request: ArmRequest) {
  const { tenantId } = catalogOf(context, request);
  const path = groupPathOf(request);
  context.service.products.get(tenantId, path.product);
  const { product, name: group } = context.service.products.getGroup(tenantId, path);
  return { tenantId, path: { product, group } };
}
