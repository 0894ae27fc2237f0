import { certificateBundle } from "../pki/index.ts";
import { serviceAuthorities } from "./authorities.ts";
import { createCapabilityImage } from "./capabilities.ts";
import type { ServiceContext } from "./context.ts";
import { createDeployments } from "./deployments.ts";
import { createDeviceCertificates } from "./device-certificates.ts";
import { createDevices } from "./devices.ts";
import { createImageSigning } from "./image-signing.ts";
import { createImages } from "./images.ts";
import { createInsights } from "./insights.ts";
import { createOsReleases } from "./os-releases.ts";
import { createOwnership } from "./ownership.ts";
import { createProducts } from "./products.ts";
import { createRoles } from "./roles.ts";
import { createTenants, type Tenant } from "./tenants.ts";
import { createUpdates } from "./updates.ts";

export type SecurityService = ReturnType<typeof createSecurityService>;

/** The Azure Sphere Security Service without its listeners. It alone holds the tenants' keys. */
export function createSecurityService(context: ServiceContext) {
  const { store, clock, logger } = context;
  const services = serviceAuthorities(store, clock);
  const tenants = createTenants(context, services);
  const roles = createRoles(context, tenants);
  const products = createProducts(context);
  const devices = createDevices(context, tenants, products);
  const signing = createImageSigning(context);
  const images = createImages(context, signing);
  const deployments = createDeployments(context, products, images);
  const releases = createOsReleases(context, signing);
  const insights = createInsights(context);
  const updates = createUpdates({
    ...{ context, products, devices, images, deployments, releases, insights },
  });
  const certificates = createDeviceCertificates(context, services, tenants, devices);
  const ownership = createOwnership({
    ...{ store, tenants, roles, products, devices, images, deployments },
  });

  return {
    clock,
    logger,
    store,
    tenants,
    roles,
    products,
    devices,
    images,
    deployments,
    releases,
    insights,
    updates,
    signing,
    /** Removals, which concern several subjects at once. */
    ownership,
    attestDevice: certificates.attestDevice,
    attest: certificates.attest,
    nonce: certificates.nonce,
    deviceOf: certificates.deviceOf,
    proofOfPossession: certificates.proofOfPossession,
    createTenant: (name: string, tenantId?: string): Tenant => tenants.create(name, tenantId),
    findTenant: tenants.find,
    listTenants: tenants.list,
    rotateAuthority: tenants.rotateAuthority,
    certificates: tenants.certificates,
    claim: (tenantId: string, deviceId: string): void => void devices.claim(tenantId, deviceId),
    tenantOf: devices.tenantOf,
    /** The authorities above a tenant's, policy first, in PEM. */
    upperChain: (): string => services.policy.certificate + services.root.certificate,
    /** A tenant's CA certificate with those above it, as `.p7b` in DER. */
    certificateChain: (certificate: string): Buffer =>
      certificateBundle([certificate, services.policy.certificate, services.root.certificate]),
    capabilityImage: (tenantId: string, deviceId: string, capabilities: readonly string[]) =>
      createCapabilityImage(context, devices, signing, { tenantId, deviceId, capabilities }),
  };
}
