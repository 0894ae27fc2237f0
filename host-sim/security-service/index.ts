export { catalogId } from "./arm/resources.ts";
export { LAB_SUBSCRIPTION } from "./arm/scope.ts";
export { answerChallenge, type ManufacturedDevice, manufactureDevice } from "./attestation.ts";
export {
  type Attestation,
  type AttestedDevice,
  DAA_LIFETIME_MS,
  type DeviceCertificate,
} from "./device-certificates.ts";
export type { Device, InstalledImage } from "./devices.ts";
export { newSigningKey } from "./image-signing.ts";
export type { OsRelease } from "./os-releases.ts";
export type { GroupPath } from "./products.ts";
export { createSecurityService, type SecurityService } from "./security-service.ts";
export {
  API_VERSION,
  createSecurityServer,
  type SecurityServer,
  type SecurityServerOptions,
} from "./server.ts";
export type { Tenant, TenantCertificate } from "./tenants.ts";
export { LAB_RESOURCE_GROUP } from "./tenants.ts";
export type { OfferedImage, UpdateManifest, UpdateReport, UpdateRequest } from "./updates.ts";
