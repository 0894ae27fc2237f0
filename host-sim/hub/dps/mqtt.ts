import { generate, type IConnectPacket, type IPublishPacket, type Packet } from "mqtt-packet";
import type { Clock } from "../../clock/index.ts";
import { messageOf } from "../../errors.ts";
import { commonName } from "../../pki/index.ts";
import type { MqttPeer, RegistrationEndpoint, Speaker } from "../mqtt/acceptor.ts";
import { problemWithProtocol } from "../mqtt/authenticate.ts";
import { type SilenceWatch, watchSilence } from "../mqtt/silence.ts";
import type { RefusalReason } from "../refusals.ts";
import type { Dps, OperationState } from "./dps.ts";
import { DpsError, problemJson } from "./errors.ts";
import { type RegistrationCredentials, registrationPayload } from "./matching.ts";

const ANSWERS = "$dps/registrations/res/#";
const BAD_PROTOCOL = 1;
const NOT_AUTHORIZED = 5;
/** A reader that does not keep up is cut off instead of filling the memory. */
const LARGEST_BACKLOG = 1024 * 1024;
const USER_NAME = /^([^/]+)\/registrations\/([^/]+)\/(\?)?api-version=/;

/** The provisioning service over MQTT, on the hub's port. */
export function createRegistrationEndpoint(dps: Dps, transportClock: Clock): RegistrationEndpoint {
  return {
    claims: (packet) => (packet.username ?? "").includes("/registrations/"),
    accept(peer, packet) {
      const credentials = credentialsFrom(dps, peer, packet);
      if ("reason" in credentials) {
        const { address, stream } = peer;
        const { returnCode, reason, detail } = credentials;
        dps.hubs[0].refusals.add({ deviceId: packet.clientId, address, reason, detail });
        stream.end(generate({ cmd: "connack", returnCode, sessionPresent: false }));
        return undefined;
      }
      peer.stream.write(generate({ cmd: "connack", returnCode: 0, sessionPresent: false }));
      const { keepalive = 0 } = packet;
      return createSpeaker(dps, peer, credentials, (onSilent) =>
        watchSilence(transportClock, keepalive, onSilent),
      );
    },
  };
}

interface Refused {
  /** Of the CONNACK. */
  readonly returnCode: number;
  readonly reason: RefusalReason;
  readonly detail: string;
}

const refused = (
  reason: RefusalReason,
  detail: string,
  returnCode: number = NOT_AUTHORIZED,
): Refused => ({ returnCode, reason, detail });

function credentialsFrom(
  dps: Dps,
  peer: MqttPeer,
  packet: IConnectPacket,
): RegistrationCredentials | Refused {
  const problem = problemWithProtocol(packet);
  if (problem !== undefined) return refused("bad-protocol", problem, BAD_PROTOCOL);
  const match = USER_NAME.exec(packet.username ?? "");
  if (!match)
    return refused("bad-user-name", `${packet.username} is not {scope}/registrations/{id}/….`);
  const [, scope = "", id = ""] = match;
  if (scope.toLowerCase() !== dps.idScope.toLowerCase()) {
    return refused("wrong-scope", `The id scope is ${dps.idScope}, the device says ${scope}.`);
  }
  if (packet.clientId.toLowerCase() !== id.toLowerCase()) {
    return refused("client-id-mismatch", `The client id is not the registration id ${id}.`);
  }
  const registrationId = id.toLowerCase();
  const { leaf, presented } = peer.identify();
  if (leaf && commonName(leaf).toLowerCase() !== registrationId) {
    const name = commonName(leaf);
    return refused(
      "name-mismatch",
      `The certificate is for ${name}, the registration id is ${id}.`,
    );
  }
  const token = packet.password?.toString("utf8") ?? "";
  if (!leaf && token === "")
    return refused("no-certificate", "There is no certificate and no token.");
  return { leaf, presented, token, registrationId };
}

function createSpeaker(
  dps: Dps,
  { stream, address }: MqttPeer,
  credentials: RegistrationCredentials,
  watch: (onSilent: (seconds: number) => void) => SilenceWatch,
): Speaker {
  const { registrationId } = credentials;
  let subscribed = false;
  const note = (reason: RefusalReason, detail: string) =>
    dps.hubs[0].refusals.add({ deviceId: registrationId, address, reason, detail });
  const refuse = (reason: RefusalReason, detail: string) => {
    note(reason, detail);
    stream.destroy();
  };
  const silence = watch((seconds) => refuse("keep-alive", `Nothing came for ${seconds} s.`));
  const send = (packet: Packet) => {
    if (stream.destroyed) return;
    if (stream.writableLength > LARGEST_BACKLOG) {
      return refuse("protocol-error", "The device does not read what it is sent.");
    }
    stream.write(generate(packet));
  };

  function publish(status: number, requestId: string, suffix: string, body: object): void {
    if (!subscribed) return;
    const topic = `$dps/registrations/res/${status}/?$rid=${requestId}${suffix}`;
    const payload = JSON.stringify(body);
    send({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false });
  }

  function answer(requestId: string, run: () => OperationState): void {
    try {
      const { done, body } = run();
      const wait = done ? "" : `&retry-after=${dps.retryAfterSeconds}`;
      publish(done ? 200 : 202, requestId, wait, body);
    } catch (error) {
      note(error instanceof DpsError ? error.reason : "protocol-error", messageOf(error));
      const problem = problemJson(error, dps.clock.now());
      publish(problem.status, requestId, "", problem.json);
    }
  }

  function onPublish({ topic, payload, qos, messageId }: IPublishPacket): void {
    if (qos === 2) return refuse("forbidden-qos", "The service does not speak QoS 2.");
    if (qos === 1) send({ cmd: "puback", messageId });
    const register = /^\$dps\/registrations\/PUT\/iotdps-register\/\?\$rid=([^&]*)/.exec(topic);
    if (register) {
      return answer(register[1] ?? "", () =>
        dps.register(credentials, payloadOf(payload, registrationId)),
      );
    }
    const poll =
      /^\$dps\/registrations\/GET\/iotdps-get-operationstatus\/\?\$rid=([^&]*)&operationId=(.*)$/.exec(
        topic,
      );
    if (!poll) return refuse("forbidden-topic", `A registration may not publish to ${topic}.`);
    const [, requestId = "", operationId = ""] = poll;
    answer(requestId, () => dps.operation(credentials, operationId));
  }

  return {
    receive(packet) {
      if (stream.destroyed) return;
      silence.heard();
      switch (packet.cmd) {
        case "publish":
          onPublish(packet);
          return;
        case "subscribe": {
          const foreign = packet.subscriptions.find(({ topic }) => topic !== ANSWERS);
          if (foreign) return refuse("forbidden-topic", `There is no topic ${foreign.topic}.`);
          subscribed = true;
          const granted = packet.subscriptions.map(({ qos }) => (qos === 0 ? 0 : 1));
          send({ cmd: "suback", messageId: packet.messageId, granted });
          return;
        }
        case "unsubscribe":
          subscribed = false;
          send({ cmd: "unsuback", messageId: packet.messageId ?? 0 } as Packet);
          return;
        case "pingreq":
          send({ cmd: "pingresp" });
          return;
        case "puback":
          return;
        case "disconnect":
          stream.end();
          return;
        default:
          refuse("protocol-error", `A device does not send ${packet.cmd}.`);
      }
    },
    refuse,
    closed: silence.stop,
  };
}

/**
 * The device's own payload of `{"registrationId":…,"payload":…}`; empty bytes have none.
 * @throws DpsError BadRequest
 */
function payloadOf(bytes: string | Buffer, registrationId: string): unknown {
  const text = bytes.toString().trim();
  if (text === "") return undefined;
  return registrationPayload(parsed(text), registrationId);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DpsError("BadRequest", "The registration is no JSON", "protocol-error");
  }
}
