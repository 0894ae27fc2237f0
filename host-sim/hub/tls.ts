import { constants, type X509Certificate } from "node:crypto";
import type { TLSSocket, TlsOptions } from "node:tls";
import type { ServerCredentials } from "../pki/index.ts";
import type { Peer } from "./mqtt/authenticate.ts";

const LONGEST_CHAIN = 8;

/**
 * TLS as all of the hub's listeners speak it. Token clients show no certificate, and a refusal must
 * reach the CONNACK or the HTTP answer: chains are checked by `authenticate`, on the lab's clock.
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

/** `host:port` of the other end. */
export function addressOf(socket: { remoteAddress?: string; remotePort?: number }): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
