import { LabError } from "../errors.ts";
import type { Store } from "../store/index.ts";
import type { Deployments } from "./deployments.ts";
import type { Devices } from "./devices.ts";
import type { Images } from "./images.ts";
import type { GroupPath, Products } from "./products.ts";
import type { Tenants } from "./tenants.ts";

interface Parts {
  readonly store: Store;
  readonly tenants: Tenants;
  readonly products: Products;
  readonly devices: Devices;
  readonly images: Images;
  readonly deployments: Deployments;
}

export type Ownership = ReturnType<typeof createOwnership>;

/** Removals: what something else still needs stays, and what goes takes its parts along. */
export function createOwnership(parts: Parts) {
  const { store, tenants, products, devices, images, deployments } = parts;

  function removeGroup(tenantId: string, path: GroupPath): boolean {
    const there = products.findGroup(tenantId, path) !== undefined;
    const inside = devices.listOf(tenantId, path.product, path.group).length;
    if (inside > 0) throw inUse(`Device group '${path.group}'`, inside, "Move them away first.");
    store.transaction(() => {
      deployments.removeGroup(tenantId, path);
      products.removeGroup(tenantId, path);
    });
    return there;
  }

  return {
    /** @returns whether it was there @throws LabError in-use */
    removeGroup,
    removeProduct(tenantId: string, product: string): boolean {
      const there = products.find(tenantId, product) !== undefined;
      const inside = devices.listOf(tenantId, product).length;
      if (inside > 0) throw inUse(`Product '${product}'`, inside, "Move them away first.");
      store.transaction(() => {
        for (const { name } of there ? products.listGroups(tenantId, product) : []) {
          removeGroup(tenantId, { product, group: name });
        }
        products.remove(tenantId, product);
      });
      return there;
    },
    /** An image that devices are to have stays. @throws LabError image-deployed */
    removeImage(tenantId: string, imageId: string): boolean {
      const [user] = deployments.usersOf(tenantId, imageId.toLowerCase());
      if (user === undefined) return images.remove(tenantId, imageId);
      throw new LabError(
        "image-deployed",
        `The image ${imageId} is in the current deployment of '${user.group}' of '${user.product}'.`,
        "Create a deployment without it first.",
      );
    },
    /** A catalog goes only before a device is claimed into it: a claim is for ever. */
    removeTenant(tenantId: string): void {
      const claimed = devices.list(tenantId).length;
      if (claimed > 0) throw inUse("The catalog", claimed, "A claim cannot be undone.");
      store.transaction(() => {
        for (const { name } of products.list(tenantId)) products.remove(tenantId, name);
        for (const { imageId } of images.list(tenantId)) images.remove(tenantId, imageId);
        deployments.removeTenant(tenantId);
        tenants.remove(tenantId);
      });
    },
  };
}

function inUse(what: string, devices: number, hint: string): LabError {
  return new LabError("in-use", `${what} has ${devices} device(s) and cannot be deleted.`, hint);
}
