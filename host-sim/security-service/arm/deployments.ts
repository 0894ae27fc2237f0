import { randomUUID } from "node:crypto";
import { type Deployment, refuseUnassigned } from "../deployments.ts";
import { checkGuid } from "../names.ts";
import type { Tenant } from "../tenants.ts";
import {
  type ArmRequest,
  type ArmRoutes,
  invalid,
  isObject,
  type JsonObject,
  ok,
  parameter,
  properties,
  textOf,
} from "./http.ts";
import { imageView } from "./images.ts";
import { page } from "./paging.ts";
import { deploymentResource } from "./resources.ts";
import { type ArmContext, catalogOf, DEVICE_GROUP, groupOf } from "./scope.ts";

const DEPLOYMENTS = `${DEVICE_GROUP}/deployments`;
const DEPLOYMENT = `${DEPLOYMENTS}/:deployment`;
/** Creates one with a fresh id, and reads the current one. */
const DEFAULT = ".default";

/** Deployments (4 operations). */
export function deploymentRoutes(context: ArmContext): ArmRoutes {
  const { service, operations } = context;
  const { deployments } = service;
  const named = (request: ArmRequest) => {
    const { tenantId, path } = groupOf(context, request);
    return [tenantId, path, parameter(request, "deployment")] as const;
  };
  const view = (request: ArmRequest, deployment: Deployment) =>
    deploymentView(context, request, catalogOf(context, request), deployment);
  return {
    [`GET ${DEPLOYMENTS}`]: (request) => {
      const { tenantId, path } = groupOf(context, request);
      const all = deployments.list(tenantId, path);
      return page(
        request,
        all.map((deployment) => view(request, deployment)),
      );
    },
    [`GET ${DEPLOYMENT}`]: (request) => {
      const { tenantId, path } = groupOf(context, request);
      const name = parameter(request, "deployment");
      return ok(view(request, deployments.get(tenantId, path, name)));
    },
    [`PUT ${DEPLOYMENT}`]: operations.later({
      accept(request) {
        const { path } = groupOf(context, request);
        refuseUnassigned(path);
        imageIdsOf(request);
        const deploymentId = idOf(request);
        const draft = { ...path, deploymentId, imageIds: [], sequence: 0 };
        const createdAt = service.clock.now();
        return { plan: deploymentId, resource: view(request, { ...draft, createdAt }) };
      },
      run(request, deploymentId) {
        const { tenantId, path } = groupOf(context, request);
        const imageIds = imageIdsOf(request);
        return view(request, deployments.create(tenantId, path, imageIds, deploymentId as string));
      },
    }),
    [`DELETE ${DEPLOYMENT}`]: operations.removal(
      (request) => deployments.find(...named(request)) !== undefined,
      (request) => void deployments.remove(...named(request)),
    ),
  };
}

export function deploymentView(
  context: ArmContext,
  request: ArmRequest,
  tenant: Tenant,
  deployment: Deployment,
) {
  const images = deployment.imageIds.flatMap((imageId) => {
    const image = context.service.images.find(tenant.tenantId, imageId);
    return image ? [imageView(context, request, tenant, image)] : [];
  });
  return deploymentResource(tenant, deployment, images);
}

/** The id of the path or of the body; a fresh one when neither says it. */
function idOf(request: ArmRequest): string {
  const name = parameter(request, "deployment");
  const id = textOf(properties(request), "deploymentId");
  const given = name.toLowerCase() === DEFAULT ? id : name;
  return checkGuid("deployment", given ?? randomUUID());
}

/** Images are named by their resource id, their name or `properties.imageId`. */
function imageIdsOf(request: ArmRequest): string[] {
  const { deployedImages } = properties(request);
  if (!Array.isArray(deployedImages)) throw invalid("'deployedImages' has to be a list of images.");
  return deployedImages.map((image) => {
    const id = isObject(image) ? imageIdOf(image) : undefined;
    if (id) return id;
    throw invalid("An image of 'deployedImages' has neither 'id' nor 'properties.imageId'.");
  });
}

function imageIdOf(image: JsonObject): string | undefined {
  const inside = isObject(image.properties) ? textOf(image.properties, "imageId") : undefined;
  return inside ?? textOf(image, "name") ?? textOf(image, "id")?.split("/").at(-1);
}
