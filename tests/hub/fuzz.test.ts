import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import fc from "fast-check";
import type { MqttClient } from "mqtt";
import { generate, type Packet, parser } from "mqtt-packet";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import { createPacketReader } from "../../host-sim/hub/mqtt/packet-reader.ts";
import { type Change, openMemoryStore } from "../../host-sim/store/index.ts";
import { CA, HUB_NAME, startHub, type TestHub } from "./support.ts";

const SEED = 20_260_601;
const test = suite<{ lab: TestHub; witness: MqttClient }>("hostile MQTT");

test.before.each(async (context) => {
  context.lab = await startHub();
  context.witness = await context.lab.dial(context.lab.device("witness"));
});
test.after.each(async ({ lab, witness }) => {
  // The one that did nothing wrong is still served, by the hub that met all this.
  const before = lab.hub.events.nextSequenceNumber;
  await witness.publishAsync("devices/witness/messages/events/", "unharmed", { qos: 1 });
  assert.ok(lab.hub.events.nextSequenceNumber > before);
  await lab.stop();
});

const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

/** A packet of a type byte and content, with its right length. */
function framed(first: number, content: Buffer): Buffer {
  const length: number[] = [];
  for (let left = content.length; length.length === 0 || left > 0; left = left >> 7) {
    length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  }
  return Buffer.concat([Buffer.from([first, ...length]), content]);
}

function text(value: string | Buffer): Buffer {
  const content = Buffer.from(value);
  return Buffer.concat([Buffer.from([content.length >> 8, content.length & 0xff]), content]);
}

function hello(id: string, change: object = {}): Buffer {
  const username = `${HUB_NAME}/${id}/?api-version=2021-04-12`;
  return generate({
    ...{ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, keepalive: 60 },
    ...{ clientId: id, username },
    ...change,
  } as Packet);
}

async function open(lab: TestHub, id = "fuzz"): Promise<TLSSocket> {
  const { key, cert } = lab.device(id);
  const options = { host: "127.0.0.1", port: lab.port, servername: HUB_NAME, ca: CA };
  const socket = connectTls({ ...options, key: String(key), cert: String(cert) });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

/** A device that is let in, to be followed by bytes that are none of MQTT's. */
async function openDevice(lab: TestHub, id = "fuzz"): Promise<TLSSocket> {
  const socket = await open(lab, id);
  socket.write(hello(id));
  const [connack] = await once(socket, "data");
  assert.is(connack[3], 0);
  return socket;
}

const closed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    socket.once("close", () => resolve());
    socket.resume();
  });

const TOPIC = "devices/fuzz/messages/events/";
const OWN = text(TOPIC);
const ID = bytes("0001");

/** Content → what it is; all of them are to close the connection they come on. */
const MALFORMED: Readonly<Record<string, Buffer>> = {
  "type 0": bytes("00 00"),
  "type 15 (AUTH)": bytes("f0 00"),
  "CONNACK of a device": bytes("20 02 00 00"),
  "SUBACK of a device": bytes("90 03 00 01 00"),
  "UNSUBACK of a device": bytes("b0 02 00 01"),
  "PINGRESP of a device": bytes("d0 00"),
  "PUBREC, which belongs to QoS 2": bytes("50 02 00 01"),
  "PUBREL, which belongs to QoS 2": bytes("62 02 00 01"),
  "PUBCOMP, which belongs to QoS 2": bytes("70 02 00 01"),
  "PUBACK with flags": bytes("41 02 00 01"),
  "PUBACK without a packet id": bytes("40 00"),
  "PUBACK with packet id 0": bytes("40 02 00 00"),
  "PUBACK with more than an id": bytes("40 03 00 01 00"),
  "SUBSCRIBE without its flag": framed(
    0x80,
    Buffer.concat([ID, text("$iothub/twin/res/#"), bytes("00")]),
  ),
  "SUBSCRIBE with packet id 0": framed(
    0x82,
    Buffer.concat([bytes("0000"), text("$iothub/twin/res/#"), bytes("00")]),
  ),
  "SUBSCRIBE without a filter": framed(0x82, ID),
  "SUBSCRIBE with an empty filter": framed(0x82, Buffer.concat([ID, text(""), bytes("00")])),
  "SUBSCRIBE with QoS 3": framed(
    0x82,
    Buffer.concat([ID, text("$iothub/twin/res/#"), bytes("03")]),
  ),
  "SUBSCRIBE that ends within its filter": framed(0x82, Buffer.concat([ID, bytes("00 40 24")])),
  "SUBSCRIBE to no UTF-8": framed(0x82, Buffer.concat([ID, text(bytes("24c328")), bytes("00")])),
  "SUBSCRIBE to everything": framed(0x82, Buffer.concat([ID, text("#"), bytes("00")])),
  "SUBSCRIBE to another device": framed(
    0x82,
    Buffer.concat([ID, text("devices/witness/messages/devicebound/#"), bytes("01")]),
  ),
  "UNSUBSCRIBE without its flag": framed(0xa0, Buffer.concat([ID, text("$iothub/twin/res/#")])),
  "UNSUBSCRIBE without a filter": framed(0xa2, ID),
  "PINGREQ with flags": bytes("c1 00"),
  "PINGREQ with content": bytes("c0 01 00"),
  "DISCONNECT with flags": bytes("e1 00"),
  "DISCONNECT with content": bytes("e0 01 00"),
  "PUBLISH with QoS 3": framed(0x36, Buffer.concat([OWN, ID])),
  "PUBLISH with QoS 2": framed(0x34, Buffer.concat([OWN, ID])),
  "PUBLISH again with QoS 0": framed(0x38, OWN),
  "PUBLISH with packet id 0": framed(0x32, Buffer.concat([OWN, bytes("0000")])),
  "PUBLISH without a packet id": framed(0x32, OWN),
  "PUBLISH that ends within its topic": framed(0x30, bytes("00 40 64 65")),
  "PUBLISH without a topic": framed(0x30, text("")),
  "PUBLISH of one byte": framed(0x30, bytes("00")),
  "PUBLISH to no UTF-8": framed(0x30, text(Buffer.concat([Buffer.from(TOPIC), bytes("c328")]))),
  "PUBLISH to half a surrogate pair": framed(
    0x30,
    text(Buffer.concat([Buffer.from(TOPIC), bytes("eda080")])),
  ),
  "PUBLISH to a topic with NUL": framed(0x30, text(`${TOPIC}\0`)),
  "PUBLISH to a topic with #": framed(0x30, text(`${TOPIC}#`)),
  "PUBLISH to a topic with +": framed(0x30, text(`${TOPIC}+`)),
  "PUBLISH with a broken escape": framed(0x30, text(`${TOPIC}a=%zz`)),
  "PUBLISH for another device": framed(0x30, text("devices/witness/messages/events/")),
  "remaining length of five bytes": bytes("30 ff ff ff ff 01"),
  "giant remaining length": bytes("30 ff ff ff 7f"),
  "another CONNECT": hello("fuzz"),
  HTTP: Buffer.from("GET / HTTP/1.1\r\n\r\n"),
};

for (const [name, content] of Object.entries(MALFORMED)) {
  test(`${name} closes the connection`, async ({ lab }) => {
    const device = await openDevice(lab);
    device.write(content);
    await closed(device);
    const stranger = await open(lab);
    stranger.write(content);
    if (name === "another CONNECT") stranger.write(content);
    await closed(stranger);
    assert.is(lab.hub.connections.count(), 1);
  });
}

const MALFORMED_HELLOS: Readonly<Record<string, Buffer>> = {
  "another protocol": framed(
    0x10,
    Buffer.concat([text("MQTX"), bytes("04 02 003c"), text("fuzz")]),
  ),
  "a bridge": framed(
    0x10,
    Buffer.concat([
      text("MQTT"),
      bytes("84 82 003c"),
      text("fuzz"),
      text(`${HUB_NAME}/fuzz/?api-version=1`),
    ]),
  ),
  "the reserved flag": framed(
    0x10,
    Buffer.concat([text("MQTT"), bytes("04 03 003c"), text("fuzz")]),
  ),
  "a will with QoS 3": framed(
    0x10,
    Buffer.concat([text("MQTT"), bytes("04 1e 003c"), text("fuzz"), text("t"), text("m")]),
  ),
  "a client id that is no UTF-8": framed(
    0x10,
    Buffer.concat([text("MQTT"), bytes("04 02 003c"), text(bytes("c328"))]),
  ),
  "a password without a user name": framed(
    0x10,
    Buffer.concat([text("MQTT"), bytes("04 42 003c"), text("fuzz"), text("secret")]),
  ),
  "no end of the client id": framed(0x10, Buffer.concat([text("MQTT"), bytes("04 02 003c ffff")])),
  "no content": bytes("10 00"),
  flags: Buffer.concat([bytes("1f"), hello("fuzz").subarray(1)]),
};

for (const [name, content] of Object.entries(MALFORMED_HELLOS)) {
  test(`CONNECT with ${name} is not let in`, async ({ lab }) => {
    const socket = await open(lab);
    socket.write(content);
    await closed(socket);
    assert.is(lab.hub.connections.get("fuzz"), undefined);
  });
}

test("a CONNECT that is cut anywhere is not let in", async ({ lab }) => {
  const whole = hello("fuzz", { will: { topic: TOPIC, payload: "gone", qos: 1 } });
  for (let length = 1; length < whole.length; length += 7) {
    const socket = await open(lab);
    socket.end(whole.subarray(0, length));
    await closed(socket);
  }
  assert.is(lab.hub.connections.count(), 1);
});

const VALID: readonly Packet[] = [
  {
    cmd: "publish",
    topic: TOPIC,
    payload: "21.5",
    qos: 1,
    dup: false,
    retain: false,
    messageId: 7,
  },
  {
    cmd: "publish",
    topic: "$iothub/twin/GET/?$rid=1",
    payload: "",
    qos: 0,
    dup: false,
    retain: false,
  },
  { cmd: "subscribe", messageId: 3, subscriptions: [{ topic: "$iothub/twin/res/#", qos: 0 }] },
  { cmd: "unsubscribe", messageId: 4, unsubscriptions: ["$iothub/twin/res/#"] },
  { cmd: "puback", messageId: 9 },
  { cmd: "pingreq" },
];

const mutated = fc
  .tuple(fc.constantFrom(...VALID), fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }))
  .map(([packet, changes]) => {
    const content = Buffer.from(generate(packet));
    for (const [at, value] of changes) content[at % content.length] = value;
    return content;
  });

test("mutated packets and raw bytes end no more than their connection", async ({ lab }) => {
  const stream = fc.array(fc.oneof(mutated, fc.uint8Array({ maxLength: 60 })), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(stream, async (parts) => {
      const device = await openDevice(lab);
      for (const part of parts) device.write(part);
      device.end();
      await closed(device);
    }),
    { numRuns: 150, seed: SEED },
  );
});

function read(chunks: readonly Uint8Array[]): Packet[] {
  const packets: Packet[] = [];
  const take = createPacketReader((packet) => packets.push(packet));
  for (const chunk of chunks) take(Buffer.from(chunk));
  return packets;
}

test("packets are the same however the bytes are cut", () => {
  const stream = Buffer.concat(VALID.map((packet) => generate(packet)));
  const expected = JSON.stringify(read([stream]));
  assert.is(JSON.parse(expected).length, VALID.length);
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 30 }), (cuts) => {
      const ends = [...cuts, stream.length].sort((a, b) => a - b);
      const chunks = ends.map((end, number) => stream.subarray(ends[number - 1] ?? 0, end));
      assert.is(JSON.stringify(read(chunks)), expected);
    }),
    { numRuns: 300, seed: SEED },
  );
});

test("a PUBLISH is read as mqtt-packet reads it", () => {
  const publish = fc.record({
    cmd: fc.constant("publish" as const),
    topic: fc.string({ minLength: 1, unit: "grapheme" }).filter((value) => !/[#+\0]/.test(value)),
    payload: fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value)),
    qos: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
    retain: fc.boolean(),
    messageId: fc.integer({ min: 1, max: 65_535 }),
  });
  fc.assert(
    fc.property(publish, (packet) => {
      const frame = generate({ ...packet, dup: false });
      let theirs: Packet | undefined;
      parser()
        .on("packet", (found: Packet) => {
          theirs = found;
        })
        .parse(frame);
      const ours = read([frame])[0] as unknown as Record<string, unknown>;
      for (const name of ["topic", "qos", "retain", "dup", "messageId"]) {
        assert.is(ours[name], (theirs as unknown as Record<string, unknown>)[name], name);
      }
      assert.is(String(ours.payload), String((theirs as { payload?: Buffer }).payload));
    }),
    { numRuns: 300, seed: SEED },
  );
});

test("raw bytes are read or refused, with an error that says why", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      try {
        read(chunks);
      } catch (error) {
        assert.instance(error, Error);
        assert.not.instance(error, TypeError);
        assert.not.instance(error, RangeError);
      }
    }),
    { numRuns: 2_000, seed: SEED },
  );
});

test("a packet that drips in byte by byte is read", async ({ lab }) => {
  const device = await openDevice(lab);
  const packet = generate(VALID[0] as Packet);
  for (const byte of packet) device.write(Buffer.from([byte]));
  const [puback] = await once(device, "data");
  assert.is(puback.toString("hex"), "40020007");
  device.destroy();
});

test("a device that does not read what it asks for is cut off", async ({ lab }) => {
  lab.hub.devices.create({ deviceId: "deaf", authentication: { type: "certificateAuthority" } });
  lab.hub.twins.patch("deaf", { desired: { text: "x".repeat(4000), more: "y".repeat(4000) } });
  const device = await openDevice(lab, "deaf");
  device.pause();
  device.write(generate({ ...(VALID[2] as Packet) } as Packet));
  const ask = generate(VALID[1] as Packet);
  const many = Buffer.concat(Array.from({ length: 200 }, () => ask));
  while (lab.hub.connections.get("deaf")) {
    if (!device.write(many)) await new Promise(setImmediate);
  }
  assert.match(lab.hub.refusals.list().at(-1)?.detail ?? "", "does not read");
  await closed(device);
});

test.run();

const quiet = suite("silent peers of the hub");

quiet("who says nothing, or half a CONNECT, is let go after 30 s", async () => {
  const transportClock = new SteppedClock(0);
  const lab = await startHub(undefined, {}, transportClock);
  const silent = await open(lab);
  const half = await open(lab);
  half.write(hello("fuzz").subarray(0, 20));
  const witness = await openDevice(lab, "witness");
  transportClock.advance(30_000);
  await Promise.all([closed(silent), closed(half)]);
  assert.is(lab.hub.connections.count(), 1);
  transportClock.advance(60_000);
  await closed(witness);
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "keep-alive");
  await lab.stop();
});

quiet("who does not come through the TLS handshake is let go after 120 s", async () => {
  const transportClock = new SteppedClock(0);
  const lab = await startHub(undefined, {}, transportClock);
  const socket = connectTcp(Number(lab.device("other").port), "127.0.0.1").on("error", () => {});
  await once(socket, "connect");
  // Another peer's handshake shows that the hub has taken the silent one in.
  const other = await open(lab);
  transportClock.advance(119_999);
  assert.not.ok(socket.closed);
  transportClock.advance(1);
  await Promise.all([closed(socket), closed(other)]);
  await lab.stop();
});

quiet("a device that is faster than the store is held back, and loses nothing", async () => {
  const store = openMemoryStore();
  let letThrough = () => {};
  const gate = new Promise<void>((resolve) => {
    letThrough = resolve;
  });
  const slow = {
    ...store,
    putSoon: async (changes: readonly Change[]) => {
      await gate;
      return store.putSoon(changes);
    },
  };
  const lab = await startHub(slow);
  const { events } = lab.hub;
  const { enqueue } = events;
  let taken = 0;
  events.enqueue = (...message) => {
    taken += 1;
    enqueue(...message);
  };
  const device = await openDevice(lab);
  const packet = generate({ ...VALID[0], qos: 0, payload: Buffer.alloc(10_000) } as Packet);
  const count = 3_000;
  for (let sent = 0; sent < count; sent++) device.write(packet);
  while (taken < 1_000) await new Promise((resolve) => setTimeout(resolve, 20));
  // Time for more to come in, if the hub read on.
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(taken < 1_100, `${taken} were taken`);
  letThrough();
  while (lab.hub.events.nextSequenceNumber < count) await new Promise(setImmediate);
  device.destroy();
  await lab.stop();
});

quiet("nothing behind a DISCONNECT counts, and what came before is acknowledged", async () => {
  const lab = await startHub();
  const device = await openDevice(lab);
  const telemetry = (messageId: number) =>
    generate({ ...VALID[0], qos: 1, messageId, payload: "x" } as Packet);
  const chunks: Buffer[] = [];
  device.on("data", (chunk: Buffer) => chunks.push(chunk));
  const parts = [telemetry(1), telemetry(2), generate({ cmd: "disconnect" }), telemetry(3)];
  device.write(Buffer.concat(parts));
  await closed(device);
  assert.is(Buffer.concat(chunks).toString("hex"), "4002000140020002");
  assert.is(lab.hub.events.nextSequenceNumber, 2);
  await lab.stop();
});

quiet("keep-alive is counted from the last packet, not from the last timer", async () => {
  const transportClock = new SteppedClock(0);
  const lab = await startHub(undefined, {}, transportClock);
  const device = await openDevice(lab);
  for (let minute = 0; minute < 5; minute++) {
    transportClock.advance(60_000);
    device.write(generate({ cmd: "pingreq" }));
    await once(device, "data");
  }
  assert.is(lab.hub.connections.count(), 1);
  transportClock.advance(89_999);
  assert.is(lab.hub.connections.count(), 1);
  transportClock.advance(1);
  assert.is(lab.hub.connections.count(), 0);
  await closed(device);
  await lab.stop();
});

quiet.run();
