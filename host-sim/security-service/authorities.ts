import { randomUUID } from "node:crypto";
import type { Clock } from "../clock/index.ts";
import {
  type Authority,
  createCertificate,
  generateKeyPair,
  loadAuthority,
  type StoredAuthority,
  storeAuthority,
} from "../pki/index.ts";
import type { Store } from "../store/index.ts";

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const MICROSOFT = {
  C: "US",
  ST: "Washington",
  L: "Redmond",
  O: "Microsoft Corporation",
} as const;

/** The two authorities above all tenants: a P-384 root and a P-384 policy authority. */
export interface ServiceAuthorities {
  readonly root: Authority;
  readonly policy: Authority;
  /** Signs the certificates with which devices ask for updates; no hub knows it. */
  readonly update: Authority;
}

/** Reads the service's authorities from the store, or makes and keeps them. */
export function serviceAuthorities(store: Store, clock: Clock): ServiceAuthorities {
  const root = kept(store, "root", () => {
    const subject = { ...MICROSOFT, CN: "Spherule lab Azure Sphere root" };
    return newAuthority({ subject, years: 25, curve: "P-384", clock, pathLength: 2 });
  });
  const policy = kept(store, "policy", () => {
    const subject = { ...MICROSOFT, CN: "Spherule lab Azure Sphere policy" };
    return newAuthority({ subject, years: 15, curve: "P-384", clock, pathLength: 1, issuer: root });
  });
  const update = kept(store, "update", () => {
    const subject = { ...MICROSOFT, CN: "Spherule lab Azure Sphere update" };
    return newAuthority({ subject, years: 15, curve: "P-256", clock, pathLength: 0, issuer: root });
  });
  return { root, policy, update };
}

/** A tenant's CA: P-256, two years, the subject that Azure Sphere's tenants have. */
export function newTenantAuthority(
  services: ServiceAuthorities,
  tenantId: string,
  clock: Clock,
): Authority {
  return newAuthority({
    subject: { ...MICROSOFT, CN: `Microsoft Azure Sphere ${tenantId}` },
    years: 2,
    curve: "P-256",
    clock,
    pathLength: 0,
    issuer: services.policy,
  });
}

function kept(store: Store, name: string, make: () => Authority): Authority {
  const key = `security-service/authorities/${name}`;
  const stored = store.get<StoredAuthority>(key);
  if (stored) return loadAuthority(stored);
  const authority = make();
  store.put(key, storeAuthority(authority));
  return authority;
}

interface NewAuthority {
  readonly subject: Authority["subject"];
  readonly years: number;
  readonly curve: "P-256" | "P-384";
  readonly clock: Clock;
  readonly pathLength: number;
  readonly issuer?: Authority;
}

function newAuthority(request: NewAuthority): Authority {
  const key = generateKeyPair(request.curve);
  // A day back, so that a hub whose clock is a little behind accepts it at once.
  const notBefore = request.clock.now() - DAY_MS;
  const certificate = createCertificate({
    subject: request.subject,
    issuer: request.issuer?.subject ?? request.subject,
    publicKey: key.publicKey,
    issuerKey: request.issuer?.key ?? key,
    notBefore,
    notAfter: notBefore + request.years * YEAR_MS,
    authority: { pathLength: request.pathLength },
    serialNumber: randomUUID().replaceAll("-", ""),
  });
  return { subject: request.subject, certificate, key };
}
