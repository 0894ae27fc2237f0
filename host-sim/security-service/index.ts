export { answerChallenge, type ManufacturedDevice, manufactureDevice } from "./attestation.ts";
export {
  type Attestation,
  createSecurityService,
  DAA_LIFETIME_MS,
  type DeviceCertificate,
  type SecurityService,
  type Tenant,
  type TenantCertificate,
} from "./security-service.ts";
