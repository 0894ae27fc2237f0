import type { StoredImage } from "./image-store.ts";
import type { ImageIds, OfferedImage, UpdateManifest } from "./protocol.ts";

/** The next thing to do, or that there is nothing. */
export type Step =
  | { readonly kind: "none" }
  | {
      readonly kind: "prerequisites" | "os" | "deployment";
      readonly missing: readonly OfferedImage[];
      /** Components that have to go. */
      readonly removed: readonly string[];
    };

export interface PlanRequest {
  readonly offer: UpdateManifest;
  readonly installed: readonly ImageIds[];
  readonly deployed: readonly StoredImage[];
  /** False leaves apps alone, as on a device with the capability to develop apps. */
  readonly appsToo: boolean;
}

/** Prerequisites first, then the system, then apps. A step is done before the next is looked at. */
export function planUpdate({ offer, installed, deployed, appsToo }: PlanRequest): Step {
  const there = new Set(installed.map(({ imageId }) => imageId));
  const missing = (images: readonly OfferedImage[]) =>
    images.filter(({ imageId }) => !there.has(imageId));
  for (const kind of ["prerequisites", "os"] as const) {
    if (missing(offer[kind]).length > 0)
      return { kind, missing: missing(offer[kind]), removed: [] };
  }
  const images = appsToo ? offer.deployment?.images : undefined;
  if (!images) return { kind: "none" };
  const wanted = new Set(images.map(({ componentId }) => componentId));
  const removed = deployed
    .map(({ componentId }) => componentId)
    .filter((componentId) => !wanted.has(componentId));
  if (missing(images).length === 0 && removed.length === 0) return { kind: "none" };
  return { kind: "deployment", missing: missing(images), removed };
}
