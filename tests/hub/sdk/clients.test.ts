// deadline: 40 s
import azureCommon from "azure-iot-common";
import azureDevice from "azure-iot-device";
import azureMqtt from "azure-iot-device-mqtt";
import azureIothub from "azure-iothub";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  asOwner,
  bodyOf,
  connectDevice,
  errorOf,
  HUB_NAME,
  type RedirectedHub,
  startRedirectedHub,
} from "./support.ts";

const { NoRetry } = azureCommon;
const test = suite<{ lab: RedirectedHub }>("clients of azure-iot-device over MQTT");

test.before.each(async (context) => {
  context.lab = await startRedirectedHub();
  context.lab.hub.devices.create({ deviceId: "a" });
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

async function connectModule(lab: RedirectedHub) {
  const { authentication } =
    lab.hub.devices.find("a/m") ?? lab.hub.devices.create({ deviceId: "a", moduleId: "m" });
  const key = authentication.type === "sas" ? authentication.symmetricKey.primaryKey : "";
  const text = `HostName=${HUB_NAME};DeviceId=a;ModuleId=m;SharedAccessKey=${key}`;
  const client = azureDevice.ModuleClient.fromConnectionString(text, azureMqtt.Mqtt);
  await client.open();
  return client;
}

const until = async (holds: () => boolean | undefined) => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test("a module may listen for messages on its inputs", async ({ lab }) => {
  const client = await connectModule(lab);
  client.on("inputMessage", () => {});
  await until(() => lab.hub.refusals.list().length > 0 || isListening(lab));
  assert.equal(lab.hub.refusals.list(), []);
  await client.close();
});

function isListening(lab: RedirectedHub): boolean {
  const connection = lab.hub.connections.get("a/m") as unknown as {
    subscriptions?: ReadonlyMap<string, number>;
  };
  return connection?.subscriptions?.has("inputs") === true;
}

test("a module's output is told with its message", async ({ lab }) => {
  const client = await connectModule(lab);
  await client.sendOutputEvent("alerts", new azureDevice.Message("{}"));
  const [stored] = [...lab.hub.events.read()];
  assert.is(stored?.systemProperties.on, "alerts");
  assert.is(stored?.moduleId, "m");
  await client.close();
});

test("a direct method reaches a module, and not its device", async ({ lab }) => {
  const device = await connectDevice(lab, "a");
  const client = await connectModule(lab);
  client.onMethod("ping", (request, response) => {
    response?.send(200, { heard: request?.payload }).catch(() => {});
  });
  await until(() => lab.hub.connections.get("a/m")?.takesMethod("ping"));
  const service = azureIothub.Client.fromConnectionString(lab.connectionString);
  const call = { methodName: "ping", payload: 1, responseTimeoutInSeconds: 10 };
  const { result } = (await service.invokeDeviceMethod("a", "m", call)) as { result: unknown };
  assert.equal(result, { status: 200, payload: { heard: 1 } });
  await errorOf(service.invokeDeviceMethod("a", call));
  await client.close();
  await device.close();
});

test("a module twin hears of its desired properties", async ({ lab }) => {
  const client = await connectModule(lab);
  const twin = await client.getTwin();
  const heard = new Promise<unknown>((resolve) =>
    twin.on("properties.desired.mode", (value: unknown) => resolve(value)),
  );
  const patch = { properties: { desired: { mode: "eco" } } };
  await lab.registry.updateModuleTwin("a", "m", patch, "*");
  assert.is(await heard, "eco");
  assert.is(lab.hub.twins.get("a").desired.version, 1);
  await client.close();
});

test("a module of a disabled device is not let in, and one that is in has to go", async ({
  lab,
}) => {
  const client = await connectModule(lab);
  client.setRetryPolicy(new NoRetry());
  const gone = new Promise<void>((resolve) => client.on("disconnect", () => resolve()));
  lab.hub.devices.update({ deviceId: "a", status: "disabled" }, "*");
  await gone;
  assert.is((await errorOf(connectModule(lab))).name, "UnauthorizedError");
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "disabled-device");
  await client.close();
});

test("a second client of a device takes the place of the first", async ({ lab }) => {
  const first = await connectDevice(lab, "a");
  first.setRetryPolicy(new NoRetry());
  const gone = new Promise<void>((resolve) => first.on("disconnect", () => resolve()));
  const second = await connectDevice(lab, "a");
  await gone;
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "replaced");
  await second.sendEvent(new azureDevice.Message("1"));
  assert.is(lab.hub.events.nextSequenceNumber, 1);
  await first.close();
  await second.close();
});

test("a client without a right key is UnauthorizedError", async ({ lab }) => {
  const text = `HostName=${HUB_NAME};DeviceId=a;SharedAccessKey=QUJD`;
  const client = azureDevice.Client.fromConnectionString(text, azureMqtt.Mqtt);
  assert.is((await errorOf(client.open())).name, "UnauthorizedError");
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "bad-token");
});

test("the model that a client names is on its messages and in its twin", async ({ lab }) => {
  const { authentication } = lab.hub.devices.get("a");
  const key = authentication.type === "sas" ? authentication.symmetricKey.primaryKey : "";
  const text = `HostName=${HUB_NAME};DeviceId=a;SharedAccessKey=${key}`;
  const client = azureDevice.Client.fromConnectionString(text, azureMqtt.Mqtt);
  await client.setOptions({ modelId: "dtmi:com:example:Thermostat;1" } as never);
  await client.open();
  const message = new azureDevice.Message("1");
  message.properties.add("$.sub", "thermostat1");
  await client.sendEvent(message);
  const [stored] = [...lab.hub.events.read()];
  assert.is(stored?.systemProperties["dt-dataschema"], "dtmi:com:example:Thermostat;1");
  assert.is(stored?.systemProperties["dt-subject"], "thermostat1");
  const twin = await bodyOf<{ modelId: string }>(lab.registry.getTwin("a"));
  assert.is(twin.modelId, "dtmi:com:example:Thermostat;1");
  await client.close();
});

test("a reported patch that is refused tells the client why", async ({ lab }) => {
  const client = await connectDevice(lab, "a");
  const twin = await client.getTwin();
  const error = await new Promise<Error>((resolve) => {
    twin.properties.reported.update({ "a.b": 1 }, (problem: Error) => resolve(problem));
  });
  assert.match(error.message, "has a dot");
  assert.is(lab.hub.twins.get("a").reported.version, 1);
  await client.close();
});

test("a client that connects again reads the desired properties that it missed", async ({
  lab,
}) => {
  const first = await connectDevice(lab, "a");
  await first.getTwin();
  await first.close();
  await lab.registry.updateTwin("a", { properties: { desired: { missed: true } } }, "*");
  const second = await connectDevice(lab, "a");
  const twin = await second.getTwin();
  assert.is(twin.properties.desired.missed, true);
  assert.is(twin.properties.desired.$version, 2);
  await second.close();
});

test("a method's payloads have 128 KB each way", async ({ lab }) => {
  const device = await connectDevice(lab, "a");
  device.onDeviceMethod("echo", (request, response) => {
    response.send(200, request.payload).catch(() => {});
  });
  await until(() => lab.hub.connections.get("a")?.takesMethod("echo"));
  const call = async (size: number) => {
    const body = { methodName: "echo", payload: "x".repeat(size - 2) };
    return (await asOwner(lab, "POST", "/twins/a/methods", { body })).status;
  };
  assert.is(await call(131_072), 200);
  assert.is(await call(131_073), 413);
  await device.close();
});

for (const [field, value] of [
  ["responseTimeoutInSeconds", 4],
  ["responseTimeoutInSeconds", 301],
  ["connectTimeoutInSeconds", -1],
  ["connectTimeoutInSeconds", 301],
  ["responseTimeoutInSeconds", "soon"],
  ["methodName", ""],
] as const) {
  test(`a method call with ${field} ${JSON.stringify(value)} is 400`, async ({ lab }) => {
    const body = { methodName: "m", [field]: value };
    const answer = await asOwner(lab, "POST", "/twins/a/methods", { body });
    assert.is(answer.status, 400);
  });
}

test("over the limit of the tier the SDK gets a ThrottlingError", async () => {
  const limits = { tier: "S1", units: 1, enforce: true } as const;
  const lab = await startRedirectedHub({ limits });
  await lab.registry.create({ deviceId: "a" });
  assert.is((await errorOf(lab.registry.create({ deviceId: "b" }))).name, "ThrottlingError");
  await lab.stop();
});

test.run();
