import { LabError } from "../errors.ts";
import { type ServiceContext, values } from "./context.ts";
import { checkName, DEFAULT_PRODUCT, UNASSIGNED_GROUP } from "./names.ts";

export interface Product {
  readonly name: string;
  readonly description: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

export const OS_FEEDS = ["Retail", "RetailEval"] as const;
/** The last one only `azsphere` knows. */
export const UPDATE_POLICIES = ["UpdateAll", "No3rdPartyAppUpdates", "NoUpdates"] as const;
export const SWITCHES = ["Enabled", "Disabled"] as const;
export const BOUNDARIES = ["None", "EU"] as const;

/** What an owner may change of a device group. */
export interface GroupSettings {
  readonly description: string;
  readonly osFeedType: (typeof OS_FEEDS)[number];
  readonly updatePolicy: (typeof UPDATE_POLICIES)[number];
  readonly allowCrashDumpsCollection: (typeof SWITCHES)[number];
  readonly regionalDataBoundary: (typeof BOUNDARIES)[number];
}

export interface DeviceGroup extends GroupSettings {
  readonly product: string;
  readonly name: string;
  readonly createdAt: number;
}

/** A device group by its names; the system's own are `.default` and `.unassigned`. */
export interface GroupPath {
  readonly product: string;
  readonly group: string;
}

export const UNASSIGNED: GroupPath = { product: DEFAULT_PRODUCT, group: UNASSIGNED_GROUP };

const SETTINGS: GroupSettings = {
  description: "",
  osFeedType: "Retail",
  updatePolicy: "UpdateAll",
  allowCrashDumpsCollection: "Disabled",
  regionalDataBoundary: "None",
};

/** The groups that each product starts with. */
const DEFAULT_GROUPS: readonly (Partial<GroupSettings> & { readonly name: string })[] = [
  {
    name: "Development",
    updatePolicy: "No3rdPartyAppUpdates",
    description: "Default development device group",
  },
  { name: "Field Test", description: "Default test device group" },
  { name: "Production", description: "Default production device group" },
  {
    name: "Field Test OS Evaluation",
    osFeedType: "RetailEval",
    description: "Default test OS evaluation device group",
  },
  {
    name: "Production OS Evaluation",
    osFeedType: "RetailEval",
    description: "Default production OS evaluation device group",
  },
];

export const isUnassigned = ({ product, group }: GroupPath): boolean =>
  product.toLowerCase() === DEFAULT_PRODUCT && group.toLowerCase() === UNASSIGNED_GROUP;

export type Products = ReturnType<typeof createProducts>;

/** Products and device groups of all tenants. Names are found in any letter case. */
export function createProducts({ store, clock }: ServiceContext) {
  const products = (tenantId: string) => `security-service/products/${tenantId}/`;
  const productKey = (tenantId: string, name: string) => products(tenantId) + name.toLowerCase();
  const groups = (tenantId: string, product: string) =>
    `security-service/groups/${tenantId}/${product.toLowerCase()}/`;
  const groupKey = (tenantId: string, { product, group }: GroupPath) =>
    groups(tenantId, product) + group.toLowerCase();

  function find(tenantId: string, name: string): Product | undefined {
    if (name.toLowerCase() === DEFAULT_PRODUCT) return systemProduct();
    return store.get<Product>(productKey(tenantId, name));
  }

  function findGroup(tenantId: string, path: GroupPath): DeviceGroup | undefined {
    if (isUnassigned(path)) return systemGroup();
    return store.get<DeviceGroup>(groupKey(tenantId, path));
  }

  const get = (tenantId: string, name: string): Product => find(tenantId, name) ?? unknown(name);

  /**
   * The group as it would be made, or would be after the change.
   * @throws LabError product-unknown, name-invalid, name-reserved
   */
  function draftGroup(
    tenantId: string,
    path: GroupPath,
    settings: Partial<GroupSettings>,
  ): DeviceGroup {
    const product = get(tenantId, path.product).name;
    const before = findGroup(tenantId, path);
    const name = before?.name ?? checkName("device group", path.group);
    if (product === DEFAULT_PRODUCT) throw reserved(DEFAULT_PRODUCT);
    const createdAt = before?.createdAt ?? clock.now();
    return { ...SETTINGS, ...settings, product, name, createdAt };
  }

  function putGroup(
    tenantId: string,
    path: GroupPath,
    settings: Partial<GroupSettings>,
  ): DeviceGroup {
    const group = draftGroup(tenantId, path, settings);
    store.put(groupKey(tenantId, { product: group.product, group: group.name }), group);
    return group;
  }

  /** Makes those of the five default groups that are missing. */
  const addDefaultGroups = (tenantId: string, product: string): DeviceGroup[] =>
    store.transaction(() =>
      DEFAULT_GROUPS.map(({ name, ...settings }) => {
        const path = { product: get(tenantId, product).name, group: name };
        return findGroup(tenantId, path) ?? putGroup(tenantId, path, settings);
      }),
    );

  return {
    find,
    get,
    list: (tenantId: string): Product[] => values(store, products(tenantId)),
    /** Makes a product with its five groups, or changes its description. */
    put: (tenantId: string, name: string, description: string): Product =>
      store.transaction(() => {
        if (name.toLowerCase() === DEFAULT_PRODUCT) throw reserved(name);
        const before = find(tenantId, name);
        const product = {
          name: before?.name ?? checkName("product", name),
          description,
          createdAt: before?.createdAt ?? clock.now(),
        };
        store.put(productKey(tenantId, name), product);
        if (!before) addDefaultGroups(tenantId, name);
        return product;
      }),
    remove(tenantId: string, name: string): void {
      for (const [key] of [...store.entries(groups(tenantId, name))]) store.delete(key);
      store.delete(productKey(tenantId, name));
    },
    addDefaultGroups,
    findGroup,
    /** @throws LabError group-unknown */
    getGroup: (tenantId: string, path: GroupPath): DeviceGroup =>
      findGroup(tenantId, path) ?? unknownGroup(path),
    listGroups(tenantId: string, product?: string): DeviceGroup[] {
      if (product !== undefined) {
        return values(store, groups(tenantId, get(tenantId, product).name));
      }
      return values(store, `security-service/groups/${tenantId}/`);
    },
    draftGroup,
    /** Makes a group or replaces its settings. */
    putGroup,
    patchGroup(tenantId: string, path: GroupPath, patch: Partial<GroupSettings>): DeviceGroup {
      const before = findGroup(tenantId, path) ?? unknownGroup(path);
      return putGroup(tenantId, path, { ...before, ...patch });
    },
    removeGroup: (tenantId: string, path: GroupPath): void =>
      store.delete(groupKey(tenantId, path)),
  };
}

function systemProduct(): Product {
  return { name: DEFAULT_PRODUCT, description: "Devices without a product", createdAt: 0 };
}

/** A device that nobody assigned gets updates of the system only: there is nothing to deploy to it. */
function systemGroup(): DeviceGroup {
  const description = "Devices without a device group";
  const { product, group: name } = UNASSIGNED;
  return { ...SETTINGS, product, name, description, createdAt: 0 };
}

function unknown(name: string): never {
  throw new LabError(
    "product-unknown",
    `There is no product '${name}' in this catalog.`,
    "List the products, or create it.",
  );
}

function unknownGroup({ product, group }: GroupPath): never {
  throw new LabError(
    "group-unknown",
    `There is no device group '${group}' in product '${product}'.`,
    "List the device groups, or create it.",
  );
}

/** @returns the refusal to change what the system has made */
export function reserved(name: string): LabError {
  return new LabError(
    "name-reserved",
    `'${name}' belongs to the system and cannot be changed.`,
    "Choose a name that does not start with a dot.",
  );
}
