import { checkDeviceId } from "../names.ts";
import {
  BOUNDARIES,
  type DeviceGroup,
  type GroupSettings,
  isUnassigned,
  OS_FEEDS,
  reserved,
  SWITCHES,
  UNASSIGNED,
  UPDATE_POLICIES,
} from "../products.ts";
import type { Tenant } from "../tenants.ts";
import {
  type ArmRequest,
  type ArmRoutes,
  bodyObject,
  choiceOf,
  defined,
  ok,
  parameter,
  properties,
  textOf,
  textsOf,
} from "./http.ts";
import { page } from "./paging.ts";
import { groupResource } from "./resources.ts";
import {
  type ArmContext,
  catalogOf,
  DEVICE_GROUP,
  groupOf,
  groupPathOf,
  PRODUCT,
} from "./scope.ts";

/** Device groups (7 operations). */
export function deviceGroupRoutes(context: ArmContext): ArmRoutes {
  const { service, operations } = context;
  const { products } = service;
  const named = (request: ArmRequest) =>
    [catalogOf(context, request).tenantId, groupPathOf(request)] as const;

  function put(request: ArmRequest) {
    const tenant = catalogOf(context, request);
    const path = groupPathOf(request);
    const group = products.putGroup(tenant.tenantId, path, settingsOf(request));
    return groupView(context, tenant, group);
  }

  return {
    [`GET ${PRODUCT}/deviceGroups`]: (request) => {
      const tenant = catalogOf(context, request);
      const all = products.listGroups(tenant.tenantId, parameter(request, "product"));
      return page(
        request,
        all.map((group) => groupView(context, tenant, group)),
      );
    },
    [`GET ${DEVICE_GROUP}`]: (request) => {
      const { tenantId, path } = groupOf(context, request);
      const group = products.getGroup(tenantId, path);
      return ok(groupView(context, catalogOf(context, request), group));
    },
    [`PUT ${DEVICE_GROUP}`]: operations.later({
      accept(request) {
        const tenant = catalogOf(context, request);
        const group = products.draftGroup(
          tenant.tenantId,
          groupPathOf(request),
          settingsOf(request),
        );
        if (products.findGroup(tenant.tenantId, groupPathOf(request))) {
          return { done: ok(put(request)) };
        }
        return { resource: groupView(context, tenant, group) };
      },
      run: put,
    }),
    [`PATCH ${DEVICE_GROUP}`]: operations.later({
      accept(request) {
        settingsOf(request);
        if (isUnassigned(groupOf(context, request).path)) throw reserved(UNASSIGNED.group);
        return {};
      },
      run(request) {
        const { tenantId, path } = groupOf(context, request);
        const group = products.patchGroup(tenantId, path, settingsOf(request));
        return groupView(context, catalogOf(context, request), group);
      },
    }),
    [`DELETE ${DEVICE_GROUP}`]: operations.removal(
      (request) => service.ownership.checkGroup(...named(request)),
      (request) => service.ownership.removeGroup(...named(request)),
    ),
    [`POST ${DEVICE_GROUP}/claimDevices`]: operations.later({
      accept(request) {
        groupOf(context, request);
        for (const id of textsOf(bodyObject(request), "deviceIdentifiers")) checkDeviceId(id);
        return {};
      },
      run(request) {
        const { tenantId, path } = groupOf(context, request);
        const deviceIds = textsOf(bodyObject(request), "deviceIdentifiers");
        service.devices.claimAll(tenantId, deviceIds, path);
      },
    }),
    [`POST ${DEVICE_GROUP}/countDevices`]: (request) => {
      const { tenantId, path } = groupOf(context, request);
      return ok({ value: service.devices.listOf(tenantId, path.product, path.group).length });
    },
  };
}

export function groupView({ service }: ArmContext, tenant: Tenant, group: DeviceGroup) {
  const path = { product: group.product, group: group.name };
  const current = service.deployments.current(tenant.tenantId, path);
  return groupResource(tenant, group, current !== undefined);
}

function settingsOf(request: ArmRequest): Partial<GroupSettings> {
  const given = properties(request);
  return defined({
    description: textOf(given, "description"),
    osFeedType: choiceOf(given, "osFeedType", OS_FEEDS),
    updatePolicy: choiceOf(given, "updatePolicy", UPDATE_POLICIES),
    allowCrashDumpsCollection: choiceOf(given, "allowCrashDumpsCollection", SWITCHES),
    regionalDataBoundary: choiceOf(given, "regionalDataBoundary", BOUNDARIES),
  });
}
