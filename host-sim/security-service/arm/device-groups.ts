import {
  BOUNDARIES,
  type DeviceGroup,
  type GroupSettings,
  OS_FEEDS,
  SWITCHES,
  UPDATE_POLICIES,
} from "../products.ts";
import type { Tenant } from "../tenants.ts";
import {
  type ArmRequest,
  type ArmRoutes,
  bodyObject,
  choiceOf,
  defined,
  deleted,
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
    [`PUT ${DEVICE_GROUP}`]: (request) => {
      const tenant = catalogOf(context, request);
      const path = groupPathOf(request);
      const made = products.findGroup(tenant.tenantId, path) === undefined;
      const group = products.putGroup(tenant.tenantId, path, settingsOf(request));
      return operations.put(request, made, groupView(context, tenant, group));
    },
    [`PATCH ${DEVICE_GROUP}`]: (request) => {
      const { tenantId, path } = groupOf(context, request);
      const group = products.patchGroup(tenantId, path, settingsOf(request));
      return ok(groupView(context, catalogOf(context, request), group));
    },
    [`DELETE ${DEVICE_GROUP}`]: (request) => {
      const { tenantId } = catalogOf(context, request);
      return deleted(service.ownership.removeGroup(tenantId, groupPathOf(request)));
    },
    [`POST ${DEVICE_GROUP}/claimDevices`]: (request) => {
      const { tenantId, path } = groupOf(context, request);
      const deviceIds = textsOf(bodyObject(request), "deviceIdentifiers");
      service.devices.claimAll(tenantId, deviceIds, path);
      return operations.accepted(request);
    },
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
