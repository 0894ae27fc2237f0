import { connect as connectTls } from "node:tls";
import fc from "fast-check";
import { connect, type MqttClient } from "mqtt";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createHub } from "../../host-sim/hub/hub.ts";
import { isObject, type JsonObject, merge } from "../../host-sim/hub/json.ts";
import { formatBag, parseBag } from "../../host-sim/hub/mqtt/property-bag.ts";
import { createSasToken } from "../../host-sim/hub/service/sas.ts";
import { silentLogger } from "../../host-sim/log.ts";
import { openMemoryStore } from "../../host-sim/store/index.ts";
import {
  CA,
  HUB_NAME,
  makeAuthority,
  makeLeaf,
  nextMessage,
  startHub,
  type TestHub,
} from "./support.ts";

const test = suite<{ lab: TestHub }>("hub over MQTT");

test.before.each(async (context) => {
  context.lab = await startHub();
});
test.after.each(async (context) => {
  await context.lab.stop();
});

const DEVICE = "0123456789abcdef".repeat(8);
const METHODS = "$iothub/methods/POST/#";
const TWIN = "$iothub/twin/res/#";
const DESIRED = "$iothub/twin/PATCH/properties/desired/#";
const messagesOf = (id: string) => `devices/${id}/messages/devicebound/#`;

const closing = (client: MqttClient) =>
  new Promise<void>((resolve) => client.once("close", () => resolve()));

async function refusal(lab: TestHub, options: Parameters<TestHub["dial"]>[0]) {
  const error = await lab.dial(options).then(
    () => ({ code: 0 }),
    (problem) => problem,
  );
  return [error.code, lab.hub.refusals.list().at(-1)?.reason ?? "none"];
}

test("a CA-signed device with a 128-digit id connects and its telemetry is stored", async ({
  lab,
}) => {
  const client = await lab.dial(lab.device(DEVICE));
  const bag = "%24.ct=application%2Fjson&%24.ce=utf-8&level=high";
  await client.publishAsync(`devices/${DEVICE}/messages/events/${bag}`, '{"t":1}', { qos: 1 });
  const [message] = [...lab.hub.events.read()];
  assert.is(Buffer.from(message?.body ?? "", "base64").toString(), '{"t":1}');
  assert.equal(message?.properties, { level: "high" });
  assert.is(message?.systemProperties["content-type"], "application/json");
  assert.is(message?.systemProperties["iothub-connection-device-id"], DEVICE);
});

test("an unknown CA is refused with 5", async ({ lab }) => {
  const other = makeLeaf(makeAuthority(lab.clock, "Other"), "d", lab.clock.now());
  assert.equal(await refusal(lab, lab.device("d", other)), [5, "unknown-authority"]);
});

test("a registered CA without proof of possession is refused with its own reason", async ({
  lab,
}) => {
  const second = makeAuthority(lab.clock, "Second");
  lab.hub.certificates.add("second", second.certificate);
  const leaf = makeLeaf(second, "d", lab.clock.now());
  assert.equal(await refusal(lab, lab.device("d", leaf)), [5, "authority-not-verified"]);
});

test("expired and not yet valid certificates are refused on the hub's clock", async ({ lab }) => {
  const options = lab.device("d");
  lab.clock.advance(2 * 86_400_000);
  assert.equal(await refusal(lab, options), [5, "expired"]);
  lab.clock.setTime(Date.UTC(2026, 4, 31));
  assert.equal(await refusal(lab, options), [5, "not-yet-valid"]);
});

test("a certificate for another device is refused", async ({ lab }) => {
  const leaf = makeLeaf(lab.authority, "D", lab.clock.now());
  assert.equal(await refusal(lab, lab.device("d", leaf)), [5, "name-mismatch"]);
});

test("a disabled and an unknown device are refused", async ({ lab }) => {
  const options = lab.device("d");
  lab.hub.devices.update({ deviceId: "d", status: "disabled" }, "*");
  assert.equal(await refusal(lab, options), [5, "disabled-device"]);
  lab.hub.devices.delete("d");
  assert.equal(await refusal(lab, options), [5, "unknown-device"]);
});

test("wrong user names, client ids and protocols have their own codes", async ({ lab }) => {
  const query = "?api-version=2021-04-12";
  const user = (username: string) => lab.device("d", { username });
  assert.equal(await refusal(lab, user("d")), [4, "bad-user-name"]);
  assert.equal(await refusal(lab, user(`fabrikam.azure-devices.net/d/${query}`)), [
    4,
    "bad-user-name",
  ]);
  assert.equal(await refusal(lab, user(`${HUB_NAME}/e/${query}`)), [2, "client-id-mismatch"]);
  const old = lab.device("d", { protocolVersion: 3, protocolId: "MQIsdp" });
  assert.equal(await refusal(lab, old), [1, "bad-protocol"]);
});

test("a device without a certificate is refused", async ({ lab }) => {
  const options = lab.device("d", { key: undefined, cert: undefined });
  assert.equal(await refusal(lab, options), [5, "no-certificate"]);
});

test("a self-signed device connects by thumbprint and another certificate does not", async ({
  lab,
}) => {
  const own = makeAuthority(lab.clock, "self");
  const leaf = makeLeaf(own, "s", lab.clock.now());
  const { X509Certificate } = await import("node:crypto");
  const { thumbprint } = await import("../../host-sim/pki/index.ts");
  const primaryThumbprint = thumbprint(new X509Certificate(leaf.cert));
  lab.hub.devices.create({
    deviceId: "s",
    authentication: {
      type: "selfSigned",
      x509Thumbprint: { primaryThumbprint, secondaryThumbprint: null },
    },
  });
  await lab.dial(lab.device("s", leaf));
  assert.equal(await refusal(lab, lab.device("s")), [5, "thumbprint-mismatch"]);
});

test("a symmetric-key device connects with a token and is refused with a stale one", async ({
  lab,
}) => {
  const device = lab.hub.devices.create({ deviceId: "k", authentication: { type: "sas" } });
  const key =
    device.authentication.type === "sas" ? device.authentication.symmetricKey.primaryKey : "";
  const resource = `${HUB_NAME}/devices/k`;
  const now = Math.floor(lab.clock.now() / 1000);
  const options = (expiry: number, other = key) =>
    lab.device("k", {
      key: undefined,
      cert: undefined,
      password: createSasToken(resource, other, expiry),
    });
  await lab.dial(options(now + 60));
  assert.equal(await refusal(lab, options(now - 1)), [5, "bad-token"]);
  assert.equal(await refusal(lab, options(now + 60, "AAAA")), [5, "bad-token"]);
});

test("twin GET answers both sections with versions and without metadata", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(TWIN);
  const answer = nextMessage(client, "$iothub/twin/res/");
  client.publish("$iothub/twin/GET/?$rid=a1", " ");
  const { topic, text } = await answer;
  assert.is(topic, "$iothub/twin/res/200/?$rid=a1");
  assert.equal(JSON.parse(text), { desired: { $version: 1 }, reported: { $version: 1 } });
});

test("a reported patch answers 204 with the new version; null deletes", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(TWIN);
  const patch = async (json: string) => {
    const answer = nextMessage(client, "$iothub/twin/res/");
    client.publish("$iothub/twin/PATCH/properties/reported/?$rid=7", json);
    return (await answer).topic;
  };
  assert.is(await patch('{"a":1,"b":{"c":2}}'), "$iothub/twin/res/204/?$rid=7&$version=2");
  assert.is(await patch('{"a":null}'), "$iothub/twin/res/204/?$rid=7&$version=3");
  assert.equal(lab.hub.twins.get("d").reported.values, { b: { c: 2 } });
});

test("a bad reported patch is answered with an error body and changes nothing", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(TWIN);
  for (const json of ["{", "[]", '{"a.b":1}', JSON.stringify({ a: "x".repeat(5000) })]) {
    const answer = nextMessage(client, "$iothub/twin/res/");
    client.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", json);
    const { topic, text } = await answer;
    assert.match(topic, "/res/400/");
    assert.ok(JSON.parse(text).errorCode);
  }
  assert.is(lab.hub.twins.get("d").reported.version, 1);
});

test("a desired change is pushed to a subscriber with its version and nulls", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(DESIRED);
  const pushed = nextMessage(client, "$iothub/twin/PATCH/properties/desired/");
  lab.hub.twins.patch("d", { desired: { interval: 2, gone: null } });
  const { topic, text } = await pushed;
  assert.is(topic, "$iothub/twin/PATCH/properties/desired/?$version=2");
  assert.equal(JSON.parse(text), { interval: 2, gone: null, $version: 2 });
});

test("a direct method reaches the device and its answer the caller", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(METHODS);
  const called = nextMessage(client, "$iothub/methods/POST/");
  const result = lab.hub.connections.invoke("d", {
    methodName: "blink",
    payload: '{"times":3}',
    responseTimeoutMs: 5000,
    connectTimeoutMs: 0,
  });
  const { topic, text } = await called;
  assert.match(topic, /^\$iothub\/methods\/POST\/blink\/\?\$rid=[0-9a-f]+$/);
  assert.is(text, '{"times":3}');
  client.publish(`$iothub/methods/res/200/?$rid=${topic.split("=")[1]}`, '"done"');
  assert.equal(await result, { status: 200, payload: '"done"' });
});

test("a method call to an absent device fails at once, or after the connect timeout", async ({
  lab,
}) => {
  lab.device("d");
  const request = { methodName: "m", payload: "", responseTimeoutMs: 5000 };
  const immediate = await lab.hub.connections
    .invoke("d", { ...request, connectTimeoutMs: 0 })
    .catch((error) => error);
  assert.is(immediate.code, 404103);
  const later = lab.hub.connections
    .invoke("d", { ...request, connectTimeoutMs: 5000 })
    .catch((error) => error);
  await lab.clock.run(5000);
  assert.is((await later).code, 404103);
});

test("a method that the device does not answer times out", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(METHODS);
  const called = nextMessage(client, "$iothub/methods/POST/");
  const request = { methodName: "m", payload: "", responseTimeoutMs: 5000, connectTimeoutMs: 0 };
  const result = lab.hub.connections.invoke("d", request).catch((error) => error);
  await called;
  await lab.clock.run(5000);
  assert.is((await result).code, 504101);
});

test("a message to the device is completed by its PUBACK", async ({ lab }) => {
  lab.device("d");
  lab.hub.c2d.enqueue("d", { body: Buffer.from("hello"), properties: { urgency: "low" } });
  const client = await lab.dial(lab.device("d"));
  const received = nextMessage(client, "devices/d/messages/devicebound/");
  await client.subscribeAsync(messagesOf("d"), { qos: 1 });
  const { topic, text } = await received;
  assert.is(text, "hello");
  assert.match(topic, "%24.to=%2Fdevices%2Fd%2Fmessages%2Fdevicebound");
  assert.match(topic, "urgency=low");
  await client.publishAsync("devices/d/messages/events/", "x", { qos: 1 });
  assert.is(lab.hub.c2d.waiting("d").length, 0);
});

test("an unacknowledged message comes once more after a reconnect, marked as duplicate", async ({
  lab,
}) => {
  const first = await lab.dial(lab.device("d", { clean: false }));
  const seen = nextMessage(first, "devices/d/messages/devicebound/");
  // The callback that would acknowledge is never called: the app died while it worked.
  first.handleMessage = () => {};
  await first.subscribeAsync(messagesOf("d"), { qos: 1 });
  lab.hub.c2d.enqueue("d", { body: Buffer.from("again") });
  assert.not((await seen).dup);
  const gone = closing(first);
  first.stream.destroy();
  await gone;
  const client = connect(lab.device("d", { clean: false }));
  const repeated = await nextMessage(client, "devices/d/messages/devicebound/");
  assert.ok(repeated.dup);
  await client.publishAsync("devices/d/messages/events/", "x", { qos: 1 });
  assert.is(lab.hub.c2d.waiting("d").length, 0);
  await client.endAsync(true);
});

test("the 51st waiting message is refused", ({ lab }) => {
  lab.device("d");
  for (let index = 0; index < 50; index++) lab.hub.c2d.enqueue("d", { body: Buffer.from("x") });
  assert.throws(
    () => lab.hub.c2d.enqueue("d", { body: Buffer.from("x") }),
    (error: { code: number }) => error.code === 403004,
  );
});

for (const [what, topic, qos, reason] of [
  ["another device's topic", "devices/other/messages/events/", 1, "forbidden-topic"],
  ["a topic of its own making", "sensors/temperature", 0, "forbidden-topic"],
  ["QoS 2", "devices/d/messages/events/", 2, "forbidden-qos"],
] as const) {
  test(`publishing with ${what} closes the connection`, async ({ lab }) => {
    const client = await lab.dial(lab.device("d"));
    const closed = closing(client);
    client.publish(topic, "x", { qos });
    await closed;
    assert.is(lab.hub.refusals.list().at(-1)?.reason, reason);
  });
}

test("a message over 256 KiB closes the connection and is not stored", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  const closed = closing(client);
  client.publish("devices/d/messages/events/", Buffer.alloc(262_145), { qos: 1 });
  await closed;
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "message-too-large");
  assert.is(lab.hub.events.nextSequenceNumber, 0);
});

test("a foreign subscription closes the connection", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  const closed = closing(client);
  client.subscribe("#");
  await closed;
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "forbidden-topic");
});

test("a second connection of a device closes the first", async ({ lab }) => {
  const first = await lab.dial(lab.device("d"));
  const closed = closing(first);
  await lab.dial(lab.device("d"));
  await closed;
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "replaced");
  assert.is(lab.hub.connections.count(), 1);
});

test("disabling a device ends its connection", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  const closed = closing(client);
  lab.hub.devices.update({ deviceId: "d", status: "disabled" }, "*");
  await closed;
  assert.is(lab.hub.connections.count(), 0);
});

test("a will is stored after an end without DISCONNECT only", async ({ lab }) => {
  const will = {
    topic: "devices/d/messages/events/",
    payload: Buffer.from("lost"),
    qos: 1 as const,
    retain: false,
  };
  const polite = await lab.dial(lab.device("d", { will }));
  await polite.endAsync();
  const rude = await lab.dial(lab.device("d", { will }));
  rude.stream.destroy();
  while (lab.hub.events.nextSequenceNumber === 0)
    await new Promise((resolve) => setImmediate(resolve));
  const stored = [...lab.hub.events.read()];
  assert.is(stored.length, 1);
  assert.is(stored[0]?.properties["iothub-MessageType"], "Will");
});

test("bytes that are no MQTT close that connection and no other", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  for (const bytes of [
    "GET / HTTP/1.1\r\n\r\n",
    "\u0000\u0000\u0000",
    "\u0010\u00ff\u00ff\u00ff\u00ff\u00ff",
  ]) {
    const socket = connectTls({ host: "127.0.0.1", port: lab.port, servername: HUB_NAME, ca: CA });
    socket.on("error", () => {});
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.write(Buffer.from(bytes, "latin1"));
    await closed;
  }
  await client.publishAsync("devices/d/messages/events/", "still here", { qos: 1 });
  assert.is(lab.hub.events.nextSequenceNumber, 1);
});

test("a resumed TLS session does not lose the intermediates that came with it", async ({ lab }) => {
  const { key, cert } = lab.device("d");
  const dial = (session?: Buffer) =>
    new Promise<{ session: Buffer | undefined; reused: boolean }>((resolve, reject) => {
      const socket = connectTls({
        ...{ host: "127.0.0.1", port: lab.port, servername: HUB_NAME, ca: CA, session },
        ...{ key: String(key), cert: String(cert), maxVersion: "TLSv1.2" },
      });
      socket.once("error", reject);
      socket.once("secureConnect", () => {
        resolve({ session: socket.getSession(), reused: socket.isSessionReused() });
        socket.destroy();
      });
    });
  const { session } = await dial();
  assert.ok(session);
  assert.is((await dial(session)).reused, false);
});

test("UNSUBSCRIBE ends a subscription", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(DESIRED);
  assert.is(lab.hub.connections.get("d")?.takesMethod("any"), false);
  await client.subscribeAsync(METHODS);
  assert.is(lab.hub.connections.get("d")?.takesMethod("any"), true);
  await client.unsubscribeAsync(METHODS);
  assert.is(lab.hub.connections.get("d")?.takesMethod("any"), false);
});

test("a clean session is not there for the next connection", async ({ lab }) => {
  const present = (client: MqttClient) =>
    new Promise<boolean>((resolve) =>
      client.once("connect", ({ sessionPresent }) => resolve(sessionPresent)),
    );
  const first = await lab.dial(lab.device("d", { clean: true }));
  await first.subscribeAsync(METHODS);
  await first.endAsync(true);
  const second = connect(lab.device("d", { clean: false }));
  assert.is(await present(second), false);
  await second.endAsync(true);
  const third = connect(lab.device("d", { clean: false }));
  assert.is(await present(third), true);
  await third.endAsync(true);
});

test("stopping the hub ends its connections before it returns", async ({ lab }) => {
  await lab.dial(lab.device("d"));
  assert.is(lab.hub.connections.count(), 1);
  await lab.server.stop();
  assert.is(lab.hub.connections.count(), 0);
});

test("registry, twins and queues outlive the hub", async ({ lab }) => {
  const store = openMemoryStore();
  const options = { hostName: HUB_NAME, store, clock: lab.clock, logger: silentLogger };
  const before = createHub(options);
  before.devices.create({ deviceId: "d", authentication: { type: "certificateAuthority" } });
  before.twins.patch("d", { desired: { interval: 5 } });
  before.c2d.enqueue("d", { body: Buffer.from("kept") });
  const after = createHub(options);
  assert.equal(after.devices.get("d"), before.devices.get("d"));
  assert.equal(after.twins.get("d").desired.values, { interval: 5 });
  assert.is(after.c2d.waiting("d").length, 1);
});

const json = fc.letrec<{ object: JsonObject }>((tie) => ({
  object: fc.dictionary(
    fc.constantFrom("a", "b", "c"),
    fc.oneof({ maxDepth: 4 }, fc.integer(), fc.constant(null), fc.string(), tie("object")),
  ) as fc.Arbitrary<JsonObject>,
})).object;

function withoutNulls(value: unknown): boolean {
  return isObject(value) ? Object.values(value).every(withoutNulls) : value !== null;
}

test("merging twice changes nothing more, and no null stays", () => {
  fc.assert(
    fc.property(json, json, (first, patch) => {
      const once = merge(merge({}, first), patch);
      assert.equal(merge(once, patch), once);
      assert.ok(withoutNulls(once));
    }),
  );
});

test("a property bag survives being written and read", () => {
  const name = fc
    .string({ minLength: 1, unit: "grapheme" })
    .filter((text) => !text.startsWith("$.") && text !== "?" && text !== "__proto__");
  fc.assert(
    fc.property(fc.dictionary(name, fc.option(fc.string({ unit: "grapheme" }))), (properties) => {
      assert.equal(
        { ...parseBag(formatBag(Object.entries(properties))).properties },
        { ...properties },
      );
    }),
  );
});

test.run();
