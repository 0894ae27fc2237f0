import { groupView } from "./device-groups.ts";
import {
  type ArmRequest,
  type ArmRoutes,
  deleted,
  ok,
  parameter,
  properties,
  textOf,
} from "./http.ts";
import { page } from "./paging.ts";
import { productResource } from "./resources.ts";
import { type ArmContext, CATALOG, catalogOf, PRODUCT } from "./scope.ts";

/** Products (7 operations). */
export function productRoutes(context: ArmContext): ArmRoutes {
  const { service, operations } = context;
  const { products } = service;

  function existing(request: ArmRequest) {
    const tenant = catalogOf(context, request);
    return { tenant, product: products.get(tenant.tenantId, parameter(request, "product")) };
  }

  function generateGroups(request: ArmRequest) {
    const { tenant, product } = existing(request);
    const groups = products.addDefaultGroups(tenant.tenantId, product.name);
    return page(
      request,
      groups.map((group) => groupView(context, tenant, group)),
    );
  }

  return {
    [`GET ${CATALOG}/products`]: (request) => {
      const tenant = catalogOf(context, request);
      const all = products.list(tenant.tenantId);
      return page(
        request,
        all.map((product) => productResource(tenant, product)),
      );
    },
    [`GET ${PRODUCT}`]: (request) => {
      const { tenant, product } = existing(request);
      return ok(productResource(tenant, product));
    },
    [`PUT ${PRODUCT}`]: (request) => {
      const tenant = catalogOf(context, request);
      const name = parameter(request, "product");
      const made = products.find(tenant.tenantId, name) === undefined;
      const description = textOf(properties(request), "description") ?? "";
      const product = products.put(tenant.tenantId, name, description);
      return operations.put(request, made, productResource(tenant, product));
    },
    [`PATCH ${PRODUCT}`]: (request) => {
      const { tenant, product } = existing(request);
      const description = textOf(properties(request), "description") ?? product.description;
      const changed = products.put(tenant.tenantId, product.name, description);
      return ok(productResource(tenant, changed));
    },
    [`DELETE ${PRODUCT}`]: (request) => {
      const { tenantId } = catalogOf(context, request);
      return deleted(service.ownership.removeProduct(tenantId, parameter(request, "product")));
    },
    [`POST ${PRODUCT}/countDevices`]: (request) => {
      const { tenant, product } = existing(request);
      return ok({ value: service.devices.listOf(tenant.tenantId, product.name).length });
    },
    [`POST ${PRODUCT}/generateDefaultDeviceGroups`]: generateGroups,
    [`GET ${PRODUCT}/generateDefaultDeviceGroups`]: generateGroups,
  };
}
