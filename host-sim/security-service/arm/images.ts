import type { Image, Upload } from "../images.ts";
import { checkGuid } from "../names.ts";
import { BOUNDARIES } from "../products.ts";
import type { Tenant } from "../tenants.ts";
import {
  type ArmRequest,
  type ArmRoutes,
  choiceOf,
  defined,
  invalid,
  type JsonObject,
  ok,
  parameter,
  properties,
  requiredText,
  textOf,
} from "./http.ts";
import { page } from "./paging.ts";
import { imageResource, unreadImage } from "./resources.ts";
import { type ArmContext, CATALOG, catalogOf } from "./scope.ts";

const IMAGES = `${CATALOG}/images`;
const IMAGE = `${IMAGES}/:image`;
const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/;

/** Images (4 operations). The name of an image is its id. */
export function imageRoutes(context: ArmContext): ArmRoutes {
  const { service, operations } = context;
  const named = (request: ArmRequest) =>
    [catalogOf(context, request).tenantId, parameter(request, "image")] as const;

  function upload(request: ArmRequest) {
    const tenant = catalogOf(context, request);
    const imageId = parameter(request, "image");
    const given = { ...uploadOf(properties(request)), imageId };
    return imageView(context, request, tenant, service.images.upload(tenant.tenantId, given));
  }

  return {
    [`GET ${IMAGES}`]: (request) => {
      const tenant = catalogOf(context, request);
      const all = service.images.list(tenant.tenantId);
      return page(
        request,
        all.map((image) => imageView(context, request, tenant, image)),
      );
    },
    [`GET ${IMAGE}`]: (request) => {
      const tenant = catalogOf(context, request);
      const image = service.images.get(tenant.tenantId, parameter(request, "image"));
      return ok(imageView(context, request, tenant, image));
    },
    [`PUT ${IMAGE}`]: operations.later({
      accept(request) {
        const tenant = catalogOf(context, request);
        const imageId = checkGuid("image", parameter(request, "image"));
        const { bytes: _content, ...known } = uploadOf(properties(request));
        if (service.images.find(tenant.tenantId, imageId)) return { done: ok(upload(request)) };
        return { resource: unreadImage(tenant, imageId, known) };
      },
      run: upload,
    }),
    [`DELETE ${IMAGE}`]: operations.removal(
      (request) => service.ownership.checkImage(...named(request)),
      (request) => service.ownership.removeImage(...named(request)),
    ),
  };
}

export function imageView(
  { service }: ArmContext,
  { base }: ArmRequest,
  tenant: Tenant,
  image: Image,
) {
  const uri = base + service.images.downloadPath(tenant.tenantId, image.imageId);
  return imageResource(tenant, image, uri);
}

/** What an image's properties say about an upload. `temporary` is the lab's own. */
export function uploadOf(given: JsonObject): Upload {
  const text = requiredText(given, "image");
  if (!BASE64.test(text)) throw invalid("'image' is not the image package in base64.");
  return {
    bytes: Buffer.from(text, "base64"),
    temporary: given.temporary === true,
    ...defined({
      description: textOf(given, "description"),
      regionalDataBoundary: choiceOf(given, "regionalDataBoundary", BOUNDARIES),
    }),
  };
}
