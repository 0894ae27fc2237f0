import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { IClientOptions, MqttClient } from "mqtt";
import { generate, type Packet } from "mqtt-packet";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import { createAcceptor } from "../../host-sim/hub/mqtt/acceptor.ts";
import { messageSize, parseBag } from "../../host-sim/hub/mqtt/property-bag.ts";
import { createSasToken } from "../../host-sim/hub/service/sas.ts";
import { parseCertificate } from "../../host-sim/pki/index.ts";
import { openFolderStore } from "../../host-sim/store/index.ts";
import { CA, HUB_NAME, nextMessage, startHub, type TestHub } from "./support.ts";

const test = suite<{ lab: TestHub }>("rules of the hub's MQTT endpoint");

test.before.each(async (context) => {
  context.lab = await startHub();
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

const TWIN = "$iothub/twin/res/#";
const DESIRED = "$iothub/twin/PATCH/properties/desired/#";
const METHODS = "$iothub/methods/POST/#";
const MESSAGES = "devices/d/messages/devicebound/#";
const EVENTS = "devices/d/messages/events/";

const closing = (client: MqttClient) =>
  new Promise<void>((resolve) => client.once("close", () => resolve()));

async function refusal(lab: TestHub, options: IClientOptions) {
  const error = await lab.dial(options).then(
    () => ({ code: 0 }),
    (problem) => problem,
  );
  return [error.code, lab.hub.refusals.list().at(-1)?.reason ?? "none"];
}

async function stored(lab: TestHub, client: MqttClient, topic: string, options = {}) {
  await client.publishAsync(topic, "x", { qos: 1, ...options });
  const message = [...lab.hub.events.read()].at(-1);
  assert.ok(message);
  return message;
}

test("a client id that no key of the store could be is an unknown device's", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spherule-id-"));
  const lab = await startHub(openFolderStore(folder));
  const clientId = "x".repeat(5_000);
  const username = `${HUB_NAME}/${clientId}/?api-version=2021-04-12`;
  assert.equal(await refusal(lab, lab.device("d", { clientId, username })), [5, "unknown-device"]);
  await lab.stop();
  rmSync(folder, { recursive: true });
});

for (const keepalive of [0, 60_000]) {
  test(`keep-alive ${keepalive} ends a silent connection after 1767 s`, async () => {
    const transportClock = new SteppedClock(0);
    const lab = await startHub(undefined, {}, transportClock);
    const client = await lab.dial(lab.device("d", { keepalive, reschedulePings: false }));
    transportClock.advance(1_766_999);
    assert.is(lab.hub.connections.count(), 1);
    const closed = closing(client);
    transportClock.advance(1);
    await closed;
    assert.is(lab.hub.refusals.list().at(-1)?.reason, "keep-alive");
    await lab.stop();
  });
}

test("RETAIN is taken, kept as mqtt-retain, and retains nothing", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  const { properties } = await stored(lab, client, `${EVENTS}a=1`, { retain: true });
  assert.equal(properties, { a: "1", "mqtt-retain": "true" });
});

test("DUP is kept as mqtt-dup", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  const { properties } = await stored(lab, client, EVENTS, { dup: true });
  assert.equal(properties, { "mqtt-dup": "true" });
});

test("a will keeps its property bag and its retain flag", async ({ lab }) => {
  const will = { topic: `${EVENTS}level=high`, payload: Buffer.from("gone"), retain: true };
  const client = await lab.dial(lab.device("d", { will: { ...will, qos: 1 } }));
  client.stream.destroy();
  while (lab.hub.events.nextSequenceNumber === 0) await new Promise(setImmediate);
  const [message] = [...lab.hub.events.read()];
  assert.equal(message?.properties, {
    level: "high",
    "mqtt-retain": "true",
    "iothub-MessageType": "Will",
  });
});

test("a device has at most five subscriptions", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync([MESSAGES, TWIN, DESIRED, METHODS]);
  await client.subscribeAsync("$iothub/methods/POST/reboot/#");
  await client.subscribeAsync([MESSAGES, METHODS]);
  const closed = closing(client);
  client.subscribe("$iothub/methods/POST/blink/#");
  await closed;
  const { reason, detail = "" } = lab.hub.refusals.list().at(-1) ?? {};
  assert.is(reason, "forbidden-topic");
  assert.match(detail, "at most 5 subscriptions");
});

test("QoS 2 of a subscription is granted as 1", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  const granted = await client.subscribeAsync(MESSAGES, { qos: 2 });
  assert.equal(
    granted.map(({ qos }) => qos),
    [1],
  );
});

test("a subscription to one direct method gets that one and no other", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync("$iothub/methods/POST/reboot/#");
  const call = (methodName: string) =>
    lab.hub.connections.invoke("d", {
      ...{ methodName, payload: "", responseTimeoutMs: 5000, connectTimeoutMs: 0 },
    });
  assert.is((await call("blink").catch((error) => error)).code, 404103);
  const called = nextMessage(client, "$iothub/methods/POST/reboot/");
  const result = call("reboot");
  const { topic } = await called;
  client.publish(`$iothub/methods/res/200/?$rid=${topic.split("$rid=")[1]}`, "");
  assert.is((await result).status, 200);
});

test("a reported patch for another version is 412, for no version 400", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(TWIN);
  const patch = async (query: string) => {
    const answer = nextMessage(client, "$iothub/twin/res/");
    client.publish(`$iothub/twin/PATCH/properties/reported/?${query}`, '{"a":1}');
    const { topic, text } = await answer;
    return [topic, text === "" ? undefined : JSON.parse(text).errorCode];
  };
  assert.equal(await patch("$rid=1&$version=7"), ["$iothub/twin/res/412/?$rid=1", 412002]);
  assert.equal(await patch("$rid=2&$version=x"), ["$iothub/twin/res/400/?$rid=2", 400004]);
  assert.is(lab.hub.twins.get("d").reported.version, 1);
  assert.is((await patch("$version=1&$rid=3"))[0], "$iothub/twin/res/204/?$rid=3&$version=2");
});

test("a request id comes back byte by byte", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(TWIN);
  const answer = nextMessage(client, "$iothub/twin/res/");
  client.publish("$iothub/twin/GET/?$rid=%20aé=;b", "");
  assert.is((await answer).topic, "$iothub/twin/res/200/?$rid=%20aé=;b");
});

test("a twin GET without a subscription to answers does no harm", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  client.publish("$iothub/twin/GET/?$rid=1", "");
  await stored(lab, client, EVENTS);
  assert.ok(client.connected);
});

test("the user name may name the api-version after other fields, and a model unescaped", async ({
  lab,
}) => {
  const query = "DeviceClientType=x%2F1&api-version=2021-04-12&model-id=dtmi:com:example;1";
  const username = `${HUB_NAME}/d/?${query}`;
  const client = await lab.dial(lab.device("d", { username }));
  const { systemProperties } = await stored(lab, client, EVENTS);
  assert.is(systemProperties["dt-dataschema"], "dtmi:com:example;1");
  assert.is(lab.hub.twins.get("d").modelId, "dtmi:com:example;1");
});

test("the older user name without a question mark, and any case of the host, are taken", async ({
  lab,
}) => {
  const old = `${HUB_NAME.toUpperCase()}/d/api-version=2016-11-14&DeviceClientType=C%2F1`;
  assert.ok((await lab.dial(lab.device("d", { username: old }))).connected);
});

test("a device cannot write what the hub notes on its messages", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  const names = ["iothub-connection-module-id", "x-opt-sequence-number", "iothub-enqueuedtime"];
  const bag = [...names, "iothub-message-source", "iothub-connection-device-id", "cdid", "other"]
    .map((name) => `%24.${name}=forged`)
    .join("&");
  const { systemProperties, properties } = await stored(lab, client, EVENTS + bag);
  for (const name of names) assert.is(systemProperties[name], undefined, name);
  assert.is(systemProperties["iothub-message-source"], "Telemetry");
  assert.is(systemProperties["iothub-connection-device-id"], "d");
  assert.is(systemProperties.other, "forged");
  assert.equal(properties, {});
});

test("the property bag: encoded names, empty values, names alone", () => {
  const { properties, system } = parseBag("$.ct=a%2Fb&%24.mid=m%201&k=&alone&%C3%A9=%26");
  assert.equal(properties, { k: "", alone: null, é: "&" });
  assert.equal(system, { "content-type": "a/b", "message-id": "m 1" });
});

test("a message counts its body and properties as they are, not as they are written", async ({
  lab,
}) => {
  assert.is(messageSize(10, parseBag("%24.mid=abc&%C3%A9=%26")), 10 + 3 + 2 + 1);
  const client = await lab.dial(lab.device("d"));
  const bag = `${EVENTS}%24.mid=abc&%20=%20%20`;
  await client.publishAsync(bag, Buffer.alloc(262_144 - 6), { qos: 1 });
  const closed = closing(client);
  client.publish(bag, Buffer.alloc(262_144 - 5), { qos: 1 });
  await closed;
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "message-too-large");
  assert.is(lab.hub.events.nextSequenceNumber, 1);
});

test("a message tells whose key let its device in", async ({ lab }) => {
  const scope = async (password: string, id = "d") => {
    const [deviceId, moduleId] = id.split("/");
    const username = `${HUB_NAME}/${id}/?api-version=2021-04-12`;
    const plain = { key: undefined, cert: undefined, clientId: id, username, password };
    const client = await lab.dial(lab.device(deviceId as string, plain));
    const module = moduleId === undefined ? "" : `/modules/${moduleId}`;
    const topic = `devices/${deviceId}${module}/messages/events/`;
    const { systemProperties } = await stored(lab, client, topic);
    return JSON.parse(systemProperties["iothub-connection-auth-method"] ?? "").scope;
  };
  lab.hub.devices.create({ deviceId: "d" });
  lab.hub.devices.create({ deviceId: "d", moduleId: "m" });
  const expiry = Math.floor(lab.clock.now() / 1000) + 60;
  const own = (id: string, path: string) => {
    const { authentication } = lab.hub.devices.get(id);
    const key = authentication.type === "sas" ? authentication.symmetricKey.secondaryKey : "";
    return createSasToken(`${HUB_NAME}/devices/${path}`, key, expiry);
  };
  const policy = (name: string) =>
    createSasToken(HUB_NAME, lab.hub.policies.find(name)?.key ?? "", expiry, name);
  assert.is(await scope(own("d", "d")), "device");
  assert.is(await scope(own("d/m", "d/modules/m"), "d/m"), "module");
  assert.is(await scope(policy("device")), "hub");
  const refused = lab.device("d", { key: undefined, cert: undefined, password: policy("service") });
  assert.equal(await refusal(lab, refused), [5, "bad-token"]);
});

test("a token for another device is refused", async ({ lab }) => {
  const { authentication } = lab.hub.devices.create({ deviceId: "k" });
  const key = authentication.type === "sas" ? authentication.symmetricKey.primaryKey : "";
  const password = createSasToken(`${HUB_NAME}/devices/other`, key, lab.clock.now() / 1000 + 60);
  const options = lab.device("k", { key: undefined, cert: undefined, password });
  assert.equal(await refusal(lab, options), [5, "bad-token"]);
  assert.match(lab.hub.refusals.list().at(-1)?.detail ?? "", "another resource");
});

test("reported properties over 32 KB are answered with 413, and the old ones stay", async ({
  lab,
}) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(TWIN);
  lab.hub.twins.patchReported("d", { old: 1 });
  const large = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [n, "x".repeat(4000)]));
  const answer = nextMessage(client, "$iothub/twin/res/");
  client.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", JSON.stringify(large));
  const { topic, text } = await answer;
  assert.is(topic, "$iothub/twin/res/413/?$rid=1");
  assert.is(JSON.parse(text).errorCode, 413001);
  assert.equal(lab.hub.twins.get("d").reported.values, { old: 1 });
});

test("a message to a device carries its properties in the topic, in the order of the hub", async ({
  lab,
}) => {
  lab.device("d");
  const expires = lab.clock.now() + 60_000;
  const system = { messageId: "m/1", correlationId: "c", userId: "u", contentType: "text/plain" };
  lab.hub.c2d.enqueue("d", {
    ...{ ...system, contentEncoding: "utf-8", ack: "full", expires },
    ...{ body: Buffer.from("x"), properties: { "a b": "ü" } },
  });
  const client = await lab.dial(lab.device("d"));
  const received = nextMessage(client, "devices/d/messages/devicebound/");
  await client.subscribeAsync(MESSAGES, { qos: 1 });
  const names = ["%24.to=%2Fdevices%2Fd%2Fmessages%2Fdevicebound", "%24.mid=m%2F1", "%24.cid=c"];
  const more = ["%24.uid=u", "%24.ct=text%2Fplain", "%24.ce=utf-8"];
  const last = ["%24.exp=2026-06-01T00%3A01%3A00.000Z", "iothub-ack=full", "a%20b=%C3%BC"];
  const bag = [...names, ...more, ...last].join("&");
  assert.is((await received).topic, `devices/d/messages/devicebound/${bag}`);
});

test("a message over QoS 0 is completed when it is sent", async ({ lab }) => {
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync(MESSAGES, { qos: 0 });
  const received = nextMessage(client, "devices/d/messages/devicebound/");
  lab.hub.c2d.enqueue("d", { body: Buffer.from("x"), ack: "full" });
  await received;
  assert.is(lab.hub.c2d.count("d"), 0);
  assert.is(lab.hub.feedback.take()?.records[0]?.statusCode, "Success");
});

test("with a clean session nothing comes before SUBSCRIBE, with a kept one at once", async ({
  lab,
}) => {
  const first = await lab.dial(lab.device("d", { clean: false }));
  await first.subscribeAsync(MESSAGES, { qos: 1 });
  await first.endAsync();
  lab.hub.c2d.enqueue("d", { body: Buffer.from("x") });
  const clean = await lab.dial(lab.device("d", { clean: true }));
  await stored(lab, clean, EVENTS);
  assert.is(lab.hub.c2d.waiting("d").length, 1);
  await clean.endAsync();
  const again = await lab.dial(lab.device("d", { clean: false }));
  await stored(lab, again, EVENTS);
  assert.is(lab.hub.c2d.waiting("d").length, 1, "the clean session has ended the kept one");
});

test("MQTT 5 is answered with return code 1", async ({ lab }) => {
  const { key, cert, username } = lab.device("d");
  const options = { host: "127.0.0.1", port: lab.port, servername: HUB_NAME, ca: CA };
  const socket = connectTls({ ...options, key: String(key), cert: String(cert) });
  await once(socket, "secureConnect");
  const connect = { cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clientId: "d" };
  socket.write(generate({ ...connect, username, clean: true, keepalive: 60 } as Packet));
  const [connack] = await once(socket, "data");
  assert.is(connack.toString("hex"), "20020001");
  await once(socket, "close");
});

test("the IP filter's first rule for an address decides", async ({ lab }) => {
  const reject = { filterName: "local", action: "Reject", ipMask: "127.0.0.0/8" };
  lab.hub.settings.change({ ipFilterRules: [reject] });
  assert.equal(await refusal(lab, lab.device("d")), [5, "ip-filter"]);
  const accept = { filterName: "me", action: "Accept", ipMask: "127.0.0.1" };
  lab.hub.settings.change({ ipFilterRules: [accept, reject] });
  assert.ok((await lab.dial(lab.device("d"))).connected);
  const other = { filterName: "others", action: "Reject", ipMask: "10.0.0.0/8" };
  lab.hub.settings.change({ ipFilterRules: [other] });
  assert.ok((await lab.dial(lab.device("e"))).connected);
});

test("a connection over the rate of new ones is closed and told as throttled", async () => {
  const limits = { tier: "S1", units: 1, enforce: true } as const;
  const lab = await startHub(undefined, { limits });
  const options = lab.device("d");
  for (let n = 0; n < 100; n++) lab.hub.limits.take("connections");
  assert.equal(await refusal(lab, options), [-1, "throttled"]);
  await lab.stop();
});

test("what a caller sends is kept as one short line among the refusals", async ({ lab }) => {
  const username = `${HUB_NAME}/\n\u0007${"x".repeat(50_000)}`;
  await refusal(lab, lab.device("d", { username, clientId: "y".repeat(50_000) }));
  const { deviceId = "", detail = "" } = lab.hub.refusals.list().at(-1) ?? {};
  assert.ok(deviceId.length < 500 && detail.length < 500);
  assert.not.ok(detail.includes("\n") || detail.includes("\u0007"));
});

test("a client that does not trust the hub's certificate is told among the refusals", async ({
  lab,
}) => {
  const ca = lab.authority.certificate;
  const socket = connectTls({ host: "127.0.0.1", port: lab.port, servername: HUB_NAME, ca });
  await once(socket, "error");
  while (lab.hub.refusals.list().length === 0) await new Promise(setImmediate);
  const { reason, detail = "" } = lab.hub.refusals.list().at(-1) ?? {};
  assert.is(reason, "tls-failed");
  assert.match(detail, "ca.pem");
});

for (const listener of ["mqtt", "https", "amqp"] as const) {
  test(`a client that speaks no TLS to ${listener} is told among the refusals`, async ({ lab }) => {
    const socket = connectTcp(lab.addresses[listener].port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\n\r\n");
    socket.resume();
    await once(socket, "close");
    const { reason, detail = "" } = lab.hub.refusals.list().at(-1) ?? {};
    assert.is(reason, "tls-failed");
    assert.match(detail, "http request");
  });
}

test("a device that does not read its acknowledgements is cut off", async ({ lab }) => {
  const { cert, username } = lab.device("d");
  const stream = new Duplex({ read() {}, write() {}, writev() {} });
  const leaf = parseCertificate(String(cert));
  createAcceptor({ hubs: [lab.hub], transportClock: lab.clock })({
    ...{ stream, address: "pipe:0", identify: () => ({ leaf, presented: [] }) },
  });
  const connect = { cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clientId: "d" };
  stream.push(generate({ ...connect, username, clean: true, keepalive: 60 } as Packet));
  const packet = { cmd: "publish", qos: 1, dup: false, retain: false, messageId: 1 };
  const many = Buffer.concat(
    Array(500).fill(generate({ ...packet, topic: EVENTS, payload: "" } as Packet)),
  );
  while (!stream.destroyed) {
    stream.push(many);
    await new Promise(setImmediate);
  }
  assert.match(lab.hub.refusals.list().at(-1)?.detail ?? "", "does not read");
  assert.ok(lab.hub.events.nextSequenceNumber < 400_000);
});

test.run();
