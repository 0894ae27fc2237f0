import { LabError, messageOf } from "../../errors.ts";

/** HTTP status and ARM's code of each refusal of the service. */
const REFUSALS: Readonly<Record<string, readonly [status: number, code: string]>> = {
  "attestation-failed": [401, "AttestationFailed"],
  "body-invalid": [400, "InvalidRequestContent"],
  "capability-unknown": [400, "InvalidParameter"],
  "catalog-exists": [409, "CatalogAlreadyExists"],
  "certificate-expired": [409, "CertificateExpired"],
  "certificate-refused": [401, "CertificateRefused"],
  "certificate-unknown": [404, "ResourceNotFound"],
  "claim-permanent": [409, "ClaimIsPermanent"],
  "deployment-conflict": [400, "DeploymentConflict"],
  "deployment-exists": [409, "DeploymentAlreadyExists"],
  "deployment-too-large": [400, "DeploymentTooLarge"],
  "deployment-unknown": [404, "ResourceNotFound"],
  "device-claimed": [409, "DeviceAlreadyClaimed"],
  "device-unclaimed": [403, "DeviceNotClaimed"],
  "device-unknown": [404, "ResourceNotFound"],
  "filter-invalid": [400, "InvalidFilterInQueryString"],
  "group-unknown": [404, "ResourceNotFound"],
  "image-deployed": [409, "ImageInUse"],
  "image-id-mismatch": [400, "ImageIdMismatch"],
  "image-name-taken": [409, "ImageNameConflict"],
  "image-too-large": [400, "ImageTooLarge"],
  "image-unknown": [404, "ResourceNotFound"],
  "image-untrusted": [400, "ImageNotTrusted"],
  "in-use": [409, "ResourceInUse"],
  "link-invalid": [403, "LinkNotValid"],
  "name-invalid": [400, "InvalidResourceName"],
  "name-reserved": [400, "ReservedResourceName"],
  "operation-unknown": [404, "OperationNotFound"],
  "product-unknown": [404, "ResourceNotFound"],
  "role-assigned": [409, "RoleAssignmentExists"],
  "tenant-unknown": [404, "ResourceNotFound"],
  "user-invalid": [400, "InvalidPrincipalId"],
};

/** What a package that cannot be read is refused with. */
const DAMAGED_IMAGE = /^(image|asxipfs|lzma)-/;

/** A refusal with the status and code of Azure Resource Manager. */
export class ArmError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { readonly hint?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.name = "ArmError";
    this.status = status;
    this.code = code;
    this.hint = more.hint;
    this.headers = more.headers ?? {};
  }
}

/** Anything that was thrown, as ARM tells it. */
export function armErrorOf(error: unknown): ArmError {
  if (error instanceof ArmError) return error;
  if (!(error instanceof LabError))
    return new ArmError(500, "InternalServerError", messageOf(error));
  const { message, hint } = error;
  const known = REFUSALS[error.code];
  if (known) return new ArmError(...known, message, { hint });
  if (DAMAGED_IMAGE.test(error.code)) return new ArmError(400, "ImageNotValid", message, { hint });
  return new ArmError(500, "InternalServerError", message, { hint });
}

/** `{error: {code, message, details, additionalInfo}}`; the hint is where ARM allows more. */
export function errorBody({ code, message, hint }: ArmError) {
  const additionalInfo = hint === undefined ? [] : [{ type: "Hint", info: { hint } }];
  return { error: { code, message, target: null, details: [], additionalInfo } };
}
