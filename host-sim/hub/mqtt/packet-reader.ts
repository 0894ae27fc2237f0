import { isUtf8 } from "node:buffer";
import { type IPublishPacket, type Packet, parser } from "mqtt-packet";

/** No packet is larger than a message with its topic; a longer one is an attack or a mistake. */
const LARGEST_PACKET = 512 * 1024;
const PUBLISH = 3;
const PUBACK = 4;
/** Types whose flags have to be 2; those of the others, but for PUBLISH, have to be 0. */
const MARKED_TYPES = [6, 8, 10];
const PINGREQ = 12;
const DISCONNECT = 14;
/** Types whose remaining length is fixed. */
const FIXED_LENGTHS: Readonly<Record<number, number>> = {
  [PUBACK]: 2,
  [PINGREQ]: 0,
  [DISCONNECT]: 0,
};
/** What a text becomes that was no UTF-8, and the character that MQTT forbids in texts. */
const BROKEN_TEXT = /[\0\ufffd]/;

/**
 * Cuts a stream of bytes into MQTT 3.1.1 packets and hands each to `onPacket`. PUBLISH, of which
 * thousands come in a second, is decoded here; the others by `mqtt-packet`.
 * @returns takes the next bytes; throws on what is no packet, after which the stream is lost
 */
export function createPacketReader(onPacket: (packet: Packet) => void): (chunk: Buffer) => void {
  let waiting: Buffer[] = [];
  let have = 0;
  let need = 2;

  return (chunk) => {
    have += chunk.length;
    waiting.push(chunk);
    // Joined only when a packet may be whole: bytes that drip in are not copied over and over.
    if (have < need) return;
    const bytes = waiting.length === 1 ? chunk : Buffer.concat(waiting, have);
    let at = 0;
    for (;;) {
      const header = headerAt(bytes, at);
      need = header ? header.start + header.length - at : Math.min(bytes.length - at + 1, 5);
      if (!header || at + need > bytes.length) break;
      onPacket(decode(bytes, at, header));
      at += need;
    }
    waiting = at === bytes.length ? [] : [bytes.subarray(at)];
    have = bytes.length - at;
    if (need < 2) need = 2;
  };
}

interface Header {
  /** Where the packet's content begins. */
  readonly start: number;
  readonly length: number;
}

/** @returns undefined when the header is not whole yet */
function headerAt(bytes: Buffer, at: number): Header | undefined {
  let length = 0;
  for (let digit = 0; digit < 4; digit++) {
    const byte = bytes[at + 1 + digit];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** digit;
    if (byte >= 0x80) continue;
    requireHeader(bytes[at] as number, length);
    if (length > LARGEST_PACKET) throw new Error(`A packet of ${length} bytes is too long.`);
    return { start: at + 2 + digit, length };
  }
  throw new Error("The remaining length has more than four bytes.");
}

/** Seen before the packet is whole: who speaks another protocol is not waited for. */
function requireHeader(first: number, length: number): void {
  const type = first >> 4;
  const flags = MARKED_TYPES.includes(type) ? 2 : 0;
  if (type === 0 || type === 15 || (type !== PUBLISH && (first & 15) !== flags)) {
    throw new Error(`0x${first.toString(16)} begins no packet.`);
  }
  if ((FIXED_LENGTHS[type] ?? length) !== length) {
    throw new Error(`A packet of type ${type} does not have ${length} bytes.`);
  }
}

function decode(bytes: Buffer, at: number, { start, length }: Header): Packet {
  const first = bytes[at] as number;
  const type = first >> 4;
  const end = start + length;
  if (type === PUBLISH) return publishFrom(first, bytes.subarray(start, end));
  const packet = decodeOther(bytes.subarray(at, end));
  requireSound(packet);
  return packet;
}

function publishFrom(first: number, content: Buffer): IPublishPacket {
  const qos = (first >> 1) & 3;
  const dup = (first & 8) !== 0;
  if (qos === 3 || (dup && qos === 0)) throw new Error("A PUBLISH has impossible flags.");
  const topicEnd = content.length < 2 ? 2 : 2 + content.readUInt16BE(0);
  const payloadAt = qos === 0 ? topicEnd : topicEnd + 2;
  if (payloadAt > content.length) throw new Error("A PUBLISH is too short.");
  const text = content.subarray(2, topicEnd);
  if (text.length === 0 || text.includes(0) || !isUtf8(text)) {
    throw new Error("A PUBLISH has no topic in UTF-8.");
  }
  const messageId = qos === 0 ? undefined : content.readUInt16BE(topicEnd);
  if (messageId === 0) throw new Error("The packet id 0 is none.");
  return {
    cmd: "publish",
    ...{ qos: qos as 0 | 1 | 2, dup, retain: (first & 1) !== 0 },
    topic: text.toString("utf8"),
    messageId,
    payload: content.subarray(payloadAt),
  };
}

function decodeOther(frame: Buffer): Packet {
  let found: Packet | undefined;
  const packets = parser({ protocolVersion: 4 });
  packets.on("packet", (packet: Packet) => {
    found = packet;
  });
  packets.on("error", (error: Error) => {
    throw error;
  });
  packets.parse(frame);
  if (!found) throw new Error("A packet ends too early.");
  return found;
}

/** What `mqtt-packet` lets through and MQTT 3.1.1 forbids. */
function requireSound(packet: Packet): void {
  const broken = (text: string | undefined) => text !== undefined && BROKEN_TEXT.test(text);
  if (packet.messageId === 0) throw new Error("The packet id 0 is none.");
  if (packet.cmd === "connect") {
    const { clientId, username, password, will } = packet;
    if ([clientId, username, will?.topic].some(broken)) {
      throw new Error("A text of the CONNECT is no UTF-8.");
    }
    if (password && username === undefined) throw new Error("A password has no user name.");
  } else if (packet.cmd === "subscribe" || packet.cmd === "unsubscribe") {
    const filters =
      packet.cmd === "subscribe"
        ? packet.subscriptions.map(({ topic }) => topic)
        : packet.unsubscriptions;
    if (filters.length === 0) throw new Error(`A ${packet.cmd.toUpperCase()} has no filter.`);
    if (filters.some((filter) => filter === "" || broken(filter))) {
      throw new Error("A filter is empty or no UTF-8.");
    }
  }
}
