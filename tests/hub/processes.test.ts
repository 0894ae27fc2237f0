import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connect,
  type IClientOptions,
  type IConnackPacket,
  type IPublishPacket,
  type MqttClient,
} from "mqtt";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RealClock } from "../../host-sim/clock/index.ts";
import { createHub, type Hub } from "../../host-sim/hub/hub.ts";
import { createListeners } from "../../host-sim/hub/listeners.ts";
import { createHubPool } from "../../host-sim/hub/processes/pool.ts";
import { silentLogger } from "../../host-sim/log.ts";
import { openFolderStore } from "../../host-sim/store/index.ts";
import { CA, credentials, DPS_NAME, HUB_NAME, makeAuthority, makeLeaf } from "./support.ts";

/** A hub whose second process listens on a port of its own, so that tests can choose. */
async function startTwo() {
  const folder = mkdtempSync(join(tmpdir(), "spherule-processes-"));
  const store = openFolderStore(folder);
  const clock = new RealClock();
  const logger = silentLogger;
  const pool = createHubPool({
    ...{ storeFolder: folder, hostName: HUB_NAME, dpsHostName: DPS_NAME, credentials },
    ...{ count: 1, clock, logger },
  });
  const hub = createHub({ hostName: HUB_NAME, store, clock, logger, peers: pool.peers });
  const authority = makeAuthority(clock);
  hub.certificates.add("ca", authority.certificate, true);
  const listeners = createListeners({ hub, host: "127.0.0.1", credentials });
  const { mqtt } = await listeners.start();
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await pool.start(server);
  // Only the other process is left to accept there.
  server.close();
  const clients: MqttClient[] = [];

  async function dial(deviceId: string, at: number, more: IClientOptions = {}) {
    if (!hub.devices.find(deviceId)) {
      hub.devices.create({ deviceId, authentication: { type: "certificateAuthority" } });
    }
    const client = connect({
      ...{ host: "127.0.0.1", port: at, protocol: "mqtts", servername: HUB_NAME, ca: CA },
      ...makeLeaf(authority, deviceId, clock.now() - 60_000),
      ...{ clientId: deviceId, username: `${HUB_NAME}/${deviceId}/?api-version=2021-04-12` },
      ...{ clean: true, reconnectPeriod: 0, protocolVersion: 4 },
      ...more,
    } as IClientOptions);
    clients.push(client);
    const received: IPublishPacket[] = [];
    client.on("message", (_topic, _payload, packet) => received.push(packet));
    const connack = await new Promise<IConnackPacket>((resolve) => client.once("connect", resolve));
    return { client, received, sessionPresent: connack.sessionPresent };
  }

  return {
    ...{ hub, pool, clock, dial },
    ports: { own: mqtt.port, other: port },
    async stop() {
      for (const client of clients) client.end(true);
      await Promise.all([pool.stop(), listeners.stop()]);
      await hub.stop();
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

type Two = Awaited<ReturnType<typeof startTwo>>;

/** Waits until what two processes have to agree on has come about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const heard = (client: MqttClient, event: "close" | "error") =>
  new Promise<void>((resolve) => client.once(event, () => resolve()));
const isConnected = (hub: Hub, id: string) => hub.connections.get(id) !== undefined;
const test = suite<{ lab: Two }>("a hub of two processes");

test.before.each(async (context) => {
  context.lab = await startTwo();
});
test.after.each(({ lab }) => lab.stop());

test("telemetry of both is one stream, in order for each device", async ({ lab }) => {
  const { hub, ports } = lab;
  const heard: string[] = [];
  hub.events.subscribe((messages) => {
    for (const { deviceId, body } of messages) {
      heard.push(`${deviceId}${Buffer.from(body, "base64")}`);
    }
  });
  const places = { a: ports.own, b: ports.other, c: ports.other };
  await Promise.all(
    Object.entries(places).map(async ([id, port]) => {
      const { client } = await lab.dial(id, port);
      const sent = Array.from({ length: 200 }, (_, number) =>
        client.publishAsync(`devices/${id}/messages/events/`, String(number), { qos: 1 }),
      );
      await Promise.all(sent);
    }),
  );
  await until(() => heard.length === 600);
  const stored = [...hub.events.read()];
  assert.equal(
    stored.map(({ sequenceNumber }) => sequenceNumber),
    Array.from({ length: 600 }, (_, number) => number),
  );
  const inOrder = Array.from({ length: 200 }, (_, number) => String(number));
  for (const id of ["a", "b", "c"]) {
    const own = stored.filter(({ deviceId }) => deviceId === id);
    assert.equal(
      own.map(({ body }) => Buffer.from(body, "base64").toString()),
      inOrder,
    );
    assert.equal(
      heard.filter((text) => text.startsWith(id)),
      inOrder.map((number) => id + number),
    );
  }
});

test("a service reaches a device that is connected to the other process", async ({ lab }) => {
  const { hub, ports } = lab;
  const { client } = await lab.dial("d", ports.other, { clean: false });
  const messages = new Map<string, string>();
  client.on("message", (topic, payload) => {
    messages.set(topic.replace(/\?.*|%.*/, ""), payload.toString());
    const method = /^\$iothub\/methods\/POST\/reboot\/\?\$rid=(.*)$/.exec(topic);
    if (method) client.publish(`$iothub/methods/res/207/?$rid=${method[1]}`, '"done"');
  });
  const topics = [
    "devices/d/messages/devicebound/#",
    "$iothub/methods/POST/#",
    "$iothub/twin/PATCH/properties/desired/#",
  ];
  await client.subscribeAsync(topics, { qos: 1 });
  await until(() => hub.connections.get("d")?.takesMethod("reboot") ?? false);
  const answer = await hub.connections.invoke("d", {
    ...{ methodName: "reboot", payload: "1", responseTimeoutMs: 30_000, connectTimeoutMs: 0 },
  });
  assert.equal(answer, { status: 207, payload: '"done"' });
  hub.twins.patch("d", { desired: { on: true } });
  hub.c2d.enqueue("d", { body: Buffer.from("hello"), ack: "full" });
  await until(() => messages.size === 3 && hub.c2d.count("d") === 0);
  assert.is(messages.get("$iothub/twin/PATCH/properties/desired/"), '{"on":true,"$version":2}');
  assert.is(messages.get("devices/d/messages/devicebound/"), "hello");
  assert.is(hub.feedback.take()?.records[0]?.statusCode, "Success");
  hub.devices.update({ deviceId: "d", status: "disabled" }, "*");
  await heard(client, "close");
  await until(() => !isConnected(hub, "d"));
  assert.is(hub.refusals.list().at(-1)?.reason, "disabled-device");
});

test("a device moves from one process to the other with its session and messages", async ({
  lab,
}) => {
  const { hub, ports } = lab;
  const first = await lab.dial("d", ports.other, { clean: false });
  // No PUBACK goes out: the device leaves before it has answered.
  first.client.handleMessage = () => {};
  assert.is(first.sessionPresent, false);
  await first.client.subscribeAsync("devices/d/messages/devicebound/#", { qos: 1 });
  await until(() => isConnected(hub, "d"));
  hub.c2d.enqueue("d", { body: Buffer.from("kept") });
  await until(() => first.received.length === 1);
  assert.is(hub.c2d.waiting("d").length, 0);
  const closed = heard(first.client, "close");
  const second = await lab.dial("d", ports.own, { clean: false });
  assert.ok(second.sessionPresent);
  await until(() => second.received.length === 1);
  assert.is(second.received[0]?.dup, true);
  await closed;
  await until(() => hub.c2d.count("d") === 0);
  assert.is(hub.connections.count(), 1);
});

test("the lab's clock moves in both", async ({ lab }) => {
  const { hub, ports, clock } = lab;
  clock.jump(3 * 86_400_000);
  const client = connect({
    ...{ host: "127.0.0.1", port: ports.other, protocol: "mqtts", servername: HUB_NAME, ca: CA },
    ...{ clientId: "x", username: `${HUB_NAME}/x/?api-version=2021-04-12`, reconnectPeriod: 0 },
  } as IClientOptions);
  await heard(client, "error");
  await until(() => hub.refusals.list().length === 1);
  const [refusal] = hub.refusals.list();
  assert.ok(Math.abs(Date.parse(refusal?.time ?? "") - clock.now()) < 60_000);
});

test("a killed process takes its connections with it, and the hub goes on", async ({ lab }) => {
  const { hub, pool, ports } = lab;
  const { client } = await lab.dial("d", ports.other);
  await until(() => isConnected(hub, "d"));
  const closed = heard(client, "close");
  for (const pid of pool.processIds()) process.kill(pid, "SIGKILL");
  await closed;
  await until(() => !isConnected(hub, "d"));
  const { client: next } = await lab.dial("d", ports.own);
  await next.publishAsync("devices/d/messages/events/", "still here", { qos: 1 });
  assert.is([...hub.events.read()].length, 1);
});

test.run();
