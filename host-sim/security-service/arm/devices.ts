import { LabError } from "../../errors.ts";
import { checkCapabilities } from "../capabilities.ts";
import { checkDeviceId } from "../names.ts";
import { type GroupPath, UNASSIGNED } from "../products.ts";
import {
  type ArmRequest,
  type ArmRoutes,
  bodyObject,
  invalid,
  ok,
  parameter,
  properties,
  requiredText,
  textsOf,
} from "./http.ts";
import { page } from "./paging.ts";
import { catalogId, deviceResource } from "./resources.ts";
import { type ArmContext, catalogOf, DEVICE_GROUP, groupOf } from "./scope.ts";

const DEVICES = `${DEVICE_GROUP}/devices`;
const DEVICE = `${DEVICES}/:device`;

/** Devices (6 operations). */
export function deviceRoutes(context: ArmContext): ArmRoutes {
  const { service, operations } = context;
  const { devices, products } = service;

  function claim(request: ArmRequest) {
    const { tenantId, path } = groupOf(context, request);
    const device = devices.claim(tenantId, parameter(request, "device"), path);
    return deviceResource(catalogOf(context, request), device);
  }

  const target = (request: ArmRequest): GroupPath =>
    groupOfId(
      requiredText(properties(request), "deviceGroupId"),
      catalogId(catalogOf(context, request)),
    );

  /** A device is only where it is: the path of another group does not lead to it. */
  function existing(request: ArmRequest) {
    const { tenantId, path } = groupOf(context, request);
    const device = devices.get(tenantId, parameter(request, "device"));
    if (samePath(device.group, path)) return { tenant: catalogOf(context, request), device };
    throw new LabError(
      "device-unknown",
      `Device group '${path.group}' has no device '${device.deviceId}'.`,
      `It is in '${device.group.group}' of '${device.group.product}'.`,
    );
  }

  return {
    [`GET ${DEVICES}`]: (request) => {
      const { tenantId, path } = groupOf(context, request);
      const tenant = catalogOf(context, request);
      const all = devices.listOf(tenantId, path.product, path.group);
      return page(
        request,
        all.map((device) => deviceResource(tenant, device)),
      );
    },
    [`GET ${DEVICE}`]: (request) => {
      const { tenant, device } = existing(request);
      return ok(deviceResource(tenant, device));
    },
    [`PUT ${DEVICE}`]: operations.later({
      accept(request) {
        const { tenantId, path } = groupOf(context, request);
        const deviceId = checkDeviceId(parameter(request, "device"));
        if (devices.tenantOf(deviceId) === tenantId) return { done: ok(claim(request)) };
        const tenant = catalogOf(context, request);
        const fresh = { ...devices.draft(tenantId, deviceId), group: path };
        return { resource: deviceResource(tenant, fresh) };
      },
      run: claim,
    }),
    [`PATCH ${DEVICE}`]: operations.later({
      accept(request) {
        const { tenantId } = existing(request).tenant;
        products.getGroup(tenantId, target(request));
        return {};
      },
      run(request) {
        const { tenant, device } = existing(request);
        const moved = devices.assign(tenant.tenantId, device.deviceId, target(request));
        return deviceResource(tenant, moved);
      },
    }),
    [`DELETE ${DEVICE}`]: operations.removal(
      (request) => {
        const { tenantId } = groupOf(context, request);
        const id = parameter(request, "device").toLowerCase();
        if (devices.tenantOf(id) !== tenantId) return false;
        devices.checkUnassign(tenantId, existing(request).device.deviceId);
        return true;
      },
      (request) => {
        const { tenant, device } = existing(request);
        devices.unassign(tenant.tenantId, device.deviceId);
      },
    ),
    [`POST ${DEVICE}/generateCapabilityImage`]: operations.later({
      accept(request) {
        existing(request);
        checkCapabilities(textsOf(bodyObject(request), "capabilities"));
        return {};
      },
      run(request) {
        const { tenant, device } = existing(request);
        const capabilities = textsOf(bodyObject(request), "capabilities");
        const image = service.capabilityImage(tenant.tenantId, device.deviceId, capabilities);
        return { image: Buffer.from(image).toString("base64") };
      },
    }),
  };
}

/** Product and group of `{catalog}/products/P/deviceGroups/G`, or of `.unassigned` alone. */
function groupOfId(id: string, catalog: string): GroupPath {
  if (id.toLowerCase() === UNASSIGNED.group) return UNASSIGNED;
  const inside = id.toLowerCase().startsWith(`${catalog.toLowerCase()}/`);
  const match = /^\/products\/([^/]+)\/deviceGroups\/([^/]+)$/i.exec(id.slice(catalog.length));
  if (inside && match) return { product: match[1] ?? "", group: match[2] ?? "" };
  throw invalid(`'deviceGroupId' is '${id}' and no device group of this catalog.`);
}

const samePath = (a: GroupPath, b: GroupPath) =>
  a.product.toLowerCase() === b.product.toLowerCase() &&
  a.group.toLowerCase() === b.group.toLowerCase();
