import type { X509Certificate } from "node:crypto";
import type { IConnectPacket } from "mqtt-packet";
import { commonName, type Peer, thumbprint, verifyChain } from "../../pki/index.ts";
import { type Device, idOf } from "../devices.ts";
import type { AuthScope } from "../events.ts";
import type { Hub } from "../hub.ts";
import { rejectingRule } from "../ip-filter.ts";
import type { RefusalReason } from "../refusals.ts";
import { expiryOf, policyOf, problemWithToken } from "../service/sas.ts";

export type Verdict =
  | {
      readonly ok: true;
      readonly hub: Hub;
      readonly device: Device;
      readonly modelId: string;
      readonly scope: AuthScope;
      /** When the device's token ends, in milliseconds since the epoch. */
      readonly validUntil: number | undefined;
    }
  | {
      readonly ok: false;
      /** CONNACK return code. */
      readonly returnCode: number;
      readonly deviceId: string;
      readonly reason: RefusalReason;
      readonly detail: string;
    };

const BAD_PROTOCOL = 1;
const IDENTIFIER_REJECTED = 2;
const BAD_USER_NAME = 4;
const NOT_AUTHORIZED = 5;

/** Where a CONNECT comes from; the certificates are only looked at when they count. */
export interface Caller {
  identify(): Peer;
  /** `host:port`. */
  readonly address: string;
}

/** Decides on a CONNECT as IoT Hub does; everything about credentials is answered with 5. */
export function authenticate(hubs: readonly Hub[], packet: IConnectPacket, peer: Caller): Verdict {
  const refuse = (returnCode: number, reason: RefusalReason, detail: string): Verdict => ({
    ok: false,
    returnCode,
    deviceId: packet.clientId,
    reason,
    detail,
  });
  const protocol = problemWithProtocol(packet);
  if (protocol !== undefined) return refuse(BAD_PROTOCOL, "bad-protocol", protocol);
  const user = parseUserName(packet.username ?? "", hubs);
  if (typeof user === "string") return refuse(BAD_USER_NAME, "bad-user-name", user);
  const { hub, id } = user;
  if (id !== packet.clientId) {
    const detail = `The client id is ${packet.clientId}, the user name says ${id}.`;
    return refuse(IDENTIFIER_REJECTED, "client-id-mismatch", detail);
  }
  const denied = problemWithAddress(hub, peer.address);
  if (denied) return refuse(NOT_AUTHORIZED, "ip-filter", denied);
  const device = hub.devices.find(id);
  if (!device) return refuse(NOT_AUTHORIZED, "unknown-device", "The registry has no such device.");
  const token = packet.password?.toString("utf8") ?? "";
  const problem = problemWithCredentials(hub, device, { ...peer.identify(), token });
  if (problem) return refuse(NOT_AUTHORIZED, ...problem);
  const scope = authScopeOf(device, token);
  const validUntil = device.authentication.type === "sas" ? expiryOf(token) : undefined;
  return { ok: true, hub, device, modelId: user.modelId, scope, validUntil };
}

/** @returns what else than MQTT 3.1.1 a CONNECT speaks, or undefined */
export function problemWithProtocol(packet: IConnectPacket): string | undefined {
  const { protocolId, protocolVersion } = packet;
  // The highest bit of the level is a bridge's; `mqtt-packet` tells it apart, its types do not.
  const { bridgeMode } = packet as { bridgeMode?: boolean };
  if (protocolId === "MQTT" && protocolVersion === 4 && !bridgeMode) return undefined;
  const asked = `${protocolId} level ${protocolVersion}${bridgeMode ? " as a bridge" : ""}`;
  return `Only MQTT 3.1.1 is spoken, not ${asked}.`;
}

/** @returns which rule of the hub's IP filter turns the caller away, or undefined */
export function problemWithAddress({ settings }: Hub, address: string): string | undefined {
  const rule = rejectingRule(settings.get().ipFilterRules, address);
  return rule && `The rule ${rule.filterName} of the IP filter rejects ${rule.ipMask}.`;
}

/** Whose key signed the token that a device came with. */
export function authScopeOf({ authentication }: Device, token: string): AuthScope {
  return authentication.type === "sas" && policyOf(token) !== undefined ? "hub" : "own";
}

/**
 * `{hub}/{deviceId}[/{moduleId}]/?api-version=…&model-id=…`, or the older form without the question
 * mark. Clients that dial the lab by its address name it so.
 */
function parseUserName(userName: string, hubs: readonly Hub[]) {
  const match = /^([^/]+)\/([^/]+)(?:\/([^/?]+))?\/\??((?:[^/]*&)?api-version=.*)$/.exec(userName);
  if (!match) return `The user name ${userName} is not {hub}/{deviceId}/?api-version=….`;
  const [, host = "", deviceId = "", moduleId, query = ""] = match;
  const name = host.toLowerCase().replace(/:\d+$/, "");
  const byAddress = name === "localhost" || name === "127.0.0.1";
  const hub = hubs.find((each) => each.hostName.toLowerCase() === name);
  const chosen = hub ?? (byAddress ? hubs[0] : undefined);
  if (!chosen) {
    const names = hubs.map((each) => each.hostName).join(" or ");
    return `The user name is for the hub ${host}, this is ${names}.`;
  }
  const modelId = new URLSearchParams(query).get("model-id") ?? "";
  return { hub: chosen, id: idOf({ deviceId, moduleId }), modelId };
}

type Problem = readonly [reason: RefusalReason, detail: string];

/** What a device shows to be let in, whatever protocol it comes by. */
export interface Credentials extends Peer {
  /** A shared access signature; empty for none. */
  readonly token: string;
}

/** @returns why the device is refused, or undefined when it may come in */
export function problemWithCredentials(
  hub: Hub,
  device: Device,
  credentials: Credentials,
): Problem | undefined {
  const problem = problemWithIdentity(hub, device, credentials);
  if (problem) return problem;
  const parent = device.moduleId === undefined ? device : hub.devices.find(device.deviceId);
  if (device.status === "enabled" && parent?.status === "enabled") return undefined;
  return ["disabled-device", "The device is disabled in the registry."];
}

function problemWithIdentity(
  hub: Hub,
  device: Device,
  credentials: Credentials,
): Problem | undefined {
  const { authentication, deviceId, moduleId } = device;
  if (authentication.type === "sas") return problemWithSas(hub, device, credentials.token);
  if (authentication.type === "none") return ["no-certificate", "The identity may not connect."];
  if (!credentials.leaf) {
    return ["no-certificate", "The device showed no certificate in the TLS handshake."];
  }
  if (authentication.type === "selfSigned") {
    return problemWithThumbprint(hub, authentication.x509Thumbprint, credentials.leaf);
  }
  const name = idOf({ deviceId, moduleId });
  return problemWithChain(hub, name, credentials.leaf, credentials.presented);
}

function problemWithSas(hub: Hub, device: Device, token: string): Problem | undefined {
  if (device.authentication.type !== "sas") return undefined;
  const { primaryKey, secondaryKey } = device.authentication.symmetricKey;
  const module = device.moduleId === undefined ? "" : `/modules/${device.moduleId}`;
  const resource = `${hub.hostName}/devices/${device.deviceId}${module}`.toLowerCase();
  const problem = problemWithToken({
    token,
    keysOf: (policy) =>
      policy === null ? [primaryKey, secondaryKey] : devicePolicyKeys(hub, policy),
    covers: (given) => isWithin(resource, given.toLowerCase(), hub.hostName.toLowerCase()),
    time: hub.clock.now(),
  });
  return problem === undefined ? undefined : ["bad-token", problem];
}

/** Whether a token for `given` covers `resource`: the same, or a folder above it. */
function isWithin(resource: string, given: string, hostName: string): boolean {
  const named = given.replace(/^(localhost|127\.0\.0\.1)(:\d+)?(?=\/|$)/, hostName);
  const wanted = named.replace(/:\d+(?=\/|$)/, "").replace(/\/$/, "");
  return resource === wanted || resource.startsWith(`${wanted}/`);
}

function devicePolicyKeys(hub: Hub, name: string): string[] {
  const policy = hub.policies.find(name);
  return policy?.permissions.includes("DeviceConnect") ? [policy.key, policy.secondaryKey] : [];
}

function problemWithThumbprint(
  hub: Hub,
  expected: { primaryThumbprint: string | null; secondaryThumbprint: string | null },
  leaf: X509Certificate,
): Problem | undefined {
  const prints = [thumbprint(leaf, "sha1"), thumbprint(leaf, "sha256")];
  const wanted = [expected.primaryThumbprint, expected.secondaryThumbprint];
  if (!wanted.some((print) => print !== null && prints.includes(print.toUpperCase()))) {
    return ["thumbprint-mismatch", `The certificate's thumbprint ${prints[0]} is not registered.`];
  }
  if (hub.clock.now() > Date.parse(leaf.validTo)) {
    return ["expired", `The certificate expired on ${leaf.validTo}.`];
  }
  if (hub.clock.now() < Date.parse(leaf.validFrom)) {
    return ["not-yet-valid", `The certificate is not valid before ${leaf.validFrom}.`];
  }
  return undefined;
}

function problemWithChain(
  hub: Hub,
  name: string,
  leaf: X509Certificate,
  presented: readonly X509Certificate[],
): Problem | undefined {
  const time = hub.clock.now();
  const { verified, pending } = hub.certificates.anchors();
  const result = verifyChain({ leaf, presented, anchors: verified, time });
  if (!result.ok) {
    const unproven = verifyChain({ leaf, presented, anchors: pending, time });
    return result.reason === "unknown-authority" && unproven.ok
      ? ["authority-not-verified", "Its CA is registered, but possession was never proved."]
      : [result.reason, result.detail];
  }
  if (commonName(leaf) === name) return undefined;
  return [
    "name-mismatch",
    `The certificate is for ${commonName(leaf)}, the device id is ${name} (case matters).`,
  ];
}
