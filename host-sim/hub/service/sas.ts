import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Store } from "../../store/index.ts";

/** A shared access policy of the hub. */
export interface Policy {
  readonly name: string;
  /** Base64. */
  readonly key: string;
}

export type Policies = ReturnType<typeof createPolicies>;

/** The hub's shared access policies; the key is made on the spot and kept. */
export function createPolicies(store: Store, hostName: string) {
  const name = "iothubowner";
  const key = store.get<string>("hub/policies/iothubowner") ?? randomBytes(32).toString("base64");
  store.put("hub/policies/iothubowner", key);
  return {
    find: (wanted: string): Policy | undefined => (wanted === name ? { name, key } : undefined),
    connectionString: `HostName=${hostName};SharedAccessKeyName=${name};SharedAccessKey=${key}`,
  };
}

/** A shared access signature for `resource`, valid until `expiry` (seconds since the epoch). */
export function createSasToken(
  resource: string,
  key: string,
  expiry: number,
  policy?: string,
): string {
  const encoded = encodeURIComponent(resource);
  const signature = sign(encoded, expiry, key);
  const skn = policy === undefined ? "" : `&skn=${policy}`;
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(signature)}&se=${expiry}${skn}`;
}

export interface TokenRequest {
  readonly token: string;
  /** Base64 keys that may have signed it. */
  readonly keysOf: (policy: string | null) => readonly string[];
  /** Whether a token for this resource covers what is asked for. */
  readonly covers: (resource: string) => boolean;
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
}

/** @returns why the token is refused, or undefined when it holds */
export function problemWithToken(request: TokenRequest): string | undefined {
  const match = /^SharedAccessSignature (.+)$/.exec(request.token);
  if (!match?.[1]) return "It is no SharedAccessSignature.";
  const fields = new Map(
    match[1].split("&").map((field) => {
      const at = field.indexOf("=");
      return [field.slice(0, at), field.slice(at + 1)] as const;
    }),
  );
  const [resource, signature, expiry] = ["sr", "sig", "se"].map((name) => fields.get(name) ?? "");
  if (!resource || !signature || !/^\d+$/.test(expiry ?? "")) return "It lacks sr, sig or se.";
  if (Number(expiry) * 1000 <= request.time) return "It has expired.";
  if (!request.covers(decode(resource))) return `It is for another resource: ${decode(resource)}.`;
  const keys = request.keysOf(fields.get("skn") ? decode(fields.get("skn") ?? "") : null);
  const holds = keys.some((key) => equal(sign(resource, Number(expiry), key), decode(signature)));
  return holds ? undefined : "Its signature is wrong.";
}

function sign(encodedResource: string, expiry: number, key: string): string {
  return createHmac("sha256", Buffer.from(key, "base64"))
    .update(`${encodedResource}\n${expiry}`)
    .digest("base64");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function equal(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
