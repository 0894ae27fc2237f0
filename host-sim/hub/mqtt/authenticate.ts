import type { X509Certificate } from "node:crypto";
import type { IConnectPacket } from "mqtt-packet";
import { commonName, thumbprint, verifyChain } from "../../pki/index.ts";
import type { Device } from "../devices.ts";
import type { Hub } from "../hub.ts";
import type { RefusalReason } from "../refusals.ts";
import { problemWithToken } from "../service/sas.ts";

/** What the TLS layer knows of the peer. */
export interface Peer {
  readonly leaf: X509Certificate | undefined;
  readonly presented: readonly X509Certificate[];
}

export type Verdict =
  | { readonly ok: true; readonly device: Device; readonly modelId: string }
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

/** Decides on a CONNECT as IoT Hub does; everything about credentials is answered with 5. */
export function authenticate(hub: Hub, packet: IConnectPacket, peer: Peer): Verdict {
  const refuse = (returnCode: number, reason: RefusalReason, detail: string): Verdict => ({
    ok: false,
    returnCode,
    deviceId: packet.clientId,
    reason,
    detail,
  });
  if (packet.protocolId !== "MQTT" || packet.protocolVersion !== 4) {
    const asked = `${packet.protocolId} level ${packet.protocolVersion}`;
    return refuse(BAD_PROTOCOL, "bad-protocol", `Only MQTT 3.1.1 is spoken, not ${asked}.`);
  }
  const user = parseUserName(packet.username ?? "", hub.hostName);
  if (typeof user === "string") return refuse(BAD_USER_NAME, "bad-user-name", user);
  if (user.deviceId !== packet.clientId) {
    const detail = `The client id is ${packet.clientId}, the user name says ${user.deviceId}.`;
    return refuse(IDENTIFIER_REJECTED, "client-id-mismatch", detail);
  }
  const device = hub.devices.find(user.deviceId);
  if (!device) return refuse(NOT_AUTHORIZED, "unknown-device", "The registry has no such device.");
  const problem = problemWithCredentials(hub, device, packet, peer);
  if (problem) return refuse(NOT_AUTHORIZED, ...problem);
  if (device.status === "disabled") {
    return refuse(NOT_AUTHORIZED, "disabled-device", "The device is disabled in the registry.");
  }
  return { ok: true, device, modelId: user.modelId };
}

/** `{hub}/{deviceId}/?api-version=…&model-id=…`, or the older form without the question mark. */
function parseUserName(userName: string, hostName: string) {
  const match = /^([^/]+)\/([^/]+)\/\??(api-version=.*)$/.exec(userName);
  if (!match) return `The user name ${userName} is not {hub}/{deviceId}/?api-version=….`;
  const [, host = "", deviceId = "", query = ""] = match;
  const name = host.toLowerCase().replace(/:\d+$/, "");
  if (name !== hostName.toLowerCase() && name !== "localhost" && name !== "127.0.0.1") {
    return `The user name is for the hub ${host}, this is ${hostName}.`;
  }
  const modelId = new URLSearchParams(query).get("model-id") ?? "";
  return { deviceId, modelId };
}

type Problem = readonly [reason: RefusalReason, detail: string];

function problemWithCredentials(
  hub: Hub,
  device: Device,
  packet: IConnectPacket,
  peer: Peer,
): Problem | undefined {
  const { authentication } = device;
  if (authentication.type === "sas") {
    const { primaryKey, secondaryKey } = authentication.symmetricKey;
    const resource = `${hub.hostName}/devices/${device.deviceId}`.toLowerCase();
    const problem = problemWithToken({
      token: packet.password?.toString("utf8") ?? "",
      keysOf: (policy) =>
        policy === null ? [primaryKey, secondaryKey] : [hub.policies.find(policy)?.key ?? ""],
      covers: (given) => resource.startsWith(given.toLowerCase().replace(/:\d+/, "")),
      time: hub.clock.now(),
    });
    return problem === undefined ? undefined : ["bad-token", problem];
  }
  if (!peer.leaf)
    return ["no-certificate", "The device showed no certificate in the TLS handshake."];
  if (authentication.type === "selfSigned") {
    return problemWithThumbprint(hub, authentication.x509Thumbprint, peer.leaf);
  }
  return problemWithChain(hub, device.deviceId, peer.leaf, peer.presented);
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
  deviceId: string,
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
  if (commonName(leaf) === deviceId) return undefined;
  return [
    "name-mismatch",
    `The certificate is for ${commonName(leaf)}, the device id is ${deviceId} (case matters).`,
  ];
}
