import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import type { OwnConnection } from "../../host-sim/hub/connections.ts";
import { createHub, type Hub } from "../../host-sim/hub/hub.ts";
import { createPeers, type Envelope, type PeerLink, type Peers } from "../../host-sim/hub/peers.ts";
import { silentLogger } from "../../host-sim/log.ts";
import { openMemoryStore } from "../../host-sim/store/index.ts";
import { HUB_NAME, makeAuthority } from "./support.ts";

/** Lines between processes that hold back what is sent until `flow`. */
function createLines() {
  const waiting: (() => void)[] = [];
  const post = (link: () => PeerLink) => (envelope: Envelope) => {
    const copy = structuredClone(envelope);
    waiting.push(() => link().receive(copy));
  };
  return {
    /** @returns ends the line */
    join(main: Peers, peer: Peers, name: string): () => void {
      let there: PeerLink | undefined;
      let here: PeerLink | undefined;
      here = main.join(
        name,
        post(() => there as PeerLink),
      );
      there = peer.join(
        "main",
        post(() => here as PeerLink),
      );
      return () => here?.down();
    },
    flow(): void {
      for (let next = waiting.shift(); next; next = waiting.shift()) next();
    },
  };
}

function device(key: string, methods: readonly string[] = ["*"]) {
  const told: string[] = [];
  const connection: OwnConnection = {
    ...{ key, methods, connectedSince: "2026-06-01T00:00:00.000Z" },
    takesMethod: (name) => methods.includes("*") || methods.includes(name),
    sendDesired: (patch) => told.push(`desired ${JSON.stringify(patch)}`),
    sendMethod: (id, name, payload) => told.push(`method ${id} ${name} ${payload}`),
    deliverMessages: () => told.push("deliver"),
    close: (reason) => told.push(`close ${reason}`),
  };
  return { connection, told };
}

/** Three processes of one hub. */
function startThree() {
  const clock = new SteppedClock(Date.UTC(2026, 5, 1));
  const store = openMemoryStore();
  const lines = createLines();
  const peers = [createPeers(), createPeers("2"), createPeers("3")] as const;
  const hubs = peers.map((each) =>
    createHub({ hostName: HUB_NAME, store, clock, logger: silentLogger, peers: each }),
  ) as [Hub, Hub, Hub];
  const ends = [lines.join(peers[0], peers[1], "2"), lines.join(peers[0], peers[2], "3")];
  hubs[0].devices.create({ deviceId: "d" });
  lines.flow();
  return { clock, hubs, lines, ends, main: peers[0] };
}

const test = suite("processes of one hub");

test("each knows who is connected to another, and reaches the device there", async () => {
  const { hubs, lines } = startThree();
  const [one, two, three] = hubs;
  const { connection, told } = device("k1");
  two.connections.add("d", connection);
  lines.flow();
  assert.equal(
    hubs.map((hub) => hub.connections.count()),
    [1, 1, 1],
  );
  assert.is(three.connections.get("d")?.connectedSince, connection.connectedSince);
  one.twins.patch("d", { desired: { a: 1 } });
  three.c2d.enqueue("d", { body: Buffer.from("hi") });
  lines.flow();
  assert.equal(told, ['desired {"a":1,"$version":2}', "deliver"]);
  two.connections.remove("d", connection);
  lines.flow();
  assert.equal(
    hubs.map((hub) => hub.connections.count()),
    [0, 0, 0],
  );
});

test("a direct method goes to the process that has the device, and its answer back", async () => {
  const { hubs, lines } = startThree();
  const [, two, three] = hubs;
  const { connection, told } = device("k1", ["reboot"]);
  two.connections.add("d", connection);
  lines.flow();
  const request = { payload: '"now"', responseTimeoutMs: 5_000, connectTimeoutMs: 0 };
  let problem = "";
  await three.connections.invoke("d", { ...request, methodName: "other" }).catch((error) => {
    problem = error.name;
  });
  assert.is(problem, "DeviceNotOnline");
  const answered = three.connections.invoke("d", { ...request, methodName: "reboot" });
  await Promise.resolve();
  lines.flow();
  const [, id = ""] = (told[0] ?? "").split(" ");
  assert.is(told[0], `method ${id} reboot "now"`);
  two.connections.answer("d", id, { status: 200, payload: "{}" });
  lines.flow();
  assert.equal(await answered, { status: 200, payload: "{}" });
});

test("a call that waits for its device hears that it came to another process", async () => {
  const { hubs, lines } = startThree();
  const [one, two] = hubs;
  const answered = one.connections.invoke("d", {
    ...{ methodName: "m", payload: "", responseTimeoutMs: 5_000, connectTimeoutMs: 60_000 },
  });
  const { connection, told } = device("k1");
  two.connections.add("d", connection);
  lines.flow();
  await new Promise(setImmediate);
  lines.flow();
  two.connections.answer("d", (told[0] ?? "").split(" ")[1] ?? "", { status: 1, payload: "" });
  lines.flow();
  assert.is((await answered).status, 1);
});

test("a device that comes again elsewhere loses the connection it had", () => {
  const { hubs, lines } = startThree();
  const [one, two, three] = hubs;
  const first = device("z");
  const second = device("a");
  two.connections.add("d", first.connection);
  lines.flow();
  three.connections.add("d", second.connection);
  lines.flow();
  assert.equal(first.told, ["close replaced"]);
  assert.equal(second.told, []);
  assert.ok(one.connections.isCurrent("d", "a"));
  assert.not.ok(one.connections.isCurrent("d", "z"));
});

test("of two connections that two processes took at the same time, all keep the same one", () => {
  const { hubs, lines } = startThree();
  const [one, two, three] = hubs;
  const first = device("a");
  const second = device("b");
  two.connections.add("d", first.connection);
  three.connections.add("d", second.connection);
  lines.flow();
  assert.equal([first.told, second.told], [["close replaced"], []]);
  for (const hub of [one, two, three]) assert.ok(hub.connections.isCurrent("d", "b"));
});

test("a process that is gone takes its devices with it, and their messages wait again", () => {
  const { hubs, lines, ends } = startThree();
  const [one, two] = hubs;
  const { connection } = device("k1");
  two.connections.add("d", connection);
  lines.flow();
  one.c2d.enqueue("d", { body: Buffer.from("hi") });
  assert.equal(
    two.c2d.deliver("d", "k1").map(({ again }) => again),
    [false],
  );
  assert.is(one.c2d.waiting("d").length, 0);
  assert.is(one.c2d.receive("d"), undefined);
  ends[0]?.();
  lines.flow();
  assert.is(one.connections.count(), 0);
  assert.is(one.c2d.waiting("d").length, 1);
  const { connection: next } = device("k2");
  one.connections.add("d", next);
  assert.equal(
    one.c2d.deliver("d", "k2").map(({ again }) => again),
    [true],
  );
});

test("a process that comes late is told who is connected", () => {
  const { hubs, lines, clock, main } = startThree();
  const [one, two] = hubs;
  one.connections.add("d", device("k1").connection);
  two.connections.add("e", device("k2").connection);
  lines.flow();
  const peers = createPeers("4");
  const { store, hostName } = one;
  const hub = createHub({ hostName, store, clock, logger: silentLogger, peers });
  lines.join(main, peers, "4");
  lines.flow();
  assert.ok(hub.connections.isCurrent("d", "k1"));
  assert.ok(hub.connections.isCurrent("e", "k2"));
});

test("numbers of messages are given once, whoever stores, and readers everywhere hear of them", async () => {
  const { hubs, lines } = startThree();
  const [one, two, three] = hubs;
  const heard: number[] = [];
  one.events.subscribe((messages) => {
    for (const { sequenceNumber } of messages) heard.push(sequenceNumber);
  });
  const message = (text: string) => ({
    sender: { deviceId: "d", annotations: {} },
    ...{ body: Buffer.from(text).toString("base64"), properties: {}, systemProperties: {} },
  });
  const turns = Array.from({ length: 20 }, async (_, turn) => {
    await Promise.all([two, three].map((hub) => hub.events.append(message(String(turn)))));
    lines.flow();
  });
  await Promise.all(turns);
  lines.flow();
  const stored = [...three.events.read()].map(({ sequenceNumber }) => sequenceNumber);
  assert.equal(
    stored,
    Array.from({ length: 40 }, (_, number) => number),
  );
  assert.equal(
    [...heard].sort((a, b) => a - b),
    stored,
  );
});

test("certificates and settings that one process changes count in all", () => {
  const { hubs, clock } = startThree();
  const [one, two] = hubs;
  assert.is(two.certificates.anchors().verified.length, 0);
  one.certificates.add("ca", makeAuthority(clock).certificate, true);
  assert.is(two.certificates.anchors().verified.length, 1);
  one.certificates.delete("ca");
  assert.is(two.certificates.anchors().verified.length, 0);
  one.settings.change({ cloudToDevice: { maxDeliveryCount: 3 } });
  assert.is(two.settings.get().maxDeliveryCount, 3);
});

test("what one process refused is listed by all", () => {
  const { hubs, lines } = startThree();
  const [one, two] = hubs;
  two.refusals.add({ deviceId: "x", address: "a:1", reason: "unknown-device", detail: "No." });
  lines.flow();
  assert.is(one.refusals.list().at(-1)?.deviceId, "x");
});

test.run();
