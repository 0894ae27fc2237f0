// deadline: 60 s
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import {
  EventHubConsumerClient,
  earliestEventPosition,
  latestEventPosition,
  type ReceivedEventData,
} from "@azure/event-hubs";
import azureIothub from "azure-iothub";
import rhea, { type Connection, type EventContext, type Receiver, type Sender } from "rhea";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../../host-sim/clock/index.ts";
import { partitionOf } from "../../../host-sim/hub/events.ts";
import { createSasToken } from "../../../host-sim/hub/service/sas.ts";
import {
  CA,
  EVENT_HUB_NAME,
  errorOf,
  HUB_NAME,
  type RedirectedHub,
  startHub,
  startRedirectedHub,
} from "./support.ts";

const { Client } = azureIothub;
const test = suite<{ lab: RedirectedHub }>("AMQP: tokens, links and readers");

test.before.each(async (context) => {
  context.lab = await startRedirectedHub();
  context.lab.hub.devices.create({ deviceId: "a" });
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

const lastRefusal = ({ hub }: Pick<RedirectedHub, "hub">) => hub.refusals.list().at(-1);

/** A token of a policy; `change` makes it wrong. */
function tokenOf(lab: RedirectedHub, change: { expiry?: number; resource?: string; key?: string }) {
  const { expiry = 60, resource = HUB_NAME } = change;
  const key = change.key ?? lab.hub.policies.find("service")?.key ?? "";
  return createSasToken(resource, key, Math.floor(lab.clock.now() / 1000) + expiry, "service");
}

/** A bare AMQP client, for what the SDKs never do. */
async function dialAmqp(lab: RedirectedHub) {
  const container = rhea.create_container();
  const socket = connectTls({
    ...{ host: "127.0.0.1", port: lab.addresses.amqp.port, servername: HUB_NAME, ca: CA },
  });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  const connection = container.connect({
    ...{ connect: () => socket, host: HUB_NAME, username: "anonymous", reconnect: false },
  } as never) as Connection & { connected(): void };
  connection.on("connection_error", () => {});
  connection.on("disconnected", () => {});
  (connection as unknown as { connected(): void }).connected();
  await once(connection, "connection_open");
  return { connection, socket };
}

/** rhea ends its timers when it hears the end, which a destroyed socket does not tell. */
function hangUp(socket: TLSSocket): void {
  socket.emit("end");
  socket.destroy();
}

async function put(connection: Connection, token: string, operation = "put-token") {
  const receiver = connection.open_receiver("$cbs");
  const sender = connection.open_sender("$cbs");
  await once(sender, "sendable");
  sender.send({
    ...{ message_id: "1", body: token, reply_to: "$cbs" },
    application_properties: { operation, type: "servicebus.windows.net:sastoken", name: HUB_NAME },
  });
  const [{ message }] = (await once(receiver, "message")) as [EventContext];
  return message?.application_properties ?? {};
}

async function closeReason(link: Receiver | Sender): Promise<string> {
  const kind = link.is_receiver() ? "receiver" : "sender";
  link.on(`${kind}_error`, () => {});
  await once(link, `${kind}_close`);
  return (link.error as { condition: string }).condition;
}

for (const [what, change, reason] of [
  ["an expired token", { expiry: -1 }, "expired"],
  ["a token for another hub", { resource: "other.azure-devices.net" }, "another resource"],
  ["a token with a wrong signature", { key: "QUJD" }, "signature is wrong"],
] as const) {
  test(`${what} is 401, and its reason is kept with the caller's address`, async ({ lab }) => {
    const { connection, socket } = await dialAmqp(lab);
    const answer = await put(connection, tokenOf(lab, change));
    assert.is(answer["status-code"], 401);
    assert.match(lastRefusal(lab)?.detail ?? "", reason);
    assert.is(lastRefusal(lab)?.address, `127.0.0.1:${socket.localPort}`);
    hangUp(socket);
  });
}

test("no link opens before a token was put", async ({ lab }) => {
  const { connection, socket } = await dialAmqp(lab);
  const reader = connection.open_receiver("contoso/ConsumerGroups/$Default/Partitions/0");
  assert.is(await closeReason(reader), "amqp:unauthorized-access");
  const sender = connection.open_sender("/messages/devicebound");
  assert.is(await closeReason(sender), "amqp:unauthorized-access");
  assert.is(lastRefusal(lab)?.reason, "bad-token");
  assert.is((await put(connection, "x", "delete-token"))["status-code"], 501);
  hangUp(socket);
});

test("a policy that may not connect as a service is refused", async ({ lab }) => {
  const text = lab.hub.policies.connectionStringFor("registryReadWrite");
  await errorOf(Client.fromConnectionString(text).open());
  assert.match(lastRefusal(lab)?.detail ?? "", "no permission ServiceConnect");
});

test("a device that comes by AMQP is told to use another protocol", async ({ lab }) => {
  const { connection, socket } = await dialAmqp(lab);
  const token = createSasToken(`${HUB_NAME}/devices/a`, "QUJD", lab.clock.now() / 1000 + 60);
  const answer = await put(connection, token);
  assert.match(answer["status-description"], "devices use MQTT or HTTPS");
  hangUp(socket);
});

test("a connection ends with its token, unless another was put", async ({ lab }) => {
  const kept = await dialAmqp(lab);
  const left = await dialAmqp(lab);
  assert.is((await put(left.connection, tokenOf(lab, { expiry: 60 })))["status-code"], 200);
  assert.is((await put(kept.connection, tokenOf(lab, { expiry: 60 })))["status-code"], 200);
  assert.is((await put(kept.connection, tokenOf(lab, { expiry: 600 })))["status-code"], 200);
  const closed = once(left.connection, "connection_close");
  lab.clock.advance(61_000);
  await closed;
  assert.is((left.connection.error as { condition: string }).condition, "amqp:unauthorized-access");
  assert.match(lastRefusal(lab)?.detail ?? "", "expired");
  assert.ok(kept.connection.is_open());
  for (const { socket } of [kept, left]) hangUp(socket);
});

test("the IP filter turns AMQP away", async ({ lab }) => {
  const rule = { filterName: "no", action: "Reject", ipMask: "127.0.0.0/8" };
  lab.hub.settings.change({ ipFilterRules: [rule] });
  await errorOf(Client.fromConnectionString(lab.connectionString).open());
  assert.is(lastRefusal(lab)?.reason, "ip-filter");
});

function eventHub(lab: RedirectedHub, group = "$Default", entity = "contoso") {
  const { key } = lab.hub.policies.find("iothubowner") ?? {};
  const text = `Endpoint=sb://${EVENT_HUB_NAME}/;SharedAccessKeyName=iothubowner;SharedAccessKey=${key};EntityPath=${entity}`;
  return new EventHubConsumerClient(group, text, { retryOptions: { maxRetries: 0 } });
}

const SENDER = { deviceId: "a", annotations: {} };

function append(lab: RedirectedHub, text: string, systemProperties: Record<string, string> = {}) {
  const body = Buffer.from(text).toString("base64");
  return lab.hub.events.append({ sender: SENDER, body, properties: {}, systemProperties });
}

/** Reads the partition of device `a` until `count` events have come or an error has. */
async function readEvents(
  client: EventHubConsumerClient,
  count: number,
  startPosition: object = earliestEventPosition,
) {
  const events: ReceivedEventData[] = [];
  let stop: (() => Promise<void>) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const subscription = client.subscribe(
        String(partitionOf("a")),
        {
          processEvents: async (batch) => {
            events.push(...batch);
            if (events.length >= count) resolve();
          },
          processError: async (error) => reject(error),
        },
        { startPosition: startPosition as never, maxBatchSize: 1 },
      );
      stop = () => subscription.close();
    });
  } finally {
    await stop?.();
    await client.close();
  }
  return events;
}

test("@azure/event-hubs starts after an offset, and at a sequence number", async ({ lab }) => {
  for (const text of ["1", "2", "3"]) await append(lab, text);
  const [first] = await readEvents(eventHub(lab), 1);
  assert.is(first?.body, 1);
  const [second] = await readEvents(eventHub(lab), 1, { offset: String(first?.offset) });
  assert.is(second?.body, 2);
  const at = { sequenceNumber: second?.sequenceNumber, isInclusive: true };
  assert.is((await readEvents(eventHub(lab), 1, at))[0]?.body, 2);
});

test("@azure/event-hubs reads only what is new from the latest position", async ({ lab }) => {
  await append(lab, "1");
  const reading = readEvents(eventHub(lab), 1, latestEventPosition);
  // The link is open when the hub has one listener more.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await append(lab, "2");
  assert.is((await reading)[0]?.body, 2);
});

test("a consumer group has to be made before it is read", async ({ lab }) => {
  await append(lab, "1");
  const error = await errorOf(readEvents(eventHub(lab, "mine"), 1));
  assert.is((error as { code?: string }).code, "MessagingEntityNotFoundError");
  lab.hub.consumerGroups.add("mine");
  assert.is((await readEvents(eventHub(lab, "mine"), 1))[0]?.body, 1);
});

test("an entity path of another hub is not found", async ({ lab }) => {
  const client = eventHub(lab, "$Default", "other");
  const error = await errorOf(client.getEventHubProperties());
  assert.is((error as { code?: string }).code, "MessagingEntityNotFoundError");
  await client.close();
});

test("@azure/event-hubs is told of a partition that is not there", async ({ lab }) => {
  const client = eventHub(lab);
  const error = await errorOf(client.getPartitionProperties("9"));
  assert.match(error.message, "no partition 9");
  await client.close();
});

test("a reader with a higher epoch takes the partition over", async ({ lab }) => {
  await append(lab, "1");
  const handlers = (onEvent: () => void, onError: (error: Error) => void) => ({
    processEvents: async (batch: unknown[]) => {
      if (batch.length > 0) onEvent();
    },
    processError: async (error: Error) => onError(error),
  });
  const [first, second] = [eventHub(lab), eventHub(lab)];
  const partition = String(partitionOf("a"));
  const options = { startPosition: earliestEventPosition, maxBatchSize: 1 };
  let lost = (_error: Error) => {};
  const stolen = new Promise<Error & { code?: string }>((resolve) => {
    lost = resolve;
  });
  const reading = new Promise<void>((resolve) => {
    first.subscribe(
      partition,
      handlers(resolve, (error) => lost(error)),
      {
        ...{ ...options, ownerLevel: 1 },
      },
    );
  });
  await reading;
  await new Promise<void>((resolve, reject) => {
    second.subscribe(partition, handlers(resolve, reject), { ...options, ownerLevel: 2 });
  });
  assert.is((await stolen).code, "ReceiverDisconnectedError");
  await Promise.all([first.close(), second.close()]);
});

test("security messages go past the readers of the endpoint", async ({ lab }) => {
  await append(lab, "1", {
    "iothub-interface-id": "urn:azureiot:Security:SecurityAgent:1",
  });
  await append(lab, "2", { "iothub-interface-id": "urn:other" });
  assert.is((await readEvents(eventHub(lab), 1))[0]?.body, 2);
});

test("feedback that a reader did not accept comes to the next one", async ({ lab }) => {
  lab.hub.c2d.enqueue("a", { body: Buffer.from("x"), messageId: "m", ack: "full" });
  lab.hub.c2d.take("a");
  const kept = () => [...lab.hub.store.entries("hub/feedback/")].length;
  const read = async (accept: boolean) => {
    const { connection, socket } = await dialAmqp(lab);
    await put(connection, tokenOf(lab, { expiry: 3600 }));
    const source = "/messages/serviceBound/feedback";
    const receiver = connection.open_receiver({ source, autoaccept: false });
    let context: EventContext | undefined;
    receiver.on("message", (each: EventContext) => {
      context = each;
    });
    while (!context) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      lab.clock.advance(15_001);
    }
    if (accept) {
      context.delivery?.accept();
      while (kept() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // As when the reader's process dies.
    hangUp(socket);
    const { body } = context.message as unknown as { body: { content: Buffer } };
    return JSON.parse(String(body.content))[0].originalMessageId;
  };
  assert.is(await read(false), "m");
  assert.is(kept(), 1);
  assert.is(await read(true), "m");
});

test("a filter that is not known is refused", async ({ lab }) => {
  const { connection, socket } = await dialAmqp(lab);
  await put(connection, tokenOf(lab, {}));
  const text = rhea.types.wrap_described("user = 'x'", 0x468c00000004);
  const source = {
    address: "contoso/ConsumerGroups/$Default/Partitions/0",
    filter: { "apache.org:selector-filter:string": text },
  };
  assert.is(await closeReason(connection.open_receiver({ source })), "amqp:invalid-field");
  hangUp(socket);
});

test("a reader that grants credit and does not read fills no memory", async ({ lab }) => {
  const body = Buffer.alloc(150_000).toString("base64");
  const message = { sender: SENDER, body, properties: {}, systemProperties: {} };
  await Promise.all(Array.from({ length: 150 }, () => lab.hub.events.append(message)));
  const { connection, socket } = await dialAmqp(lab);
  await put(connection, tokenOf(lab, {}));
  const before = process.memoryUsage().arrayBuffers;
  const reader = connection.open_receiver({
    source: `contoso/ConsumerGroups/$Default/Partitions/${partitionOf("a")}`,
    ...{ credit_window: 0, autoaccept: true },
  });
  await once(reader, "receiver_open");
  reader.add_credit(1_000);
  socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 12_000_000, `${grown} bytes wait for a reader that does not read`);
  let come = 0;
  const all = new Promise<void>((resolve) => {
    reader.on("message", () => {
      come += 1;
      if (come === 150) resolve();
    });
  });
  socket.resume();
  await all;
  hangUp(socket);
});

test.run();

const quiet = suite("silent AMQP clients");

/** `once` would take a reset for a failure. */
const closed = (socket: Socket) =>
  new Promise<void>((resolve) => socket.once("close", () => resolve()));

quiet("who puts no token within a minute, or sends much before, is let go", async () => {
  const transportClock = new SteppedClock(0);
  const lab = await startHub(undefined, {}, transportClock);
  const dial = async () => {
    const socket = connectTcp(lab.addresses.plainAmqp.port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    socket.resume();
    return socket;
  };
  const loud = await dial();
  const giant = Buffer.from("AMQP\0\x01\0\0\x7f\xff\xff\xff\x02\0\0\0", "latin1");
  loud.write(Buffer.concat([giant, Buffer.alloc(300_000)]));
  await closed(loud);
  assert.match(lab.hub.refusals.list().at(-1)?.detail ?? "", "no token");
  const silent = await dial();
  await new Promise((resolve) => setTimeout(resolve, 50));
  transportClock.advance(60_000);
  await closed(silent);
  assert.match(lab.hub.refusals.list().at(-1)?.detail ?? "", "within 60 s");
  await lab.stop();
});

quiet.run();
