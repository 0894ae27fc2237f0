import azureDevice, { type Message as SdkMessage } from "azure-iot-device";
import azureMqtt from "azure-iot-device-mqtt";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CA, makeLeaf, startHub } from "./support.ts";

const { Client, Message } = azureDevice;
const { Mqtt } = azureMqtt;
const test = suite("the official device SDK, unchanged");

async function connectSdk() {
  const lab = await startHub();
  const deviceId = "sdk-device";
  lab.device(deviceId);
  const { key, cert } = makeLeaf(lab.authority, deviceId, lab.clock.now());
  const client = Client.fromConnectionString(
    `HostName=localhost:${lab.port};DeviceId=${deviceId};x509=true`,
    Mqtt,
  );
  await client.setOptions({ cert, key, ca: CA });
  await client.open();
  return {
    lab,
    client,
    deviceId,
    async stop() {
      await client.close();
      await lab.stop();
    },
  };
}

test("sends telemetry with properties", async () => {
  const { lab, client, stop } = await connectSdk();
  const message = new Message('{"temperature":21.5}');
  message.contentType = "application/json";
  message.contentEncoding = "utf-8";
  message.properties.add("alarm", "no");
  await client.sendEvent(message);
  const [stored] = [...lab.hub.events.read()];
  assert.equal(stored?.properties, { alarm: "no" });
  assert.is(stored?.systemProperties["content-encoding"], "utf-8");
  await stop();
});

test("reads the twin, reports properties and hears of desired ones", async () => {
  const { lab, client, deviceId, stop } = await connectSdk();
  const twin = await client.getTwin();
  const heard = new Promise((resolve) => {
    twin.on("properties.desired", (patch) => {
      if (patch.interval !== undefined) resolve(patch.interval);
    });
  });
  await new Promise<void>((resolve, reject) =>
    twin.properties.reported.update({ serial: "A1" }, (error: Error) =>
      error ? reject(error) : resolve(),
    ),
  );
  assert.equal(lab.hub.twins.get(deviceId).reported.values, { serial: "A1" });
  while (!lab.hub.connections.get(deviceId)) await new Promise((resolve) => setImmediate(resolve));
  lab.hub.twins.patch(deviceId, { desired: { interval: 3 } });
  assert.is(await heard, 3);
  await stop();
});

test("answers a direct method", async () => {
  const { lab, client, deviceId, stop } = await connectSdk();
  client.onDeviceMethod("reboot", (request, response) => {
    response.send(202, { echoed: request.payload }).catch(() => {});
  });
  const request = { methodName: "reboot", payload: '{"in":5}', responseTimeoutMs: 5000 };
  const answer = lab.hub.connections.invoke(deviceId, { ...request, connectTimeoutMs: 60_000 });
  assert.equal(await answer, { status: 202, payload: '{"echoed":{"in":5}}' });
  await stop();
});

test("receives and completes a message from the cloud", async () => {
  const { lab, client, deviceId, stop } = await connectSdk();
  const received = new Promise<SdkMessage>((resolve) => client.on("message", resolve));
  lab.hub.c2d.enqueue(deviceId, { body: Buffer.from("hello"), properties: { k: "v" } });
  const message = await received;
  assert.is(message.getData().toString(), "hello");
  assert.is(message.properties.getValue("k"), "v");
  await client.complete(message);
  while (lab.hub.c2d.waiting(deviceId).length > 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  await stop();
});

test.run();
