import { randomUUID } from "node:crypto";
import { checkCatalogName } from "../names.ts";
import { OWNER } from "../roles.ts";
import type { Tenant } from "../tenants.ts";
import { deploymentView } from "./deployments.ts";
import { groupView } from "./device-groups.ts";
import {
  type ArmRequest,
  type ArmRoutes,
  bodyObject,
  invalid,
  isObject,
  ok,
  parameter,
  properties,
  textOf,
} from "./http.ts";
import { imageView, uploadOf } from "./images.ts";
import { page } from "./paging.ts";
import { catalogResource, deviceResource, insightResource } from "./resources.ts";
import {
  type ArmContext,
  CATALOG,
  CATALOGS,
  catalogOf,
  checkSubscription,
  findCatalog,
  PROVIDER,
  SUBSCRIPTION,
} from "./scope.ts";

/** Catalogs (12 operations). */
export function catalogRoutes(context: ArmContext): ArmRoutes {
  const { service, operations } = context;
  const catalog = (request: ArmRequest) => catalogOf(context, request);

  const list = (request: ArmRequest, resourceGroup?: string) => {
    checkSubscription(request);
    const all = service.tenants
      .list()
      .filter(({ tenantId }) => service.roles.of(tenantId, request.user) !== undefined)
      .filter((tenant) => resourceGroup === undefined || same(tenant.resourceGroup, resourceGroup));
    return page(request, all.map(catalogResource));
  };

  return {
    [`GET ${SUBSCRIPTION}/providers/${PROVIDER}/catalogs`]: (request) => list(request),
    [`GET ${CATALOGS}`]: (request) => list(request, parameter(request, "resourceGroup")),
    [`GET ${CATALOG}`]: (request) => ok(catalogResource(catalog(request))),
    [`PUT ${CATALOG}`]: operations.later({
      accept(request) {
        const before = findCatalog(context, request);
        const tags = tagsOf(request) ?? {};
        if (before) {
          return { done: ok(catalogResource(service.tenants.setTags(before.tenantId, tags))) };
        }
        const name = checkCatalogName(parameter(request, "catalog"));
        const resourceGroup = parameter(request, "resourceGroup");
        const plan = { name, resourceGroup, tags, tenantId: randomUUID() };
        const createdAt = service.clock.now();
        return { plan, resource: catalogResource({ ...plan, createdAt }) };
      },
      run(request, plan) {
        const { name, tenantId, resourceGroup, tags } = plan as Omit<Tenant, "createdAt">;
        const tenant = service.tenants.create(name, tenantId, { resourceGroup, tags });
        // Who makes a catalog owns it; the lab's own user owns them all.
        if (request.user !== OWNER) service.roles.assign(tenantId, request.user, "Administrator");
        return catalogResource(tenant);
      },
    }),
    [`PATCH ${CATALOG}`]: (request) => {
      const { tenantId, tags } = catalog(request);
      return ok(catalogResource(service.tenants.setTags(tenantId, tagsOf(request) ?? tags)));
    },
    [`DELETE ${CATALOG}`]: operations.removal(
      (request) => {
        const tenant = findCatalog(context, request);
        if (tenant) service.ownership.checkTenant(tenant.tenantId);
        return tenant !== undefined;
      },
      (request) => service.ownership.removeTenant(catalog(request).tenantId),
    ),
    ...listRoutes(context),
    [`POST ${CATALOG}/countDevices`]: (request) =>
      ok({ value: service.devices.list(catalog(request).tenantId).length }),
    [`POST ${CATALOG}/uploadImage`]: operations.later({
      accept(request) {
        catalog(request);
        uploadOf(properties(request));
        return {};
      },
      run(request) {
        const tenant = catalog(request);
        const image = service.images.upload(tenant.tenantId, uploadOf(properties(request)));
        return imageView(context, request, tenant, image);
      },
    }),
  };
}

/** Lists of everything in a catalog. The next page of a POST is fetched with GET. */
function listRoutes(context: ArmContext): ArmRoutes {
  const { service } = context;
  const lists: ArmRoutes = {
    listDeployments(request) {
      const tenant = catalogOf(context, request);
      const all = service.deployments.listAll(tenant.tenantId);
      return page(
        request,
        all.map((deployment) => deploymentView(context, request, tenant, deployment)),
      );
    },
    listDeviceGroups(request) {
      const tenant = catalogOf(context, request);
      const name = textOf(bodyObject(request), "deviceGroupName");
      const all = service.products
        .listGroups(tenant.tenantId)
        .filter((group) => name === undefined || same(group.name, name));
      return page(
        request,
        all.map((group) => groupView(context, tenant, group)),
      );
    },
    listDeviceInsights(request) {
      const { tenantId } = catalogOf(context, request);
      return page(request, service.insights.list(tenantId).map(insightResource));
    },
    listDevices(request) {
      const tenant = catalogOf(context, request);
      const all = service.devices.list(tenant.tenantId);
      return page(
        request,
        all.map((device) => deviceResource(tenant, device)),
      );
    },
  };
  const both = Object.entries(lists).flatMap(([name, handler]) => [
    [`POST ${CATALOG}/${name}`, handler],
    [`GET ${CATALOG}/${name}`, handler],
  ]);
  return Object.fromEntries(both);
}

function tagsOf(request: ArmRequest): Record<string, string> | undefined {
  const { tags } = bodyObject(request);
  if (tags === undefined) return undefined;
  if (isObject(tags) && Object.values(tags).every((value) => typeof value === "string")) {
    return tags as Record<string, string>;
  }
  throw invalid("'tags' has to be an object of texts.");
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
