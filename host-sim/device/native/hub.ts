import {
  CONNECTED,
  DISCONNECTED,
  REASON_NO_NETWORK,
  REASON_OK,
} from "../../../assembly/sphere/host/abi.ts";
import { EBUSY, EINVAL, ENOTCONN } from "../../../assembly/sphere/host/errors.ts";
import type { HubClient } from "../hub-client/client.ts";
import type { ConnectionEvents } from "../hub-client/connection.ts";
import { areProperties } from "../session/iothub.ts";
import type { AppSession } from "../session/session.ts";
import { type Frame, frameKind, i32, ProtocolError, text16, u32 } from "./frames.ts";
import type { Connection, OpenChannel } from "./server.ts";

const LONGEST_NAME = 255;
/** MQTT's limit of a topic, which the properties are a part of. */
const LONGEST_PROPERTIES = 65_000;

/** The channel of one client handle of libazureiot: the hub's events out, messages in. */
export function hubChannel(session: AppSession): OpenChannel {
  return (connection) => {
    const requests = new Map<number, string>();
    let client: HubClient | undefined;

    function open({ payload, serial }: Frame): void {
      const hostName = payload.text();
      const modelId = payload.text();
      payload.end();
      if (client || hostName === "" || hostName.length > LONGEST_NAME) {
        connection.answer(serial, client ? EBUSY : EINVAL);
        return;
      }
      // The answer comes before the first event.
      connection.answer(serial, 0);
      client = session.hubs.connect({ hostName, modelId, events: eventsTo(connection, requests) });
    }

    return {
      take(frame) {
        if (frame.kind === frameKind.hubOpen) open(frame);
        else if (client) pass(frame, connection, client, requests);
        else throw new ProtocolError("the hub channel is used before HUB_OPEN");
      },
      closed: () => void (client && session.hubs.disconnect(client)),
    };
  };
}

/** Hands what the app sends to the hub, or tells that there is no connection. */
function pass(
  { kind, payload }: Frame,
  connection: Connection,
  client: HubClient,
  requests: Map<number, string>,
): void {
  const hub = client.connection;
  const id = payload.u32();
  if (kind === frameKind.telemetry) {
    const properties = payload.text();
    if (properties.length > LONGEST_PROPERTIES || !areProperties(properties)) {
      throw new ProtocolError("telemetry has properties that are not percent-encoded");
    }
    if (hub) hub.send(id, copy(payload.rest()), properties);
    else connection.send(frameKind.telemetryDone, u32(id), i32(ENOTCONN));
  } else if (kind === frameKind.report) {
    // Without a connection there is no answer; the library sends it again with the next one.
    hub?.report(id, copy(payload.rest()));
  } else if (kind === frameKind.methodDone) {
    const status = payload.u32();
    const request = requests.get(id);
    if (request === undefined) throw new ProtocolError("a method is answered that nobody called");
    requests.delete(id);
    hub?.answerMethod(request, status, copy(payload.rest()));
  } else {
    throw new ProtocolError(`the hub channel has no frame ${kind}`);
  }
}

/** The bytes belong to the reader's buffer, and the message leaves later. */
const copy = (bytes: Buffer) => Buffer.from(bytes);

function eventsTo(connection: Connection, requests: Map<number, string>): ConnectionEvents {
  let lastRequest = 0;
  return {
    connected: () => connection.send(frameKind.hubStatus, u32(CONNECTED), u32(REASON_OK)),
    closed(reason) {
      requests.clear();
      // The real client tells of a refusal, and then of the end of the connection as always.
      for (const each of reason === REASON_NO_NETWORK ? [reason] : [reason, REASON_NO_NETWORK]) {
        connection.send(frameKind.hubStatus, u32(DISCONNECTED), u32(each));
      }
    },
    telemetrySettled: (id, acknowledged) =>
      connection.send(frameKind.telemetryDone, u32(id), i32(acknowledged ? 0 : ENOTCONN)),
    reported: (id, status) => connection.send(frameKind.reportDone, u32(id), u32(status)),
    desired: (kind, json) => connection.send(frameKind.twin, u32(kind), json),
    message: (body, properties) => connection.send(frameKind.message, text16(properties), body),
    method(name, payload, requestId) {
      lastRequest += 1;
      requests.set(lastRequest, requestId);
      connection.send(frameKind.method, u32(lastRequest), text16(name), payload);
    },
  };
}
