import type { Hub } from "../hub/hub.ts";
import { type Authority, createServerRoot, loadAuthority, storeAuthority } from "../pki/index.ts";
import {
  type ManufacturedDevice,
  manufactureDevice,
  type SecurityService,
} from "../security-service/index.ts";
import type { Store } from "../store/index.ts";

/** The root of the lab's servers, made once for a state. */
export function labServerRoot(store: Store): Authority {
  return kept(store, "lab/server-root", () => storeAuthority(createServerRoot()), loadAuthority);
}

/** The lab's own device, made once for a state. */
export function labDevice(store: Store): ManufacturedDevice {
  return kept(store, "lab/device", manufactureDevice, (device) => device);
}

function kept<Stored, Value>(
  store: Store,
  key: string,
  make: () => Stored,
  load: (stored: Stored) => Value,
): Value {
  const stored = store.get<Stored>(key) ?? make();
  store.put(key, stored);
  return load(stored);
}

export interface Enrolment {
  readonly service: SecurityService;
  readonly hub: Hub;
  readonly deviceId: string;
  /** The manifest's `DeviceAuthentication`. */
  readonly tenantId: string | undefined;
  readonly claim: boolean;
}

/**
 * What an owner of a device does once: a tenant, the claim, the tenant's CA certificate registered
 * in the hub with a proof of possession, the X.509 CA-signed device. What is there already stays.
 * @returns the tenant
 */
export function enrol({ service, hub, deviceId, tenantId, claim }: Enrolment): string {
  const wanted = tenantId ?? service.tenantOf(deviceId) ?? service.listTenants()[0]?.tenantId;
  const tenant = service.findTenant(wanted ?? "") ?? newTenant(service, wanted);
  if (claim && service.tenantOf(deviceId) === undefined) {
    service.claim(tenant.tenantId, deviceId);
  }
  for (const { tenantId: each } of service.listTenants()) registerAuthorities(service, hub, each);
  if (!hub.devices.find(deviceId)) {
    hub.devices.create({ deviceId, authentication: { type: "certificateAuthority" } });
  }
  return tenant.tenantId;
}

/** One lab may see apps of several tenants; each is a catalog with a name of its own. */
const newTenant = (service: SecurityService, tenantId: string | undefined) =>
  service.createTenant(service.tenants.freeName("lab"), tenantId);

function registerAuthorities(service: SecurityService, hub: Hub, tenantId: string): void {
  const registered = new Set(hub.certificates.list().map((entry) => entry.thumbprint));
  for (const { pem, thumbprint, status } of service.certificates(tenantId)) {
    if (registered.has(thumbprint) || status === "Expired") continue;
    const name = `azure-sphere-${tenantId.slice(0, 8)}-${thumbprint.slice(0, 8)}`;
    hub.certificates.add(name, pem);
    const code = hub.certificates.generateVerificationCode(name);
    hub.certificates.verify(name, service.proofOfPossession(tenantId, code, thumbprint));
  }
}
