import type { Server } from "node:tls";
import { addressOf } from "./address.ts";

/** A handshake did not come to its end. */
export type OnTlsProblem = (address: string, detail: string) => void;

/**
 * OpenSSL's words, and what they mean to somebody who is stuck on them.
 * @param error none when the client just left
 */
export function explainTls(error?: Error & { readonly reason?: string }): string {
  const reason = error?.reason ?? error?.message ?? "the client hung up";
  const hint = /unknown ca|hung up|hang up|reset|disconnected/i.test(reason)
    ? "; clients that do not trust the hub's certificate end it so: give them the lab's ca.pem"
    : "";
  return `The TLS handshake failed: ${reason}${hint}.`;
}

/** Tells of clients that did not come through a server's handshake. */
export function watchHandshakes<Kind extends Server>(server: Kind, tell: OnTlsProblem): Kind {
  server.on("tlsClientError", (error, socket) => tell(addressOf(socket), explainTls(error)));
  return server;
}
