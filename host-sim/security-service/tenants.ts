import { randomUUID } from "node:crypto";
import { LabError } from "../errors.ts";
import {
  type Authority,
  loadAuthority,
  parseCertificate,
  type StoredAuthority,
  storeAuthority,
  thumbprint,
} from "../pki/index.ts";
import { newTenantAuthority, type ServiceAuthorities } from "./authorities.ts";
import { DAY_MS, type ServiceContext, values } from "./context.ts";
import { checkCatalogName, checkGuid } from "./names.ts";

/** A tenant of Azure Sphere (Legacy), which Azure Sphere (Integrated) calls a catalog. */
export interface Tenant {
  readonly tenantId: string;
  readonly name: string;
  readonly resourceGroup: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

interface TenantAuthority extends StoredAuthority {
  /** Milliseconds since the Unix epoch; from the start when absent. */
  readonly activeFrom?: number;
}

interface StoredTenant extends Omit<Partial<Tenant>, "tenantId" | "name"> {
  readonly tenantId: string;
  readonly name: string;
  /** Oldest first. */
  readonly authorities: readonly TenantAuthority[];
}

/** A CA certificate of a tenant as `ca-certificate list` shows it. */
export interface TenantCertificate {
  readonly pem: string;
  readonly thumbprint: string;
  /** Upper-case hex; the name of the certificate. */
  readonly serialNumber: string;
  readonly subject: string;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
  readonly status: "Active" | "Inactive" | "Expired";
}

/** Where tenants are that were not made by a request that names a resource group. */
export const LAB_RESOURCE_GROUP = "lab";
/** The next generation is issued so long before the end of the current one … */
const ISSUED_AHEAD_MS = 60 * DAY_MS;
/** … and signs from then on. */
const ACTIVE_AHEAD_MS = 30 * DAY_MS;

export type Tenants = ReturnType<typeof createTenants>;

/** Tenants and the generations of their CA. */
export function createTenants(context: ServiceContext, services: ServiceAuthorities) {
  const { store, clock, logger } = context;
  const key = (tenantId: string) => `security-service/tenants/${tenantId}`;
  const all = () => values<StoredTenant>(store, "security-service/tenants/");
  const stored = (tenantId: string) =>
    maintained(store.get<StoredTenant>(key(tenantId)) ?? unknown(tenantId));

  /** Issues the next generation of the CA when it is due. */
  function maintained(tenant: StoredTenant): StoredTenant {
    const newest = tenant.authorities.at(-1) as TenantAuthority;
    const expires = Date.parse(parseCertificate(newest.certificate).validTo);
    if (clock.now() < expires - ISSUED_AHEAD_MS) return tenant;
    logger.info(`tenant ${tenant.name}: next CA certificate issued`);
    return issue(tenant, Math.max(clock.now(), expires - ACTIVE_AHEAD_MS));
  }

  function issue(tenant: StoredTenant, activeFrom: number): StoredTenant {
    const next = storeAuthority(newTenantAuthority(services, tenant.tenantId, clock));
    const authorities = [...tenant.authorities, { ...next, activeFrom }];
    const changed = { ...tenant, authorities };
    store.put(key(tenant.tenantId), changed);
    return changed;
  }

  /** The newest one whose time has come. */
  function activeOf({ authorities }: StoredTenant): TenantAuthority {
    const active = authorities.findLast(({ activeFrom = 0 }) => activeFrom <= clock.now());
    return active ?? (authorities[0] as TenantAuthority);
  }

  function shown(entry: TenantAuthority, active: TenantAuthority): TenantCertificate {
    const certificate = parseCertificate(entry.certificate);
    const expired = Date.parse(certificate.validTo) < clock.now();
    const generation = entry === active ? "Active" : "Inactive";
    return {
      pem: entry.certificate,
      thumbprint: thumbprint(certificate),
      serialNumber: certificate.serialNumber,
      subject: certificate.subject.replaceAll("\n", ", "),
      notBefore: new Date(certificate.validFrom).toISOString(),
      notAfter: new Date(certificate.validTo).toISOString(),
      status: expired ? "Expired" : generation,
    };
  }

  function save(tenant: StoredTenant): Tenant {
    store.put(key(tenant.tenantId), tenant);
    return publicPart(tenant);
  }

  const find = (tenantId: string): Tenant | undefined => {
    const tenant = store.get<StoredTenant>(key(tenantId));
    return tenant && publicPart(tenant);
  };

  const findByName = (resourceGroup: string, name: string): Tenant | undefined =>
    all()
      .map(publicPart)
      .find((tenant) => same(tenant.name, name) && same(tenant.resourceGroup, resourceGroup));

  return {
    find,
    findByName,
    list: (): Tenant[] => all().map(publicPart),
    get: (tenantId: string): Tenant => publicPart(stored(tenantId)),
    /**
     * @param tenantId a GUID; a fresh one when absent
     * @throws LabError name-invalid, catalog-exists
     */
    create(
      name: string,
      tenantId: string = randomUUID(),
      place: Partial<Pick<Tenant, "resourceGroup" | "tags">> = {},
    ): Tenant {
      checkCatalogName(name);
      const id = checkGuid("tenant", tenantId);
      const resourceGroup = place.resourceGroup ?? LAB_RESOURCE_GROUP;
      if (findByName(resourceGroup, name) || find(id)) throw exists(name, resourceGroup);
      const authorities = [storeAuthority(newTenantAuthority(services, id, clock))];
      const { tags = {} } = place;
      logger.info(`tenant ${name} (${id}) created`);
      const createdAt = clock.now();
      return save({ tenantId: id, name, resourceGroup, tags, createdAt, authorities });
    },
    setTags: (tenantId: string, tags: Tenant["tags"]): Tenant =>
      save({ ...stored(tenantId), tags }),
    /** `name`, or with a number behind it when that is taken. */
    freeName(name: string): string {
      const taken = (candidate: string) => findByName(LAB_RESOURCE_GROUP, candidate) !== undefined;
      for (let number = 2, candidate = name; ; number++) {
        if (!taken(candidate)) return candidate;
        candidate = `${name}-${number}`;
      }
    },
    remove: (tenantId: string): void => store.delete(key(tenantId)),
    /**
     * The authority that signs now.
     * @param print thumbprint of another generation, which proves that the tenant has it
     */
    signer(tenantId: string, print?: string): Authority {
      const tenant = stored(tenantId);
      const named = tenant.authorities.find(
        ({ certificate }) => thumbprint(parseCertificate(certificate)) === print,
      );
      return loadAuthority(named ?? activeOf(tenant));
    },
    /**
     * Starts the next generation of a tenant's CA; the former one stays valid until it expires.
     * @param activeInMs how long the former one goes on signing
     */
    rotateAuthority(tenantId: string, activeInMs = 0): TenantCertificate {
      const tenant = issue(stored(tenantId), clock.now() + activeInMs);
      return shown(tenant.authorities.at(-1) as TenantAuthority, activeOf(tenant));
    },
    /** The tenant's CA certificates, oldest first. */
    certificates(tenantId: string): TenantCertificate[] {
      const tenant = stored(tenantId);
      const active = activeOf(tenant);
      return tenant.authorities.map((entry) => shown(entry, active));
    },
  };
}

function publicPart(tenant: StoredTenant): Tenant {
  const { tenantId, name, resourceGroup = LAB_RESOURCE_GROUP, tags = {}, createdAt = 0 } = tenant;
  return { tenantId, name, resourceGroup, tags, createdAt };
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

function unknown(tenantId: string): never {
  throw new LabError(
    "tenant-unknown",
    `There is no tenant ${tenantId}.`,
    "`spherule status` shows the lab's tenant.",
  );
}

function exists(name: string, resourceGroup: string): LabError {
  return new LabError(
    "catalog-exists",
    `There is a catalog ${name} in resource group ${resourceGroup}, or one with the same tenant id.`,
    "Choose another name.",
  );
}
