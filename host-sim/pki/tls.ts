import { constants, type X509Certificate } from "node:crypto";
import type { TLSSocket, TlsOptions } from "node:tls";
import type { ServerCredentials } from "./authority.ts";

/** What the TLS layer knows of the other end. */
export interface Peer {
  readonly leaf: X509Certificate | undefined;
  /** What it presented beside its leaf. */
  readonly presented: readonly X509Certificate[];
}

const LONGEST_CHAIN = 8;

/**
 * TLS as the lab's cloud speaks it. Callers with a token show no certificate, and a refusal must reach
 * the CONNACK or the HTTP answer: chains are checked by the services, on the lab's clock.
 */
export function tlsOptions(credentials: ServerCredentials): TlsOptions {
  return {
    ...credentials,
    // A resumed session has the leaf but not the intermediates that came with it.
    secureOptions: constants.SSL_OP_NO_TICKET,
    minVersion: "TLSv1.2",
    requestCert: true,
    rejectUnauthorized: false,
  };
}

/** The certificates that the peer presented; OpenSSL's own verdict is not used. */
export function peerOf(socket: TLSSocket): Peer {
  const leaf = socket.getPeerX509Certificate();
  const presented: X509Certificate[] = [];
  for (let next = leaf?.issuerCertificate; next && presented.length < LONGEST_CHAIN; ) {
    presented.push(next);
    if (next.issuerCertificate === next) break;
    next = next.issuerCertificate;
  }
  return { leaf, presented };
}
