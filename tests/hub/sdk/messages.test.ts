// deadline: 40 s
import {
  EventHubConsumerClient,
  earliestEventPosition,
  type ReceivedEventData,
} from "@azure/event-hubs";
import azureCommon from "azure-iot-common";
import azureDevice, { type Message as DeviceMessage } from "azure-iot-device";
import azureHttp from "azure-iot-device-http";
import azureMqtt from "azure-iot-device-mqtt";
import azureIothub from "azure-iothub";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { partitionOf } from "../../../host-sim/hub/events.ts";
import { createSasToken } from "../../../host-sim/hub/service/sas.ts";
import {
  connectDevice,
  EVENT_HUB_NAME,
  errorOf,
  HUB_NAME,
  type RedirectedHub,
  type RestAnswer,
  rest,
  startRedirectedHub,
} from "./support.ts";

const { Client, AmqpWs } = azureIothub as typeof azureIothub & { AmqpWs: never };
const { Message } = azureCommon;
const test = suite<{ lab: RedirectedHub }>("service messages and events");

test.before.each(async (context) => {
  context.lab = await startRedirectedHub();
  context.lab.hub.devices.create({ deviceId: "a" });
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

interface FeedbackReceiver {
  on(name: "message", listener: (message: { data: unknown; complete?: unknown }) => void): void;
  complete(message: unknown): Promise<unknown>;
}

function message(text: string, change: (message: InstanceType<typeof Message>) => void = () => {}) {
  const made = new Message(text);
  change(made);
  return made;
}

async function service(lab: RedirectedHub) {
  const client = Client.fromConnectionString(lab.connectionString);
  await client.open();
  return client;
}

test("a message sent over AMQP waits for the device and is completed by it", async ({ lab }) => {
  const client = await service(lab);
  await client.send(
    "a",
    message("hello", (each) => each.properties.add("urgency", "low")),
  );
  assert.is(lab.hub.c2d.count("a"), 1);
  const device = await connectDevice(lab, "a");
  const received = await new Promise<DeviceMessage>((resolve) => device.on("message", resolve));
  assert.is(received.getData().toString(), "hello");
  assert.is(received.properties.getValue("urgency"), "low");
  await device.complete(received as never);
  while (lab.hub.c2d.count("a") > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await device.close();
  await client.close();
});

test("message id, correlation id and content type reach the device", async ({ lab }) => {
  const client = await service(lab);
  await client.send(
    "a",
    message("{}", (each) => {
      each.messageId = "m-1";
      each.correlationId = "c-1";
      each.contentType = "application/json" as never;
    }),
  );
  const [queued] = lab.hub.c2d.waiting("a");
  assert.is(queued?.messageId, "m-1");
  assert.is(queued?.correlationId, "c-1");
  assert.is(queued?.contentType, "application/json");
  await client.close();
});

test("a message to an unknown device is DeviceNotFoundError", async ({ lab }) => {
  const client = await service(lab);
  assert.is((await errorOf(client.send("x", message("hi")))).name, "DeviceNotFoundError");
  await client.close();
});

test("the 51st message in a queue is refused", async ({ lab }) => {
  for (let n = 0; n < 50; n++) lab.hub.c2d.enqueue("a", { body: Buffer.from("x") });
  const client = await service(lab);
  const error = await errorOf(client.send("a", message("one too many")));
  assert.is(error.name, "DeviceMaximumQueueDepthExceededError");
  await client.close();
});

async function feedbackOf(lab: RedirectedHub, client: InstanceType<typeof Client>) {
  const receiver = await new Promise<FeedbackReceiver>((resolve, reject) =>
    client.getFeedbackReceiver((error, found) =>
      error ? reject(error) : resolve(found as unknown as FeedbackReceiver),
    ),
  );
  const batch = new Promise<Record<string, string>[]>((resolve) =>
    receiver.on("message", (each) => {
      receiver.complete(each).catch(() => {});
      resolve(JSON.parse(String(each.data)));
    }),
  );
  let come = false;
  void batch.then(() => {
    come = true;
  });
  while (!come) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    lab.clock.advance(15_001);
  }
  return batch;
}

test("feedback tells that a message was completed", async ({ lab }) => {
  const client = await service(lab);
  await client.send(
    "a",
    message("hi", (each) => {
      each.ack = "full";
      each.messageId = "m-7";
    }),
  );
  lab.hub.c2d.complete("a", lab.hub.c2d.receive("a")?.token ?? "");
  const [record] = await feedbackOf(lab, client);
  assert.is(record?.originalMessageId, "m-7");
  assert.is(record?.statusCode, "Success");
  assert.is(record?.deviceId, "a");
  assert.is(record?.deviceGenerationId, lab.hub.devices.get("a").generationId);
  while (lab.hub.feedback.take()) await new Promise((resolve) => setTimeout(resolve, 5));
  await client.close();
});

test("feedback tells that a message expired while nobody came", async ({ lab }) => {
  const client = await service(lab);
  await client.send(
    "a",
    message("hi", (each) => {
      each.ack = "negative";
      each.expiryTimeUtc = (lab.clock.now() + 60_000) as never;
    }),
  );
  lab.clock.advance(61_000);
  assert.is(lab.hub.c2d.count("a"), 0);
  const [record] = await feedbackOf(lab, client);
  assert.is(record?.statusCode, "Expired");
  await client.close();
});

test("a message without ack makes no feedback", async ({ lab }) => {
  const client = await service(lab);
  await client.send("a", message("hi"));
  lab.hub.c2d.complete("a", lab.hub.c2d.receive("a")?.token ?? "");
  assert.is(lab.hub.feedback.take(), undefined);
  await client.close();
});

test("purged messages are counted and told", async ({ lab }) => {
  lab.hub.c2d.enqueue("a", { body: Buffer.from("1"), ack: "full" });
  lab.hub.c2d.enqueue("a", { body: Buffer.from("2") });
  assert.is((await purge(lab)).totalMessagesPurged, 2);
  assert.is(lab.hub.feedback.take()?.records[0]?.statusCode, "Purged");
});

async function purge(lab: RedirectedHub): Promise<{ totalMessagesPurged: number }> {
  const { key = "" } = lab.hub.policies.find("service") ?? {};
  const token = createSasToken(HUB_NAME, key, lab.clock.now() / 1000 + 60, "service");
  const path = "/devices/a/commands?api-version=2021-04-12";
  return JSON.parse((await rest(path, token, "DELETE")).text);
}

test("a service client with a wrong key is refused before it may send", async ({ lab }) => {
  const text = `HostName=${HUB_NAME};SharedAccessKeyName=service;SharedAccessKey=QUJD`;
  const error = await errorOf(Client.fromConnectionString(text).open());
  assert.ok(error);
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "bad-token");
});

test("the service client works over WebSocket", async ({ lab }) => {
  const client = Client.fromConnectionString(lab.connectionString, AmqpWs);
  await client.open();
  await client.send("a", message("over 443"));
  assert.is(lab.hub.c2d.count("a"), 1);
  await client.close();
});

test("a device sends telemetry over MQTT on WebSocket", async ({ lab }) => {
  const device = await connectDevice(lab, "a", azureMqtt.MqttWs);
  await device.sendEvent(new azureDevice.Message('{"t":1}'));
  assert.is([...lab.hub.events.read()].length, 1);
  await device.close();
});

test("a device sends telemetry with properties over HTTPS", async ({ lab }) => {
  const device = await connectDevice(lab, "a", azureHttp.Http);
  const sent = new azureDevice.Message('{"t":1}');
  sent.properties.add("alarm", "no");
  sent.messageId = "m1";
  sent.contentType = "application/json";
  await device.sendEvent(sent);
  const [stored] = [...lab.hub.events.read()];
  assert.equal(stored?.properties, { alarm: "no" });
  assert.is(stored?.systemProperties["message-id"], "m1");
  await device.close();
});

test("a device sends a batch over HTTPS", async ({ lab }) => {
  const device = await connectDevice(lab, "a", azureHttp.Http);
  const batch = ["1", "2", "3"].map((text) => new azureDevice.Message(text));
  await device.sendEventBatch(batch);
  const bodies = [...lab.hub.events.read()].map((each) =>
    Buffer.from(each.body, "base64").toString(),
  );
  assert.equal(bodies, ["1", "2", "3"]);
  await device.close();
});

function deviceToken(lab: RedirectedHub, lifeSeconds = 3600): string {
  const { authentication } = lab.hub.devices.get("a");
  const key = authentication.type === "sas" ? authentication.symmetricKey.primaryKey : "";
  return createSasToken(
    `${HUB_NAME}/devices/a`,
    key,
    Math.floor(lab.clock.now() / 1000) + lifeSeconds,
  );
}

function devicebound(lab: RedirectedHub, path = "", method = "GET") {
  const at = path.includes("?") ? "&" : "?";
  const url = `/devices/a/messages/devicebound${path}${at}api-version=2021-04-12`;
  return rest(url, deviceToken(lab), method);
}

const lockOf = (answer: RestAnswer) => (answer.headers.etag ?? "").replace(/"/g, "");

test("a message fetched over HTTPS is locked, and gone when completed", async ({ lab }) => {
  lab.hub.c2d.enqueue("a", { body: Buffer.from("hi"), properties: { k: "v" } });
  const answer = await devicebound(lab);
  assert.is(answer.text, "hi");
  assert.is(answer.headers["iothub-app-k"], "v");
  assert.is((await devicebound(lab)).status, 204);
  assert.is((await devicebound(lab, `/${lockOf(answer)}`, "DELETE")).status, 204);
  assert.is(lab.hub.c2d.count("a"), 0);
});

test("a lock ends after a minute, and the delivery count stays", async ({ lab }) => {
  lab.hub.c2d.enqueue("a", { body: Buffer.from("hi") });
  const stale = lockOf(await devicebound(lab));
  lab.clock.advance(60_001);
  const again = await devicebound(lab);
  assert.is(again.headers["iothub-deliverycount"], "0");
  assert.is((await devicebound(lab, `/${stale}`, "DELETE")).status, 412);
});

test("a message that is abandoned ten times is dead-lettered", async ({ lab }) => {
  lab.hub.c2d.enqueue("a", { body: Buffer.from("hi"), ack: "negative" });
  for (let n = 0; n < 10; n++) {
    const answer = await devicebound(lab);
    assert.is(answer.headers["iothub-deliverycount"], String(n));
    await devicebound(lab, `/${lockOf(answer)}/abandon`, "POST");
  }
  assert.is((await devicebound(lab)).status, 204);
  assert.is(lab.hub.feedback.take()?.records[0]?.statusCode, "DeliveryCountExceeded");
});

test("a message that is rejected is told as Rejected", async ({ lab }) => {
  lab.hub.c2d.enqueue("a", { body: Buffer.from("hi"), ack: "full" });
  const answer = await devicebound(lab);
  await devicebound(lab, `/${lockOf(answer)}?reject`, "DELETE");
  assert.is(lab.hub.feedback.take()?.records[0]?.statusCode, "Rejected");
});

test("a token of another device is refused over HTTPS", async ({ lab }) => {
  lab.hub.devices.create({ deviceId: "b" });
  const answer = await rest(
    "/devices/b/messages/devicebound?api-version=2021-04-12",
    deviceToken(lab),
  );
  assert.is(answer.status, 401);
});

function eventHub(lab: RedirectedHub, host = EVENT_HUB_NAME, more = "") {
  const { key } = lab.hub.policies.find("iothubowner") ?? {};
  const text = `Endpoint=sb://${host}/;SharedAccessKeyName=iothubowner;SharedAccessKey=${key};EntityPath=contoso${more}`;
  return new EventHubConsumerClient("$Default", text);
}

function append(lab: RedirectedHub, text: string, deviceId = "a") {
  return lab.hub.events.append({
    sender: { deviceId, annotations: { "iothub-connection-device-id": deviceId } },
    body: Buffer.from(text).toString("base64"),
    properties: { kind: "test" },
    systemProperties: { "content-type": "application/json", "message-id": "m" },
  });
}

/** Reads events until `count` have come. */
async function readEvents(
  client: EventHubConsumerClient,
  count: number,
  startPosition: object = earliestEventPosition,
) {
  const events: ReceivedEventData[] = [];
  let stop: (() => void) | undefined;
  const done = new Promise<void>((resolve, reject) => {
    const subscription = client.subscribe(
      {
        processEvents: async (batch) => {
          events.push(...batch);
          if (events.length >= count) resolve();
        },
        processError: async (error) => reject(error),
      },
      { startPosition: startPosition as never, maxBatchSize: 1 },
    );
    stop = () => void subscription.close();
  });
  await done;
  stop?.();
  await client.close();
  return events;
}

test("@azure/event-hubs reads hub and partition properties", async ({ lab }) => {
  await append(lab, "1");
  const client = eventHub(lab);
  const properties = await client.getEventHubProperties();
  assert.equal(properties.partitionIds, ["0", "1", "2", "3"]);
  const partition = await client.getPartitionProperties(String(partitionOf("a")));
  assert.is(partition.lastEnqueuedSequenceNumber, 0);
  assert.is(partition.isEmpty, false);
  await client.close();
});

test("@azure/event-hubs reads telemetry with its properties", async ({ lab }) => {
  await append(lab, '{"t":21.5}');
  const [event] = await readEvents(eventHub(lab), 1);
  assert.equal(event?.body, { t: 21.5 });
  assert.equal(event?.properties, { kind: "test" });
  assert.is(event?.systemProperties?.["iothub-connection-device-id"], "a");
  assert.is(event?.contentType, "application/json");
});

test("@azure/event-hubs follows what comes later, in order", async ({ lab }) => {
  const client = eventHub(lab);
  const reading = readEvents(client, 3);
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (const text of ["1", "2", "3"]) append(lab, text);
  assert.equal(
    (await reading).map((event) => event.body),
    [1, 2, 3],
  );
});

test("@azure/event-hubs starts after a sequence number", async ({ lab }) => {
  for (const text of ["1", "2", "3"]) append(lab, text);
  const events = await readEvents(eventHub(lab), 1, { sequenceNumber: 1 });
  assert.is(events[0]?.body, 3);
});

test("@azure/event-hubs starts at a time", async ({ lab }) => {
  await append(lab, "1");
  lab.clock.advance(10_000);
  const enqueuedOn = new Date(lab.clock.now() - 5_000);
  await append(lab, "2");
  const events = await readEvents(eventHub(lab), 1, { enqueuedOn });
  assert.is(events[0]?.body, 2);
});

test("@azure/event-hubs reads plain AMQP with UseDevelopmentEmulator", async ({ lab }) => {
  await append(lab, "1");
  const port = lab.addresses.plainAmqp.port;
  const client = eventHub(lab, `localhost:${port}`, ";UseDevelopmentEmulator=true");
  assert.is((await readEvents(client, 1))[0]?.body, 1);
});

test("@azure/event-hubs with a wrong key is refused", async ({ lab }) => {
  const text = `Endpoint=sb://${EVENT_HUB_NAME}/;SharedAccessKeyName=iothubowner;SharedAccessKey=QUJD;EntityPath=contoso`;
  const client = new EventHubConsumerClient("$Default", text, { retryOptions: { maxRetries: 0 } });
  const error = await errorOf(client.getEventHubProperties());
  assert.match(`${error.name} ${error.message}`, /signature is wrong|Unauthorized/);
  await client.close();
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "bad-token");
});

test("a module client of the device SDK sends telemetry and has its own twin", async ({ lab }) => {
  const module = lab.hub.devices.create({ deviceId: "a", moduleId: "m" });
  const { authentication } = module;
  const key = authentication.type === "sas" ? authentication.symmetricKey.primaryKey : "";
  const client = azureDevice.ModuleClient.fromConnectionString(
    `HostName=${HUB_NAME};DeviceId=a;ModuleId=m;SharedAccessKey=${key}`,
    azureMqtt.Mqtt,
  );
  await client.open();
  await client.sendEvent(new azureDevice.Message("{}"));
  const [stored] = [...lab.hub.events.read()];
  assert.is(stored?.systemProperties["iothub-connection-module-id"], "m");
  const twin = await client.getTwin();
  await new Promise<unknown>((resolve) => {
    twin.properties.reported.update({ v: 1 }, (error: Error) => resolve(error));
  });
  assert.equal(lab.hub.twins.get("a/m").reported.values, { v: 1 });
  await client.close();
});

test("a device whose token expires is disconnected", async ({ lab }) => {
  const password = deviceToken(lab, 60);
  const client = await lab.dial({ ...lab.device("a"), cert: undefined, key: undefined, password });
  const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
  lab.clock.advance(61_000);
  await closed;
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "bad-token");
});

test.run();
