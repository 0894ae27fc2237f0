import { once } from "node:events";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WebSocket } from "ws";
import { runQuery } from "../../host-sim/hub/query/query.ts";
import { createSasToken } from "../../host-sim/hub/service/sas.ts";
import { CA, HUB_NAME, makeLeaf, nextMessage, startHub, type TestHub } from "./support.ts";

const SEED = 20_260_602;
const test = suite<{ lab: TestHub }>("hostile callers of the hub");

test.before.each(async (context) => {
  context.lab = await startHub();
  context.lab.device("d");
});
test.after.each(async ({ lab }) => {
  const witness = await lab.dial(lab.device("witness"));
  await witness.publishAsync("devices/witness/messages/events/", "unharmed", { qos: 1 });
  assert.is((await call(lab, "GET", "/devices/witness")).status, 200);
  await lab.stop();
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A call of a service with the owner's token; `status` 0 when the hub hung up. */
function call(lab: TestHub, method: string, path: string, body = "", headers = {}) {
  const { key = "" } = lab.hub.policies.find("iothubowner") ?? {};
  const expiry = Math.floor(lab.clock.now() / 1000) + 3600;
  return new Promise<Answer>((resolve) => {
    const outgoing = httpsRequest({
      ...{
        host: "127.0.0.1",
        port: lab.addresses.https.port,
        servername: HUB_NAME,
        ca: CA,
        method,
      },
      path: `${path}${path.includes("?") ? "&" : "?"}api-version=2021-04-12`,
      agent: false,
      headers: {
        authorization: createSasToken(HUB_NAME, key, expiry, "iothubowner"),
        "content-type": "application/json",
        ...headers,
      },
    });
    outgoing.on("error", () => resolve({ status: 0, text: "" }));
    outgoing.on("response", async (incoming) => {
      let text = "";
      for await (const chunk of incoming) text += chunk;
      resolve({ status: incoming.statusCode ?? 0, text });
    });
    outgoing.end(body);
  });
}

const patchTwin = (lab: TestHub, body: string) => call(lab, "PATCH", "/twins/d", body);
const query = (lab: TestHub, text: string) =>
  call(lab, "POST", "/devices/query", JSON.stringify({ query: text }));

function refused({ status, text }: Answer, wanted = 400): void {
  assert.is(status, wanted, text.slice(0, 300));
  assert.match(text, /ErrorCode:/);
  assert.ok(text.length < 2_000, "the error is not a copy of what was sent");
}

test("a body over the limit is refused and says so", async ({ lab }) => {
  const body = JSON.stringify({ tags: { text: "x".repeat(1_100_000) } });
  refused(await patchTwin(lab, body), 413);
});

test("giant headers are refused", async ({ lab }) => {
  const answer = await call(lab, "GET", "/twins/d", "", { "x-giant": "x".repeat(60_000) });
  assert.is(answer.status, 431);
});

test("twins that are too deep, too wide or too large are refused", async ({ lab }) => {
  const desired = (value: string) => patchTwin(lab, `{"properties":{"desired":${value}}}`);
  refused(await desired(`${'{"a":'.repeat(11)}1${"}".repeat(11)}`));
  refused(await desired(`${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`));
  refused(await desired(`{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`));
  refused(await desired(`{"a":"${"x".repeat(5_000)}"}`));
  const many = Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`name${n}`, n]));
  refused(await desired(JSON.stringify(many)), 413);
  assert.equal(lab.hub.twins.get("d").desired.values, {});
});

test("a device's twin that is too deep is answered, and its connection goes on", async ({
  lab,
}) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync("$iothub/twin/res/#");
  const bomb = `{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;
  const answered = nextMessage(client, "$iothub/twin/res/");
  client.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", bomb);
  const { topic } = await answered;
  assert.is(topic, "$iothub/twin/res/400/?$rid=1");
  await client.publishAsync("devices/d/messages/events/", "on", { qos: 1 });
});

test("names that JavaScript's objects have are names like others", async ({ lab }) => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  const members = names.map((name) => `"${name}":{"a":"${name}"}`).join(",");
  const answer = await patchTwin(lab, `{"properties":{"desired":{${members}}}}`);
  assert.is(answer.status, 200);
  const { desired } = JSON.parse(answer.text).properties;
  for (const name of names) {
    assert.ok(Object.hasOwn(desired, name), name);
    assert.is(Object.getOwnPropertyDescriptor(desired, name)?.value.a, name);
  }
  const client = await lab.dial(lab.device("d"));
  const bag = names.map((name) => `${name}=1&%24.${name}=2`).join("&");
  await client.publishAsync(`devices/d/messages/events/${bag}`, "", { qos: 1 });
  const [message] = [...lab.hub.events.read()];
  for (const name of names) {
    assert.ok(Object.hasOwn(message?.properties ?? {}, name), name);
    assert.ok(Object.hasOwn(message?.systemProperties ?? {}, name), `$.${name}`);
  }
});

test("names that JavaScript's objects have do no harm in HTTPS headers", async ({ lab }) => {
  const { key, cert } = makeLeaf(lab.authority, "d", lab.clock.now());
  const outgoing = httpsRequest({
    ...{ host: "127.0.0.1", port: lab.addresses.https.port, servername: HUB_NAME, ca: CA },
    ...{ key, cert, method: "POST", agent: false },
    path: "/devices/d/messages/events?api-version=2021-04-12",
    headers: { constructor: "x", "iothub-app-__proto__": "y" },
  });
  outgoing.end("1");
  const [incoming] = await once(outgoing, "response");
  incoming.resume();
  assert.is(incoming.statusCode, 204);
  const [message] = [...lab.hub.events.read()];
  assert.not.ok(JSON.stringify(message?.systemProperties).includes("native code"));
  assert.ok(Object.hasOwn(message?.properties ?? {}, "__proto__"));
});

test("deep and endless queries are refused", async ({ lab }) => {
  const where = (condition: string) => query(lab, `SELECT * FROM devices WHERE ${condition}`);
  refused(await where(`${"(".repeat(100_000)}1`));
  refused(await where(`${"(".repeat(50_000)}1=1${")".repeat(50_000)}`));
  refused(await where(`${"not ".repeat(100_000)}true`));
  refused(await where(`${"f(".repeat(100_000)}`));
  refused(await where(`true${" and true".repeat(100_000)}`));
  refused(await where(`true${" or true".repeat(100_000)}`));
  refused(await where(`deviceId IN [${"'a',".repeat(100_000)}'b']`));
  refused(await where(`'${"x".repeat(900_000)}`));
  refused(await where(`'${"\\x".repeat(200_000)}`));
  refused(await where(`${"[[".repeat(100_000)}`));
  refused(await where(`a${".a".repeat(100_000)} = 1`));
});

test("any query text is answered or refused, with an error of the hub", async ({ lab }) => {
  const words = ["SELECT", "*", "FROM", "devices", "WHERE", "(", ")", "not", "and", "IN", "[", "]"];
  const more = ["'a'", "1", "=", "tags.a", "count()", "GROUP", "BY", ",", "[[", "\\", "__proto__"];
  const text = fc
    .array(fc.oneof(fc.constantFrom(...words, ...more), fc.string({ maxLength: 4 })))
    .map((parts) => parts.join(" "));
  fc.assert(
    fc.property(text, (value) => {
      for (const each of [value, `SELECT * FROM devices WHERE ${value}`]) {
        try {
          runQuery(lab.hub, each);
        } catch (error) {
          assert.is((error as Error).name, "ArgumentInvalid");
        }
      }
    }),
    { numRuns: 1_000, seed: SEED },
  );
});

test("any JSON in a twin patch or a method call is answered", async ({ lab }) => {
  await fc.assert(
    fc.asyncProperty(fc.json({ maxDepth: 4 }), async (json) => {
      for (const [method, path] of [
        ["PATCH", "/twins/d"],
        ["POST", "/twins/d/methods"],
        ["PUT", "/devices/d2"],
        ["POST", "/devices/query"],
        ["PUT", "/configurations/c"],
        ["PUT", "/jobs/v2/j"],
      ] as const) {
        const { status, text } = await call(lab, method, path, json);
        assert.ok(status >= 200 && status < 500, `${method} ${path} ${json}: ${status} ${text}`);
      }
    }),
    { numRuns: 40, seed: SEED },
  );
});

function dialTls(port: number): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port, servername: HUB_NAME, ca: CA });
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("secureConnect", () => resolve(socket)));
}

async function gone(socket: Socket): Promise<void> {
  if (socket.closed) return;
  socket.resume();
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}

const AMQP_HEADER = Buffer.from("AMQP\x00\x01\x00\x00", "latin1");
const SASL_HEADER = Buffer.from("AMQP\x03\x01\x00\x00", "latin1");
const frame = (hex: string) => {
  const body = Buffer.from(hex, "hex");
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head[4] = 2;
  return Buffer.concat([head, body]);
};
/** OPEN with the container id "x". */
const OPEN = frame("005310c00401a10178");

const AMQP_GARBAGE: Readonly<Record<string, Buffer>> = {
  text: Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
  "another version": Buffer.from("AMQP\x00\x09\x09\x09", "latin1"),
  "a frame of no size": Buffer.concat([AMQP_HEADER, Buffer.alloc(8)]),
  "a giant frame": Buffer.concat([AMQP_HEADER, Buffer.from("7fffffff02000000", "hex")]),
  "an unknown performative": Buffer.concat([AMQP_HEADER, frame("00537fc00100")]),
  "a type that is none": Buffer.concat([AMQP_HEADER, frame("0053100f0f0f0f")]),
  "a list longer than its frame": Buffer.concat([AMQP_HEADER, frame("005310d0ffffffffffffffff")]),
  "a transfer on no link": Buffer.concat([AMQP_HEADER, OPEN, frame("005314c0020143")]),
  "an attach on no session": Buffer.concat([AMQP_HEADER, OPEN, frame("005312c00401a10178")]),
  "SASL that is none": Buffer.concat([SASL_HEADER, Buffer.from("ffffffffffffffff", "hex")]),
};

for (const [name, content] of Object.entries(AMQP_GARBAGE)) {
  test(`AMQP: ${name} ends that connection and no more`, async ({ lab }) => {
    const plain = connectTcp(lab.addresses.plainAmqp.port, "127.0.0.1");
    plain.on("error", () => {});
    plain.end(content);
    await gone(plain);
    const secure = await dialTls(lab.addresses.amqp.port);
    secure.end(content);
    await gone(secure);
  });
}

test("random bytes on every port end no more than their connection", async ({ lab }) => {
  const { mqtt, https, amqp, plainAmqp } = lab.addresses;
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 80 }), async (content) => {
      const plain = [mqtt, https, amqp, plainAmqp].map(({ port }) => connectTcp(port, "127.0.0.1"));
      const secure = await Promise.all([https, amqp].map(({ port }) => dialTls(port)));
      const header = connectTcp(plainAmqp.port, "127.0.0.1");
      header.write(Buffer.concat([AMQP_HEADER, OPEN]));
      for (const socket of [...plain, ...secure, header]) {
        socket.on("error", () => {});
        socket.end(content);
      }
      await Promise.all([...plain, ...secure, header].map(gone));
    }),
    { numRuns: 40, seed: SEED },
  );
});

const upgrade = (target: string, more = "") =>
  `GET ${target} HTTP/1.1\r\nHost: ${HUB_NAME}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`;
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
const MQTT_PATH = "/$iothub/websocket";

const UPGRADES: Readonly<Record<string, string>> = {
  "a target that is no URL": upgrade("//", KEY),
  "another path": upgrade("/nowhere", KEY),
  "no key": upgrade(MQTT_PATH),
  "no subprotocol, then garbage": `${upgrade(MQTT_PATH, KEY)}\xff\xff\xff\xff\xff\xff`,
  "MQTT, then frames without a mask": `${upgrade(MQTT_PATH, `${KEY}Sec-WebSocket-Protocol: mqtt\r\n`)}\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff`,
  "AMQP, then frames without a mask": `${upgrade(MQTT_PATH, `${KEY}Sec-WebSocket-Protocol: AMQPWSB10\r\n`)}\x82\x02ab`,
};

for (const [name, content] of Object.entries(UPGRADES)) {
  test(`WebSocket: ${name} ends that connection and no more`, async ({ lab }) => {
    for (const reset of [false, true]) {
      const socket = await dialTls(lab.addresses.https.port);
      socket.write(Buffer.from(content, "latin1"));
      if (reset) {
        await once(socket, "data");
        socket.destroy();
      } else socket.end();
      await gone(socket);
    }
  });
}

test("WebSocket: MQTT and AMQP garbage in good frames ends that connection", async ({ lab }) => {
  for (const protocol of ["mqtt", "AMQPWSB10", "other"]) {
    for (const content of [Buffer.from("garbage"), Buffer.alloc(600 * 1024, 0x30)]) {
      const url = `wss://127.0.0.1:${lab.addresses.https.port}${MQTT_PATH}`;
      const socket = new WebSocket(url, protocol, { ca: CA });
      socket.on("error", () => {});
      await new Promise<void>((resolve) => {
        socket.once("open", () => socket.send(content, () => setImmediate(() => socket.close())));
        socket.once("close", () => resolve());
      });
    }
  }
});

test("a target that is no URL is answered on HTTPS", async ({ lab }) => {
  const socket = await dialTls(lab.addresses.https.port);
  socket.end(`GET // HTTP/1.1\r\nHost: ${HUB_NAME}\r\n\r\n`);
  const [answer] = await once(socket, "data");
  assert.match(String(answer), /^HTTP\/1\.1 4\d\d /);
  await gone(socket);
});

test.run();
