import { connect as connectTls, type TLSSocket } from "node:tls";
import { generate, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import { issueDevice } from "./credentials.ts";
import type { SoakHub } from "./soak.ts";

/** Many packets under way would hide the order; a real device has few as well. */
const SETTLE_PAUSE_MS = 20;

export type SoakDevice = ReturnType<typeof createSoakDevice>;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * A device that numbers what it sends, sends again what was not acknowledged when it comes back,
 * and checks that messages from the cloud come in their order.
 */
export function createSoakDevice(hub: SoakHub, deviceId: string) {
  const problems: string[] = [];
  const unacknowledged = new Map<number, number>();
  let socket: TLSSocket | undefined;
  let sending = false;
  let connects = 0;
  let published = 0;
  let sent = 0;
  let received = 0;
  let repeated = 0;
  let packetId = 0;
  let acknowledges = true;

  /** Packet ids begin anew with each connection: an id names the number that it was used for. */
  function publishNumber(number: number, dup: boolean): void {
    packetId += 1;
    unacknowledged.set(packetId, number);
    const topic = `devices/${deviceId}/messages/events/soak=yes`;
    const payload = String(number);
    send({ cmd: "publish", qos: 1, dup, retain: false, messageId: packetId, topic, payload });
  }

  function send(packet: Packet): void {
    socket?.write(generate(packet));
  }

  function onMessage(packet: IPublishPacket): void {
    const number = Number(packet.payload.toString());
    if (number === received) received += 1;
    else if (number > received) problems.push(`${deviceId}: got ${number} before ${received}`);
    else {
      repeated += 1;
      if (!packet.dup) problems.push(`${deviceId}: got ${number} again without DUP`);
    }
    if (acknowledges) send({ cmd: "puback", messageId: packet.messageId });
  }

  function onPacket(packet: Packet, accepted: () => void): void {
    if (packet.cmd === "publish") onMessage(packet);
    else if (packet.cmd === "puback") unacknowledged.delete(packet.messageId ?? 0);
    else if (packet.cmd === "connack") {
      if (packet.returnCode !== 0) problems.push(`${deviceId}: CONNACK ${packet.returnCode}`);
      send({
        cmd: "subscribe",
        messageId: 65_535,
        subscriptions: [{ topic: `devices/${deviceId}/messages/devicebound/#`, qos: 1 }],
      });
    } else if (packet.cmd === "suback") {
      const again = [...unacknowledged.values()];
      unacknowledged.clear();
      packetId = 0;
      for (const number of again) publishNumber(number, true);
      sending = true;
      accepted();
    }
  }

  /** With a fresh certificate; resolves when subscribed, or when the connection is gone. */
  function connect(): Promise<void> {
    const { key, cert } = issueDevice(hub.authority, deviceId, hub.now());
    connects += 1;
    sending = false;
    const own = connectTls({
      ...{ host: "127.0.0.1", port: hub.target.port, servername: hub.hostName },
      ...{ key, cert, ca: hub.target.serverRoot },
    });
    return new Promise((resolve) => {
      const packets = parser({ protocolVersion: 4 });
      packets.on("packet", (packet: Packet) => {
        if (socket === own) onPacket(packet, resolve);
      });
      own.on("data", (chunk: Buffer) => packets.parse(chunk));
      own.on("error", () => {});
      own.on("close", () => {
        if (socket === own) sending = false;
        resolve();
      });
      own.once("secureConnect", () => {
        socket = own;
        send({
          ...{ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: false },
          ...{ keepalive: 240, clientId: deviceId },
          username: `${hub.hostName}/${deviceId}/?api-version=2021-04-12`,
        });
      });
    });
  }

  return {
    deviceId,
    problems,
    connect,
    get connects() {
      return connects;
    },
    /** How many numbers were given away; `settle` sees all of them acknowledged. */
    get published() {
      return published;
    },
    get sent() {
      return sent;
    },
    get received() {
      return received;
    },
    get repeated() {
      return repeated;
    },
    /** Messages that are on their way to the device. */
    get outstanding() {
      return sent - received;
    },
    /** Whether messages are acknowledged; those that are not come again. */
    set acknowledges(value: boolean) {
      acknowledges = value;
    },
    /** Text of the next message to this device. */
    nextText: (): string => String(sent++),
    publish(): void {
      if (sending) publishNumber(published++, false);
    },
    /** Ends without a word, with what was just written on its way. */
    drop(): void {
      sending = false;
      socket?.destroy();
    },
    disconnect(): void {
      sending = false;
      socket?.end(generate({ cmd: "disconnect" }));
    },
    /** Comes back until everything is acknowledged in both directions, then leaves. */
    async settle(): Promise<void> {
      acknowledges = true;
      await connect();
      while (unacknowledged.size > 0 || received < sent) {
        if (!sending) await connect();
        await pause(SETTLE_PAUSE_MS);
      }
      send({ cmd: "disconnect" });
      socket?.end();
    },
  };
}
