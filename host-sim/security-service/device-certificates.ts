import { type KeyObject, randomBytes, type X509Certificate } from "node:crypto";
import { LabError } from "../errors.ts";
import {
  type Authority,
  commonName,
  createCertificate,
  generateKeyPair,
  parseCertificate,
  verifyChain,
} from "../pki/index.ts";
import { checkAnswer } from "./attestation.ts";
import type { ServiceAuthorities } from "./authorities.ts";
import { HOUR_MS, type ServiceContext } from "./context.ts";
import { type Devices, unclaimed } from "./devices.ts";
import type { Tenants } from "./tenants.ts";

export interface Attestation {
  readonly deviceId: string;
  readonly nonce: string;
  /** The fresh key that the certificates are for. */
  readonly publicKey: KeyObject;
  /** Base64, made by the chip's attestation key. */
  readonly signature: string;
}

/** What a device gets for a good attestation. */
export interface DeviceCertificate {
  /** PEM, leaf first, then the tenant CA and the policy authority. */
  readonly certificate: string;
  /** Milliseconds since the Unix epoch. */
  readonly notAfter: number;
  readonly tenantId: string;
}

/** The two certificates of a device. Both are for the same key. */
export interface AttestedDevice {
  /** For the operating system alone: with it a device asks for updates, claimed or not. */
  readonly update: Omit<DeviceCertificate, "tenantId">;
  /** For apps ("DAA client certificate"); absent while the device belongs to no tenant. */
  readonly customer?: DeviceCertificate;
}

export const DAA_LIFETIME_MS = 24 * HOUR_MS;
/** Clocks differ by a little; a certificate that starts now would be too young for some hub. */
const BACKDATED_MS = 5 * 60_000;
const NONCE_LIFETIME_MS = 60_000;

/** Nonces, attestation, and the certificates that it earns. */
export function createDeviceCertificates(
  { clock }: ServiceContext,
  services: ServiceAuthorities,
  tenants: Tenants,
  devices: Devices,
) {
  const nonces = new Map<string, number>();

  function leaf(authority: Authority, commonNameOfLeaf: string, publicKey: KeyObject): string {
    const now = clock.now();
    return createCertificate({
      subject: { CN: commonNameOfLeaf },
      issuer: authority.subject,
      publicKey,
      issuerKey: authority.key,
      notBefore: now - BACKDATED_MS,
      notAfter: now + DAA_LIFETIME_MS,
      usage: "client",
    });
  }

  function attestDevice({ deviceId, nonce, publicKey, signature }: Attestation): AttestedDevice {
    const expires = nonces.get(nonce);
    nonces.delete(nonce);
    const fresh = expires !== undefined && expires >= clock.monotonic();
    if (!fresh || !checkAnswer(deviceId, nonce, publicKey, signature)) throw failed();
    const notAfter = clock.now() + DAA_LIFETIME_MS;
    const { certificate: above } = services.update;
    const update = { certificate: leaf(services.update, deviceId, publicKey) + above, notAfter };
    const tenantId = devices.tenantOf(deviceId);
    if (tenantId === undefined) return { update };
    const authority = tenants.signer(tenantId);
    const certificate =
      leaf(authority, deviceId, publicKey) + authority.certificate + services.policy.certificate;
    return { update, customer: { certificate, notAfter, tenantId } };
  }

  return {
    /** A number to be signed by the device, good once and for a minute. */
    nonce(): string {
      const nonce = randomBytes(32).toString("hex");
      for (const [old, expires] of nonces) if (expires < clock.monotonic()) nonces.delete(old);
      nonces.set(nonce, clock.monotonic() + NONCE_LIFETIME_MS);
      return nonce;
    },
    /**
     * Checks that the chip itself asks and gives it its certificates for the next 24 hours.
     * @throws LabError attestation-failed
     */
    attestDevice,
    /**
     * As `attestDevice`, for those that want the certificate for apps alone.
     * @throws LabError attestation-failed, device-unclaimed
     */
    attest(request: Attestation): DeviceCertificate {
      const { customer } = attestDevice(request);
      if (!customer) throw unclaimed();
      return customer;
    },
    /**
     * Which device shows this update certificate.
     * @throws LabError certificate-refused
     */
    deviceOf(certificate: X509Certificate | undefined, presented: readonly X509Certificate[]) {
      if (!certificate) throw refused("The device showed no certificate.");
      const anchors = [parseCertificate(services.update.certificate)];
      const result = verifyChain({ leaf: certificate, presented, anchors, time: clock.now() });
      if (!result.ok) throw refused(result.detail);
      return commonName(certificate);
    },
    /**
     * A certificate that proves to a hub that whoever shows it commands the tenant's CA.
     * @param print thumbprint of the CA certificate; that of the active one when absent
     */
    proofOfPossession: (tenantId: string, verificationCode: string, print?: string): string =>
      leaf(tenants.signer(tenantId, print), verificationCode, generateKeyPair().publicKey),
  };
}

function failed(): LabError {
  return new LabError(
    "attestation-failed",
    "The answer to the challenge is not from this device.",
    "Ask for a new nonce and sign it with the device's own attestation key.",
  );
}

function refused(detail: string): LabError {
  return new LabError(
    "certificate-refused",
    `The Security Service does not accept the device's certificate. ${detail}`,
    "Attest again; the certificate that the service gives holds for 24 hours.",
  );
}
