import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { madeOnce, type Store } from "../../store/index.ts";

export type Permission = "RegistryRead" | "RegistryWrite" | "ServiceConnect" | "DeviceConnect";

/** A shared access policy of the hub. */
export interface Policy {
  readonly name: string;
  /** Base64; tokens may be signed with either key. */
  readonly key: string;
  readonly secondaryKey: string;
  readonly permissions: readonly Permission[];
}

export type Policies = ReturnType<typeof createPolicies>;

/** The five policies that a new hub has, under their real names. */
const PERMISSIONS: Readonly<Record<string, readonly Permission[]>> = {
  iothubowner: ["RegistryRead", "RegistryWrite", "ServiceConnect", "DeviceConnect"],
  service: ["ServiceConnect"],
  device: ["DeviceConnect"],
  registryRead: ["RegistryRead"],
  registryReadWrite: ["RegistryRead", "RegistryWrite"],
};

/** The hub's shared access policies; the keys are made on the spot and kept. */
export function createPolicies(store: Store, hostName: string) {
  const keyOf = (name: string) =>
    madeOnce(store, `hub/policies/${name}`, () => randomBytes(32).toString("base64"));
  const policies = new Map(
    Object.entries(PERMISSIONS).map(([name, permissions]): [string, Policy] => [
      name,
      { name, key: keyOf(name), secondaryKey: keyOf(`${name}/secondary`), permissions },
    ]),
  );
  const textFor = (name: string) =>
    `HostName=${hostName};SharedAccessKeyName=${name};SharedAccessKey=${policies.get(name)?.key}`;
  return {
    find: (name: string): Policy | undefined => policies.get(name),
    list: (): readonly Policy[] => [...policies.values()],
    connectionStringFor: textFor,
    connectionString: textFor("iothubowner"),
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
  const signature = sign(encoded, expiry, Buffer.from(key, "base64"));
  const skn = policy === undefined ? "" : `&skn=${policy}`;
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(signature)}&se=${expiry}${skn}`;
}

export interface TokenRequest {
  readonly token: string;
  /** Keys that may have signed it: base64, or plain text as Service Bus clients use them. */
  readonly keysOf: (policy: string | null) => readonly string[];
  /** Whether a token for this resource covers what is asked for. */
  readonly covers: (resource: string) => boolean;
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  /** Service Bus clients take the key's text as the secret, not what it encodes. */
  readonly keyText?: boolean;
}

/** When a token ends, in milliseconds since the epoch; undefined for what is no token. */
export function expiryOf(token: string): number | undefined {
  const seconds = /[ &]se=(\d+)/.exec(token)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

/** The shared access policy that a token names; undefined when it is signed with a device's key. */
export function policyOf(token: string): string | undefined {
  const name = /[ &]skn=([^&]+)/.exec(token)?.[1];
  return name === undefined ? undefined : decode(name);
}

/** Whether a token's resource is one of these hosts, the lab's address, or something below them. */
export function isOnHost(resource: string, hosts: readonly string[]): boolean {
  const name = (resource.toLowerCase().split("/")[0] ?? "").replace(/:\d+$/, "");
  const known = [...hosts.map((host) => host.toLowerCase()), "localhost", "127.0.0.1"];
  return known.includes(name);
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
  const encoding = request.keyText ? "utf8" : "base64";
  const holds = keys.some((key) =>
    equal(sign(resource, Number(expiry), Buffer.from(key, encoding)), decode(signature)),
  );
  return holds ? undefined : "Its signature is wrong.";
}

function sign(encodedResource: string, expiry: number, key: Buffer): string {
  return createHmac("sha256", key).update(`${encodedResource}\n${expiry}`).digest("base64");
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
