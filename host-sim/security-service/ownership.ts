import { LabError } from "../errors.ts";
import type { Store } from "../store/index.ts";
import type { Deployments } from "./deployments.ts";
import type { Devices } from "./devices.ts";
import type { Images } from "./images.ts";
import { DEFAULT_PRODUCT } from "./names.ts";
import { type GroupPath, isUnassigned, type Products, reserved } from "./products.ts";
import type { Roles } from "./roles.ts";
import type { Tenants } from "./tenants.ts";

interface Parts {
  readonly store: Store;
  readonly tenants: Tenants;
  readonly roles: Roles;
  readonly products: Products;
  readonly devices: Devices;
  readonly images: Images;
  readonly deployments: Deployments;
}

export type Ownership = ReturnType<typeof createOwnership>;

/**
 * Removals: what something else still needs stays, and what goes takes its parts along. The checks say
 * whether it is there, and refuse what the removal would refuse.
 */
export function createOwnership(parts: Parts) {
  const { store, tenants, roles, products, devices, images, deployments } = parts;

  /** @throws LabError in-use, name-reserved */
  function checkGroup(tenantId: string, path: GroupPath): boolean {
    if (isUnassigned(path)) throw reserved(path.group);
    const inside = devices.listOf(tenantId, path.product, path.group).length;
    if (inside > 0) throw inUse(`Device group '${path.group}'`, inside, "Move them away first.");
    return products.findGroup(tenantId, path) !== undefined;
  }

  function removeGroup(tenantId: string, path: GroupPath): void {
    checkGroup(tenantId, path);
    store.transaction(() => {
      deployments.removeGroup(tenantId, path);
      products.removeGroup(tenantId, path);
    });
  }

  /** @throws LabError in-use, name-reserved */
  function checkProduct(tenantId: string, product: string): boolean {
    const found = products.find(tenantId, product);
    if (found?.name === DEFAULT_PRODUCT) throw reserved(product);
    const inside = devices.listOf(tenantId, product).length;
    if (inside > 0) throw inUse(`Product '${product}'`, inside, "Move them away first.");
    return found !== undefined;
  }

  /** An image that devices are to have stays. @throws LabError image-deployed */
  function checkImage(tenantId: string, imageId: string): boolean {
    const [user] = deployments.usersOf(tenantId, imageId.toLowerCase());
    if (user === undefined) return images.find(tenantId, imageId) !== undefined;
    throw new LabError(
      "image-deployed",
      `The image ${imageId} is in the current deployment of '${user.group}' of '${user.product}'.`,
      "Create a deployment without it first.",
    );
  }

  /** A catalog goes only before a device is claimed into it: a claim is for ever. */
  function checkTenant(tenantId: string): void {
    const claimed = devices.list(tenantId).length;
    if (claimed > 0) throw inUse("The catalog", claimed, "A claim cannot be undone.");
  }

  return {
    ...{ checkGroup, checkProduct, checkImage, checkTenant },
    removeGroup,
    removeProduct(tenantId: string, product: string): void {
      if (!checkProduct(tenantId, product)) return;
      store.transaction(() => {
        for (const { name } of products.listGroups(tenantId, product)) {
          removeGroup(tenantId, { product, group: name });
        }
        products.remove(tenantId, product);
      });
    },
    removeImage(tenantId: string, imageId: string): void {
      checkImage(tenantId, imageId);
      images.remove(tenantId, imageId);
    },
    removeTenant(tenantId: string): void {
      checkTenant(tenantId);
      store.transaction(() => {
        for (const { name } of products.list(tenantId)) products.remove(tenantId, name);
        for (const { imageId } of images.list(tenantId)) images.remove(tenantId, imageId);
        deployments.removeTenant(tenantId);
        roles.removeTenant(tenantId);
        tenants.remove(tenantId);
      });
    },
  };
}

function inUse(what: string, devices: number, hint: string): LabError {
  return new LabError("in-use", `${what} has ${devices} device(s) and cannot be deleted.`, hint);
}
