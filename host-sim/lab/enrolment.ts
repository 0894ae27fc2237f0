import type { Certificates } from "../hub/certificates.ts";
import type { Dps } from "../hub/dps/dps.ts";
import type { Hub } from "../hub/hub.ts";
import { type Authority, createServerRoot, loadAuthority, storeAuthority } from "../pki/index.ts";
import {
  type ManufacturedDevice,
  manufactureDevice,
  type SecurityService,
} from "../security-service/index.ts";
import { madeOnce, type Store } from "../store/index.ts";

/** The root of the lab's servers, made once for a state. */
export function labServerRoot(store: Store): Authority {
  return loadAuthority(
    madeOnce(store, "lab/server-root", () => storeAuthority(createServerRoot())),
  );
}

/** The lab's own device with this number, from 1; made once for a state. */
export function labDevice(store: Store, number = 1): ManufacturedDevice {
  const key = number === 1 ? "lab/device" : `lab/devices/${number}`;
  return madeOnce(store, key, manufactureDevice);
}

/** The first so many devices of the lab. */
export function manufacture(store: Store, count: number): ManufacturedDevice[] {
  return Array.from({ length: count }, (_, index) => labDevice(store, index + 1));
}

export interface Enrolment {
  readonly service: SecurityService;
  readonly hub: Hub;
  readonly dps: Dps;
  readonly deviceIds: readonly string[];
  /** The manifest's `DeviceAuthentication`. */
  readonly tenantId: string | undefined;
  readonly claim: boolean;
}

/**
 * What an owner of devices does once: a tenant, the claims, the tenant's CA certificate registered
 * in hub and DPS with a proof of possession, X.509 CA-signed devices, an enrollment group for the
 * tenant. What is there already stays.
 * @returns the tenant
 */
export function enrol({ service, hub, dps, deviceIds, tenantId, claim }: Enrolment): string {
  const [first = ""] = deviceIds;
  const wanted = tenantId ?? service.tenantOf(first) ?? service.listTenants()[0]?.tenantId;
  const tenant = service.findTenant(wanted ?? "") ?? newTenant(service, wanted);
  // Whoever wants it as from the factory does all of this by hand.
  if (!claim) return tenant.tenantId;
  for (const deviceId of deviceIds) {
    if (service.tenantOf(deviceId) === undefined) service.claim(tenant.tenantId, deviceId);
  }
  for (const { tenantId: each } of service.listTenants()) {
    registerAuthorities(service, hub.certificates, each);
    enrolGroup(dps, each, registerAuthorities(service, dps.certificates, each));
  }
  for (const deviceId of deviceIds) {
    if (hub.devices.find(deviceId)) continue;
    hub.devices.create({ deviceId, authentication: { type: "certificateAuthority" } });
  }
  return tenant.tenantId;
}

/** One lab may see apps of several tenants; each is a catalog with a name of its own. */
const newTenant = (service: SecurityService, tenantId: string | undefined) =>
  service.createTenant(service.tenants.freeName("lab"), tenantId);

/** @returns the names of the tenant's certificates */
function registerAuthorities(
  service: SecurityService,
  certificates: Certificates,
  tenantId: string,
): string[] {
  const registered = new Map(certificates.list().map((entry) => [entry.thumbprint, entry.name]));
  return service
    .certificates(tenantId)
    .filter(({ status }) => status !== "Expired")
    .map(({ pem, thumbprint }) => {
      const known = registered.get(thumbprint);
      if (known !== undefined) return known;
      const name = `azure-sphere-${tenantId.slice(0, 8)}-${thumbprint.slice(0, 8)}`;
      certificates.add(name, pem);
      const code = certificates.generateVerificationCode(name);
      certificates.verify(name, service.proofOfPossession(tenantId, code, thumbprint));
      return name;
    });
}

function enrolGroup(dps: Dps, tenantId: string, names: readonly string[]): void {
  const id = `azure-sphere-${tenantId.slice(0, 8)}`;
  if (dps.groups.find(id)) return;
  const [primary, secondary] = names;
  if (primary === undefined) return;
  const caReferences = { primary, ...(secondary === undefined ? {} : { secondary }) };
  dps.groups.put(id, { attestation: { type: "x509", x509: { caReferences } } }, undefined);
}
