import type { Connection, Message } from "rhea";
import type { TimerHandle } from "../../clock/index.ts";
import type { Hub } from "../hub.ts";
import { problemWithAddress } from "../mqtt/authenticate.ts";
import type { RefusalReason } from "../refusals.ts";
import { problemWithPolicyToken } from "../service/group.ts";
import { expiryOf, policyOf } from "../service/sas.ts";

/** A client at the other end of an AMQP connection. */
export interface Peer {
  readonly connection: Connection;
  /** `host:port`. */
  readonly address: string;
  /** Whether a token was put that holds. */
  authorized: boolean;
  tokenEnd: TimerHandle | undefined;
}

export type Answer = Partial<Message>;

/** Claims-based security: a token put on `$cbs` opens the connection's other links until it ends. */
export function putToken(hub: Hub, peer: Peer, message: Message): Answer {
  const { operation = "put-token" } = message.application_properties ?? {};
  if (operation !== "put-token") return statusOf(501, `There is no operation ${operation}.`);
  const token = String(message.body);
  const refuse = (reason: RefusalReason, detail: string) => {
    hub.refusals.add({ deviceId: "", address: peer.address, reason, detail });
    return statusOf(401, detail);
  };
  const denied = problemWithAddress(hub, peer.address);
  if (denied !== undefined) return refuse("ip-filter", denied);
  const problem = problemWith(hub, token);
  if (problem !== undefined) return refuse("bad-token", problem);
  peer.authorized = true;
  endWithToken(hub, peer, token);
  return statusOf(200, "OK");
}

/** IoT Hub's clients sign with what the key encodes, Event Hub's with its text. */
function problemWith(hub: Hub, token: string): string | undefined {
  if (policyOf(token) === undefined && /[ &]sr=[^&]*%2Fdevices%2F/i.test(token)) {
    return "AMQP is for services here; devices use MQTT or HTTPS.";
  }
  const problems = [false, true].map((keyText) =>
    problemWithPolicyToken(hub, token, ["ServiceConnect"], keyText),
  );
  return problems.includes(undefined) ? undefined : problems[0];
}

/** A token that is put later takes the place of this one. */
function endWithToken(hub: Hub, peer: Peer, token: string): void {
  hub.clock.clearTimer(peer.tokenEnd);
  const left = (expiryOf(token) ?? 0) - hub.clock.now();
  peer.tokenEnd = hub.clock.setTimer(left, () => {
    const description = "The token of the connection has expired.";
    peer.authorized = false;
    hub.refusals.add({
      ...{ deviceId: "", address: peer.address, reason: "bad-token", detail: description },
    });
    peer.connection.close({ condition: "amqp:unauthorized-access", description });
  });
}

export function statusOf(code: number, description: string): Answer {
  return { application_properties: { "status-code": code, "status-description": description } };
}
