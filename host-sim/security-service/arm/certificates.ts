import { LabError } from "../../errors.ts";
import { parseCertificate, thumbprint } from "../../pki/index.ts";
import type { Tenant, TenantCertificate } from "../tenants.ts";
import {
  type ArmRequest,
  type ArmRoutes,
  bodyObject,
  ok,
  parameter,
  requiredText,
} from "./http.ts";
import { page } from "./paging.ts";
import { certificateProperties, certificateResource } from "./resources.ts";
import { type ArmContext, CATALOG, catalogOf } from "./scope.ts";

const CERTIFICATES = `${CATALOG}/certificates`;
const CERTIFICATE = `${CERTIFICATES}/:serialNumber`;
/** Names of the certificate that signs now, besides its serial number. */
const ACTIVE = ["active", ".default"];

/** Certificates (4 operations). */
export function certificateRoutes(context: ArmContext): ArmRoutes {
  const { service } = context;

  function find(request: ArmRequest): { tenant: Tenant; certificate: TenantCertificate } {
    const tenant = catalogOf(context, request);
    const name = parameter(request, "serialNumber").toLowerCase();
    const found = service
      .certificates(tenant.tenantId)
      .find(({ serialNumber, status }) =>
        ACTIVE.includes(name) ? status === "Active" : serialNumber.toLowerCase() === name,
      );
    if (found) return { tenant, certificate: found };
    throw new LabError(
      "certificate-unknown",
      `The catalog has no certificate '${name}'.`,
      "List the certificates, or name the active one 'active'.",
    );
  }

  return {
    [`GET ${CERTIFICATES}`]: (request) => {
      const tenant = catalogOf(context, request);
      const all = service.certificates(tenant.tenantId);
      return page(
        request,
        all.map((certificate) => certificateResource(tenant, certificate)),
      );
    },
    [`GET ${CERTIFICATE}`]: (request) => {
      const { tenant, certificate } = find(request);
      return ok(certificateResource(tenant, certificate));
    },
    [`POST ${CERTIFICATE}/retrieveCertChain`]: (request) => {
      const { certificate } = find(request);
      if (certificate.status === "Expired") throw expired(certificate);
      const chain = service.certificateChain(certificate.pem);
      return ok({ certificateChain: chain.toString("base64") });
    },
    [`POST ${CERTIFICATE}/retrieveProofOfPossessionNonce`]: (request) => {
      const { tenant, certificate } = find(request);
      if (certificate.status === "Expired") throw expired(certificate);
      const code = requiredText(bodyObject(request), "proofOfPossessionNonce");
      const pem = service.proofOfPossession(tenant.tenantId, code, certificate.thumbprint);
      return ok(proofProperties(pem));
    },
  };
}

function proofProperties(pem: string) {
  const certificate = parseCertificate(pem);
  return certificateProperties({
    pem,
    thumbprint: thumbprint(certificate),
    serialNumber: certificate.serialNumber,
    subject: certificate.subject,
    notBefore: new Date(certificate.validFrom).toISOString(),
    notAfter: new Date(certificate.validTo).toISOString(),
    status: "Active",
  });
}

function expired({ notAfter }: TenantCertificate): LabError {
  return new LabError(
    "certificate-expired",
    `The CA certificate expired on ${notAfter}; it is only listed.`,
    "Take the active one.",
  );
}
