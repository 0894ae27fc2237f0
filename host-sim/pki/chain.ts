import type { X509Certificate } from "node:crypto";

export type ChainProblem = "unknown-authority" | "expired" | "not-yet-valid" | "not-an-authority";

export type ChainResult =
  | {
      readonly ok: true;
      /** Leaf first, anchor last. */
      readonly chain: readonly X509Certificate[];
      readonly anchor: X509Certificate;
    }
  | {
      readonly ok: false;
      readonly reason: ChainProblem;
      readonly certificate: X509Certificate;
      /** One sentence for a log line. */
      readonly detail: string;
    };

export interface ChainRequest {
  readonly leaf: X509Certificate;
  /** What the peer presented beside the leaf, in any order. */
  readonly presented: readonly X509Certificate[];
  /** Trusted authorities; an intermediate may be one, then the path ends there. */
  readonly anchors: readonly X509Certificate[];
  /** Milliseconds since the Unix epoch at which everything has to be valid. */
  readonly time: number;
}

/** Longer paths do not occur; the bound keeps a loop of cross-signed certificates from running on. */
const LONGEST_PATH = 8;

/** Finds a path from the leaf to an anchor in which every signature, date and constraint holds. */
export function verifyChain(request: ChainRequest): ChainResult {
  const chain: X509Certificate[] = [request.leaf];
  for (let current = request.leaf; chain.length <= LONGEST_PATH; ) {
    const dates = problemWithDates(current, request.time);
    if (dates) return dates;
    const anchor = request.anchors.find((candidate) => isIssuer(candidate, current));
    if (anchor) return finish(chain, anchor, request.time);
    if (request.anchors.some((candidate) => candidate.raw.equals(current.raw))) {
      return { ok: true, chain, anchor: current };
    }
    const next = request.presented.find(
      (candidate) => !chain.includes(candidate) && isIssuer(candidate, current),
    );
    if (!next) return unknownAuthority(current);
    if (!mayIssue(next, chain.length - 1)) return notAnAuthority(next);
    chain.push(next);
    current = next;
  }
  return unknownAuthority(request.leaf);
}

function finish(chain: X509Certificate[], anchor: X509Certificate, time: number): ChainResult {
  const dates = problemWithDates(anchor, time);
  if (dates) return dates;
  if (!mayIssue(anchor, chain.length - 1)) return notAnAuthority(anchor);
  return { ok: true, chain: [...chain, anchor], anchor };
}

function isIssuer(authority: X509Certificate, certificate: X509Certificate): boolean {
  return (
    authority.subject === certificate.issuer &&
    certificate.checkIssued(authority) &&
    isSignedBy(certificate, authority)
  );
}

/** Pairs whose signature was found right, by their hashes: devices come again and again. */
const signed = new Set<string>();
const MOST_SIGNED = 4_096;

function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  const pair = certificate.fingerprint256 + authority.fingerprint256;
  if (signed.has(pair)) return true;
  if (!certificate.verify(authority.publicKey)) return false;
  if (signed.size >= MOST_SIGNED) signed.clear();
  signed.add(pair);
  return true;
}

/** @param below how many authorities stand between this one and the leaf */
function mayIssue(certificate: X509Certificate, below: number): boolean {
  if (!certificate.ca) return false;
  const length = pathLength(certificate);
  return length === undefined || below <= length;
}

/** basicConstraints' path length, read from the DER: OID 2.5.29.19, SEQUENCE { TRUE, INTEGER }. */
function pathLength(certificate: X509Certificate): number | undefined {
  const at = certificate.raw.indexOf(Buffer.from("0603551d13", "hex"));
  const constraint = at < 0 ? undefined : certificate.raw.subarray(at, at + 24);
  const match = constraint?.toString("hex").match(/30060101ff0201(..)/);
  return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 16);
}

function problemWithDates(certificate: X509Certificate, time: number): ChainResult | undefined {
  if (time < Date.parse(certificate.validFrom)) {
    return refuse("not-yet-valid", certificate, `is not valid before ${certificate.validFrom}`);
  }
  if (time > Date.parse(certificate.validTo)) {
    return refuse("expired", certificate, `expired on ${certificate.validTo}`);
  }
  return undefined;
}

function unknownAuthority(certificate: X509Certificate): ChainResult {
  const issuer = oneLine(certificate.issuer);
  return refuse("unknown-authority", certificate, `is signed by an unknown authority: ${issuer}`);
}

function notAnAuthority(certificate: X509Certificate): ChainResult {
  return refuse("not-an-authority", certificate, "may not sign certificates below it");
}

function refuse(reason: ChainProblem, certificate: X509Certificate, what: string): ChainResult {
  const detail = `The certificate of ${oneLine(certificate.subject)} ${what}.`;
  return { ok: false, reason, certificate, detail };
}

function oneLine(name: string | undefined): string {
  return (name ?? "(no name)").replaceAll("\n", ", ");
}
