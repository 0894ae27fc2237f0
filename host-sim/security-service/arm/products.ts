import { checkName, DEFAULT_PRODUCT } from "../names.ts";
import { reserved } from "../products.ts";
import { groupView } from "./device-groups.ts";
import { type ArmRequest, type ArmRoutes, ok, parameter, properties, textOf } from "./http.ts";
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

  const named = (request: ArmRequest) =>
    [catalogOf(context, request).tenantId, parameter(request, "product")] as const;

  function put(request: ArmRequest, description: string) {
    const tenant = catalogOf(context, request);
    const name = parameter(request, "product");
    return productResource(tenant, products.put(tenant.tenantId, name, description));
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
    [`PUT ${PRODUCT}`]: operations.later({
      accept(request) {
        const tenant = catalogOf(context, request);
        const name = parameter(request, "product");
        const description = descriptionOf(request) ?? "";
        if (products.find(tenant.tenantId, name)) return { done: ok(put(request, description)) };
        const product = { name: checkName("product", name), description };
        const createdAt = service.clock.now();
        return { resource: productResource(tenant, { ...product, createdAt }) };
      },
      run: (request) => put(request, descriptionOf(request) ?? ""),
    }),
    [`PATCH ${PRODUCT}`]: operations.later({
      accept(request) {
        descriptionOf(request);
        const { product } = existing(request);
        if (product.name === DEFAULT_PRODUCT) throw reserved(product.name);
        return {};
      },
      run: (request) =>
        put(request, descriptionOf(request) ?? existing(request).product.description),
    }),
    [`DELETE ${PRODUCT}`]: operations.removal(
      (request) => service.ownership.checkProduct(...named(request)),
      (request) => service.ownership.removeProduct(...named(request)),
    ),
    [`POST ${PRODUCT}/countDevices`]: (request) => {
      const { tenant, product } = existing(request);
      return ok({ value: service.devices.listOf(tenant.tenantId, product.name).length });
    },
    [`POST ${PRODUCT}/generateDefaultDeviceGroups`]: generateGroups,
    [`GET ${PRODUCT}/generateDefaultDeviceGroups`]: generateGroups,
  };
}

const descriptionOf = (request: ArmRequest) => textOf(properties(request), "description");
