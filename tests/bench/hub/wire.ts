import { connect, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { generate } from "mqtt-packet";
import { type DeviceCredentials, HUB_NAME } from "./credentials.ts";

/** A device that is ready to dial: what costs time is made before the clock runs. */
export interface ReadyDevice {
  readonly deviceId: string;
  readonly context: SecureContext;
  readonly hello: Buffer;
  readonly publish: Buffer;
}

const BODY = JSON.stringify({
  temperature: 21.37,
  humidity: 48.2,
  pressure: 1013.25,
  timestamp: "2026-06-01T12:00:00.000Z",
  sequence: 1_000_000,
});
/** Topic length and flags come first in a PUBLISH; the packet id follows the topic. */
const TOPIC_AT = 3;
const CONNACK_LENGTH = 4;

export function prepareDevice(device: DeviceCredentials): ReadyDevice {
  const { deviceId, key, cert } = device;
  return {
    deviceId,
    context: createSecureContext({ key, cert, ca: [] }),
    hello: generate({
      ...{ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, keepalive: 240 },
      clientId: deviceId,
      username: `${HUB_NAME}/${deviceId}/?api-version=2021-04-12`,
    }),
    publish: generate({
      ...{ cmd: "publish", qos: 1, dup: false, retain: false, messageId: 1, payload: BODY },
      topic: `devices/${deviceId}/messages/events/level=high&%24.ct=application%2Fjson`,
    }),
  };
}

/** Where the packet id stands in a PUBLISH with a remaining length of two bytes. */
export function packetIdAt(publish: Buffer): number {
  return TOPIC_AT + 2 + publish.readUInt16BE(TOPIC_AT);
}

/**
 * Mutual TLS, CONNECT, CONNACK; rejects when the device is not let in. The server's certificate is
 * not checked: that costs the server nothing, and a load that is busier than the server would be
 * what is measured.
 */
export function dial(port: number, device: ReadyDevice): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host: "127.0.0.1", port, servername: HUB_NAME },
      ...{ secureContext: device.context, rejectUnauthorized: false },
    });
    socket.setNoDelay(true);
    socket.once("secureConnect", () => socket.write(device.hello));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error(`${device.deviceId} was closed out`)));
    socket.once("data", (chunk: Buffer) => {
      if (chunk.length < CONNACK_LENGTH || chunk[0] !== 0x20 || chunk[3] !== 0) {
        reject(new Error(`CONNACK ${chunk.toString("hex")}`));
      } else resolve(socket);
    });
  });
}

/** Calls `onAck` with each packet id that is acknowledged; nothing else comes to these devices. */
export function readAcknowledgements(
  socket: TLSSocket,
  onAck: (packetId: number) => void,
  onChunkEnd: () => void,
): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (; at + 4 <= bytes.length; at += 4) {
      if (bytes[at] !== 0x40) throw new Error(`not a PUBACK: ${bytes.toString("hex", at, at + 4)}`);
      onAck(bytes.readUInt16BE(at + 2));
    }
    rest = bytes.subarray(at);
    onChunkEnd();
  });
}
