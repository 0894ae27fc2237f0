import { type KeyObject, randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../clock/index.ts";
import { LabError } from "../errors.ts";
import type { Logger } from "../log.ts";
import {
  type Authority,
  createCertificate,
  generateKeyPair,
  loadAuthority,
  parseCertificate,
  type StoredAuthority,
  storeAuthority,
  thumbprint,
} from "../pki/index.ts";
import type { Store } from "../store/index.ts";
import { checkAnswer } from "./attestation.ts";
import { newTenantAuthority, serviceAuthorities } from "./authorities.ts";

/** A tenant of Azure Sphere (Legacy), which Azure Sphere (Integrated) calls a catalog. */
export interface Tenant {
  readonly tenantId: string;
  readonly name: string;
}

interface StoredTenant extends Tenant {
  /** Newest last; the last one signs. */
  readonly authorities: readonly StoredAuthority[];
}

/** A CA certificate of a tenant as `ca-certificate list` shows it. */
export interface TenantCertificate {
  readonly pem: string;
  readonly thumbprint: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly status: "Active" | "Inactive" | "Expired";
}

/** What a device gets for a good attestation. */
export interface DeviceCertificate {
  /** PEM, leaf first, then the tenant CA and the policy authority. */
  readonly certificate: string;
  /** Milliseconds since the Unix epoch. */
  readonly notAfter: number;
  readonly tenantId: string;
}

export interface Attestation {
  readonly deviceId: string;
  readonly nonce: string;
  /** The fresh key that the certificate is for. */
  readonly publicKey: KeyObject;
  /** Base64, made by the chip's attestation key. */
  readonly signature: string;
}

export type SecurityService = ReturnType<typeof createSecurityService>;

export const DAA_LIFETIME_MS = 24 * 3_600_000;
/** Clocks differ by a little; a certificate that starts now would be too young for some hub. */
const BACKDATED_MS = 5 * 60_000;
const NONCE_LIFETIME_MS = 60_000;

/** The Azure Sphere Security Service without its listeners. It alone holds the tenants' keys. */
export function createSecurityService(options: {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}) {
  const { store, clock, logger } = options;
  const services = serviceAuthorities(store, clock);
  const nonces = new Map<string, number>();
  const tenantKey = (tenantId: string) => `security-service/tenants/${tenantId}`;
  const claimKey = (deviceId: string) => `security-service/claims/${deviceId}`;

  function tenant(tenantId: string): StoredTenant {
    const found = store.get<StoredTenant>(tenantKey(tenantId));
    if (found) return found;
    throw new LabError(
      "tenant-unknown",
      `There is no tenant ${tenantId}.`,
      "`spherule status` shows the lab's tenant.",
    );
  }

  function signer(tenantId: string): Authority {
    return loadAuthority(tenant(tenantId).authorities.at(-1) as StoredAuthority);
  }

  function leaf(authority: Authority, commonName: string, publicKey: KeyObject, lifetime: number) {
    const now = clock.now();
    return createCertificate({
      subject: { CN: commonName },
      issuer: authority.subject,
      publicKey,
      issuerKey: authority.key,
      notBefore: now - BACKDATED_MS,
      notAfter: now + lifetime,
      usage: "client",
    });
  }

  return {
    /** @param tenantId a GUID; a fresh one when absent */
    createTenant(name: string, tenantId: string = randomUUID()): Tenant {
      const authorities = [storeAuthority(newTenantAuthority(services, tenantId, clock))];
      store.put(tenantKey(tenantId), { tenantId, name, authorities } satisfies StoredTenant);
      logger.info(`tenant ${name} (${tenantId}) created`);
      return { tenantId, name };
    },
    findTenant: (tenantId: string): Tenant | undefined =>
      store.get<StoredTenant>(tenantKey(tenantId)),
    tenants: (): Tenant[] =>
      [...store.entries<StoredTenant>("security-service/tenants/")].map(([, entry]) => ({
        tenantId: entry.tenantId,
        name: entry.name,
      })),
    /** Starts the next generation of a tenant's CA; the former one stays valid until it expires. */
    rotateAuthority(tenantId: string): TenantCertificate {
      const before = tenant(tenantId);
      const next = storeAuthority(newTenantAuthority(services, tenantId, clock));
      store.put(tenantKey(tenantId), { ...before, authorities: [...before.authorities, next] });
      return this.certificates(tenantId).at(-1) as TenantCertificate;
    },
    /** The tenant's CA certificates, oldest first. */
    certificates(tenantId: string): TenantCertificate[] {
      const { authorities } = tenant(tenantId);
      return authorities.map((entry, index) => {
        const certificate = parseCertificate(entry.certificate);
        const active = index === authorities.length - 1 ? "Active" : "Inactive";
        const expired = Date.parse(certificate.validTo) < clock.now();
        return {
          pem: entry.certificate,
          thumbprint: thumbprint(certificate),
          notBefore: new Date(certificate.validFrom).toISOString(),
          notAfter: new Date(certificate.validTo).toISOString(),
          status: expired ? "Expired" : active,
        };
      });
    },
    /** The authorities above a tenant's, policy first, in PEM. */
    upperChain: (): string => services.policy.certificate + services.root.certificate,
    /** A certificate that proves to a hub that whoever shows it commands the tenant's CA. */
    proofOfPossession(tenantId: string, verificationCode: string): string {
      return leaf(signer(tenantId), verificationCode, generateKeyPair().publicKey, DAA_LIFETIME_MS);
    },
    /** Binds a device to a tenant for ever. Claiming it again into the same tenant changes nothing. */
    claim(tenantId: string, deviceId: string): void {
      const { name } = tenant(tenantId);
      const owner = store.get<string>(claimKey(deviceId));
      if (owner === tenantId) return;
      if (owner !== undefined) {
        throw new LabError(
          "device-claimed",
          `Device '${deviceId}' has already been claimed into another tenant.`,
          "A claim cannot be undone; use that tenant, or another device.",
        );
      }
      store.put(claimKey(deviceId), tenantId);
      logger.info(`device ${deviceId.slice(0, 12)}… claimed into ${name}`);
    },
    tenantOf: (deviceId: string): string | undefined => store.get<string>(claimKey(deviceId)),
    /** A number to be signed by the device, good once and for a minute. */
    nonce(): string {
      const nonce = randomBytes(32).toString("hex");
      for (const [old, expires] of nonces) if (expires < clock.monotonic()) nonces.delete(old);
      nonces.set(nonce, clock.monotonic() + NONCE_LIFETIME_MS);
      return nonce;
    },
    /**
     * Checks that the chip itself asks and gives it its certificate for the next 24 hours.
     * @throws LabError attestation-failed, device-unclaimed
     */
    attest(request: Attestation): DeviceCertificate {
      const expires = nonces.get(request.nonce);
      nonces.delete(request.nonce);
      const fresh = expires !== undefined && expires >= clock.monotonic();
      const { deviceId, nonce, publicKey, signature } = request;
      if (!fresh || !checkAnswer(deviceId, nonce, publicKey, signature)) {
        throw new LabError(
          "attestation-failed",
          "The answer to the challenge is not from this device.",
          "Ask for a new nonce and sign it with the device's own attestation key.",
        );
      }
      const tenantId = store.get<string>(claimKey(deviceId));
      if (tenantId === undefined) {
        throw new LabError(
          "device-unclaimed",
          "The device belongs to no tenant, so it gets no certificate for apps.",
          "Claim it: `spherule device claim`.",
        );
      }
      const authority = signer(tenantId);
      const certificate = leaf(authority, deviceId, publicKey, DAA_LIFETIME_MS);
      return {
        certificate: certificate + authority.certificate + services.policy.certificate,
        notAfter: clock.now() + DAA_LIFETIME_MS,
        tenantId,
      };
    },
  };
}
