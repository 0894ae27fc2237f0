import { X509Certificate } from "node:crypto";
import { verifyChain } from "../../pki/index.ts";
import type { AccessPoint } from "./air.ts";
import { type CertificateStore, oneLineName } from "./certificates.ts";
import type { WifiNetwork } from "./wifi-network.ts";

/** Why a network could not be joined, in the words of the device's diagnostics. */
export interface JoinFailure {
  readonly error:
    | "NetworkNotFound"
    | "WrongKey"
    | "AuthenticationFailed"
    | "ConnectionFailed"
    | "SecurityTypeMismatch";
  readonly certInfo?: CertificateProblem;
}

export interface CertificateProblem {
  readonly certSubject: string;
  readonly certDepth: number;
  readonly certError:
    | "Untrusted"
    | "NotYetValid"
    | "Expired"
    | "CertificateNotFound"
    | "InvalidRootCA"
    | "InvalidClientAuth"
    | "UnknownClientId";
}

export type JoinResult = { readonly accessPoint: AccessPoint } | JoinFailure;

/** What an attempt to join a network would give now. */
export function tryJoin(
  network: WifiNetwork,
  air: readonly AccessPoint[],
  certificates: CertificateStore,
  now: number,
): JoinResult {
  const named = air.filter(
    ({ ssid, hidden }) => ssid === network.ssid && (!hidden || network.targetedScan),
  );
  if (named.length === 0) return { error: "NetworkNotFound" };
  const accessPoint = named.find(({ security }) => security === network.securityState);
  if (!accessPoint) return { error: "SecurityTypeMismatch" };
  if (accessPoint.security === "psk" && accessPoint.psk !== network.psk) {
    return { error: "WrongKey" };
  }
  const problem =
    accessPoint.security === "eaptls"
      ? certificateProblem(network, accessPoint, certificates, now)
      : undefined;
  return problem ? { error: "AuthenticationFailed", certInfo: problem } : { accessPoint };
}

/** EAP-TLS: the device judges the server, then the server judges the device. */
function certificateProblem(
  network: WifiNetwork,
  { radius }: AccessPoint,
  certificates: CertificateStore,
  now: number,
): CertificateProblem | undefined {
  const none = (certError: CertificateProblem["certError"]): CertificateProblem => ({
    ...{ certSubject: "", certDepth: 0, certError },
  });
  const { clientCertStoreIdentifier: client = "", rootCaCertStoreIdentifier: root } = network;
  const clientPem = certificates.find(client, "client");
  if (!radius || clientPem === undefined) return none("CertificateNotFound");
  if (root !== undefined) {
    const rootPem = certificates.find(root, "rootca");
    if (rootPem === undefined) return none("InvalidRootCA");
    const problem = judge(radius.certificate, rootPem, now, "Untrusted");
    if (problem) return problem;
  }
  if (!network.clientIdentity) return none("UnknownClientId");
  return judge(clientPem, radius.clientAuthority, now, "InvalidClientAuth");
}

function judge(
  leafPem: string,
  anchorPem: string,
  time: number,
  untrusted: CertificateProblem["certError"],
): CertificateProblem | undefined {
  const anchors = [new X509Certificate(anchorPem)];
  const result = verifyChain({ leaf: new X509Certificate(leafPem), presented: [], anchors, time });
  if (result.ok) return undefined;
  const certSubject = oneLineName(result.certificate.subject);
  const certDepth = result.certificate.raw.equals(anchors[0]?.raw ?? Buffer.alloc(0)) ? 1 : 0;
  const dates = { expired: "Expired", "not-yet-valid": "NotYetValid" } as const;
  const certError = dates[result.reason as keyof typeof dates] ?? untrusted;
  return { certSubject, certDepth, certError };
}
