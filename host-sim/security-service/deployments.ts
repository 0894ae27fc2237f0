import { randomUUID } from "node:crypto";
import { LabError } from "../errors.ts";
import { type ServiceContext, values } from "./context.ts";
import type { Image, Images } from "./images.ts";
import { checkGuid } from "./names.ts";
import { type GroupPath, isUnassigned, type Products } from "./products.ts";

export interface Deployment {
  readonly deploymentId: string;
  readonly product: string;
  readonly group: string;
  readonly imageIds: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  /** Counts up in a group; two deployments of one moment have an order too. */
  readonly sequence: number;
}

/** Flash for the app packages of a device: 1 MiB. */
export const LARGEST_DEPLOYMENT = 1024 * 1024;
/** An MT3620 has one core for a high-level app and two for real-time apps. */
const REAL_TIME_CORES = 2;
const APPLICATION = 10;
const IMAGE_TYPES = new Map([
  [APPLICATION, "application"],
  [21, "board configuration"],
]);

export type Deployments = ReturnType<typeof createDeployments>;

/** What the device groups get. The newest deployment of a group counts. */
export function createDeployments(context: ServiceContext, products: Products, images: Images) {
  const { store, clock, logger } = context;
  const prefix = (tenantId: string, { product, group }: GroupPath) =>
    `security-service/deployments/${tenantId}/${product.toLowerCase()}/${group.toLowerCase()}/`;

  const list = (tenantId: string, path: GroupPath): Deployment[] =>
    values<Deployment>(store, prefix(tenantId, path)).sort((a, b) => a.sequence - b.sequence);

  const listAll = (tenantId: string): Deployment[] =>
    values(store, `security-service/deployments/${tenantId}/`);

  function find(tenantId: string, path: GroupPath, id: string): Deployment | undefined {
    if (id === ".default") return list(tenantId, path).at(-1);
    return store.get<Deployment>(prefix(tenantId, path) + id.toLowerCase());
  }

  return {
    list,
    listAll,
    find,
    /** @throws LabError deployment-unknown */
    get(tenantId: string, path: GroupPath, id: string): Deployment {
      const found = find(tenantId, path, id);
      if (found) return found;
      throw new LabError(
        "deployment-unknown",
        `Device group '${path.group}' has no deployment ${id}.`,
        "List its deployments, or create one.",
      );
    },
    current: (tenantId: string, path: GroupPath) => list(tenantId, path).at(-1),
    /**
     * @param id a GUID; a fresh one when absent
     * @throws LabError image-unknown, deployment-conflict, deployment-too-large, group-unknown
     */
    create(
      tenantId: string,
      path: GroupPath,
      imageIds: readonly string[],
      id: string = randomUUID(),
    ): Deployment {
      refuseUnassigned(path);
      const { product, name: group } = products.getGroup(tenantId, path);
      check(imageIds.map((imageId) => images.get(tenantId, imageId)));
      const deployment = {
        deploymentId: checkGuid("deployment", id),
        product,
        group,
        imageIds: imageIds.map((imageId) => imageId.toLowerCase()),
        createdAt: clock.now(),
        sequence: (list(tenantId, path).at(-1)?.sequence ?? 0) + 1,
      };
      if (find(tenantId, path, deployment.deploymentId)) throw exists(id);
      store.put(prefix(tenantId, path) + deployment.deploymentId, deployment);
      logger.info(`${imageIds.length} image(s) deployed to ${product}, ${group}`);
      return deployment;
    },
    remove(tenantId: string, path: GroupPath, id: string): boolean {
      const found = find(tenantId, path, id);
      if (found) store.delete(prefix(tenantId, path) + found.deploymentId);
      return found !== undefined;
    },
    removeGroup(tenantId: string, path: GroupPath): void {
      for (const [key] of [...store.entries(prefix(tenantId, path))]) store.delete(key);
    },
    removeTenant(tenantId: string): void {
      for (const { product, group } of listAll(tenantId))
        this.removeGroup(tenantId, { product, group });
    },
    /** The groups whose current deployment has the image. */
    usersOf: (tenantId: string, imageId: string): Deployment[] => {
      const newest = new Map<string, Deployment>();
      for (const deployment of listAll(tenantId)) {
        const key = `${deployment.product}/${deployment.group}`;
        const before = newest.get(key);
        if (!before || before.sequence < deployment.sequence) newest.set(key, deployment);
      }
      return [...newest.values()].filter(({ imageIds }) => imageIds.includes(imageId));
    },
  };
}

function check(images: readonly Image[]): void {
  const components = new Map<string, Image>();
  for (const image of images) {
    const other = components.get(image.componentId);
    if (other) {
      throw conflict(
        `'${other.name}' (${other.imageId}) and '${image.name}' (${image.imageId}) ` +
          `are both of component ${image.componentId}`,
      );
    }
    if (!IMAGE_TYPES.has(image.imageType)) {
      throw conflict(`'${image.name}' is neither an application nor a board configuration`);
    }
    if (image.expiresAt !== null) throw conflict(`'${image.name}' is a temporary image`);
    components.set(image.componentId, image);
  }
  checkCores(images.filter(({ imageType }) => imageType === APPLICATION));
  const bytes = images.reduce((sum, image) => sum + image.installedBytes, 0);
  if (bytes <= LARGEST_DEPLOYMENT) return;
  throw new LabError(
    "deployment-too-large",
    `The images need ${bytes} bytes of flash together, a device has ${LARGEST_DEPLOYMENT}.`,
    "Deploy fewer or smaller images.",
  );
}

function checkCores(apps: readonly Image[]): void {
  const [first, second] = apps.filter(({ highLevel = true }) => highLevel);
  if (first && second) {
    throw conflict(
      `'${first.name}' and '${second.name}' are both high-level applications, ` +
        "and a device runs one",
    );
  }
  const realTime = apps.length - (first ? 1 : 0);
  if (realTime > REAL_TIME_CORES) {
    throw conflict(`they are ${realTime} real-time applications for ${REAL_TIME_CORES} cores`);
  }
}

function conflict(problem: string): LabError {
  return new LabError(
    "deployment-conflict",
    `These images cannot be deployed together: ${problem}.`,
    "Name one permanent image of each component, and one high-level application.",
  );
}

/** @throws LabError name-reserved */
export function refuseUnassigned(path: GroupPath): void {
  if (!isUnassigned(path)) return;
  throw new LabError(
    "name-reserved",
    "Devices without a device group get updates of the system only.",
    "Create the deployment for a device group of a product.",
  );
}

function exists(id: string): LabError {
  return new LabError(
    "deployment-exists",
    `The device group has a deployment ${id} already, and deployments do not change.`,
    "Create one with another id, or '.default' for a fresh id.",
  );
}
