// deadline: 40 s
import { request as httpsRequest } from "node:https";
import azureDevice, { type Message as DeviceMessage } from "azure-iot-device";
import azureHttp from "azure-iot-device-http";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HubError } from "../../../host-sim/hub/errors.ts";
import { createSasToken } from "../../../host-sim/hub/service/sas.ts";
import {
  asOwner,
  CA,
  connectDevice,
  errorOf,
  HUB_NAME,
  makeLeaf,
  type RedirectedHub,
  rest,
  startRedirectedHub,
} from "./support.ts";

const test = suite<{ lab: RedirectedHub }>("azure-iot-device over HTTPS");

test.before.each(async (context) => {
  context.lab = await startRedirectedHub();
  context.lab.hub.devices.create({ deviceId: "a" });
});
test.after.each(async ({ lab }) => {
  await lab.stop();
});

const EVENTS = "/devices/a/messages/events?api-version=2021-04-12";
const DEVICEBOUND = "/devices/a/messages/devicebound";

function token(lab: RedirectedHub, change: { expiry?: number; resource?: string; key?: string }) {
  const { authentication } = lab.hub.devices.get("a");
  const own = authentication.type === "sas" ? authentication.symmetricKey.primaryKey : "";
  const { expiry = 60, resource = `${HUB_NAME}/devices/a`, key = own } = change;
  return createSasToken(resource, key, Math.floor(lab.clock.now() / 1000) + expiry);
}

const receive = (lab: RedirectedHub) =>
  rest(`${DEVICEBOUND}?api-version=2021-04-12`, token(lab, {}));

test("the client polls for a message, and completes it", async ({ lab }) => {
  lab.hub.c2d.enqueue("a", { body: Buffer.from("hi"), messageId: "m", properties: { k: "a b" } });
  const device = await connectDevice(lab, "a", azureHttp.Http);
  await device.setOptions({ http: { receivePolicy: { interval: 1 } } } as never);
  const message = await new Promise<DeviceMessage>((resolve) => device.on("message", resolve));
  assert.is(message.getData().toString(), "hi");
  assert.is(message.messageId, "m");
  assert.is(message.properties.getValue("iothub-app-k"), "a b");
  await device.complete(message as never);
  assert.is(lab.hub.c2d.count("a"), 0);
  await device.close();
});

test("reject and abandon of the client settle its message", async ({ lab }) => {
  const device = await connectDevice(lab, "a", azureHttp.Http);
  await device.setOptions({ http: { receivePolicy: { interval: 1 } } } as never);
  lab.hub.c2d.enqueue("a", { body: Buffer.from("hi"), ack: "full" });
  const message = () => new Promise<never>((resolve) => device.once("message", resolve as never));
  await device.abandon(await message());
  assert.is(lab.hub.c2d.waiting("a")[0]?.deliveryCount, 1);
  await device.reject(await message());
  assert.is(lab.hub.feedback.take()?.records[0]?.statusCode, "Rejected");
  await device.close();
});

test("a message with what HTTP cannot carry is percent-encoded, and does not stick", async ({
  lab,
}) => {
  lab.hub.c2d.enqueue("a", {
    ...{ body: Buffer.from("1"), messageId: "größe\r\nx: y", contentType: "text/plain; é" },
    properties: { "a name (é)": "ü", plain: "x=1; y" },
  });
  const { status, headers } = await receive(lab);
  assert.is(status, 200);
  assert.is(headers["iothub-messageid"], encodeURIComponent("größe\r\nx: y"));
  assert.is(headers["iothub-app-plain"], "x=1; y");
  assert.is(headers["iothub-app-a%20name%20%28%c3%a9%29"], "%C3%BC");
});

test("a message with half a character is refused before it is queued", ({ lab }) => {
  const properties = { broken: "\ud800" };
  assert.throws(
    () => lab.hub.c2d.enqueue("a", { body: Buffer.from("1"), properties }),
    (error: Error) => error.name === "ArgumentInvalid",
  );
});

test("a message to a device counts its properties among its 64 KB", ({ lab }) => {
  const properties = { name: "value" };
  lab.hub.c2d.enqueue("a", { body: Buffer.alloc(65_536 - 9), properties });
  assert.throws(
    () => lab.hub.c2d.enqueue("a", { body: Buffer.alloc(65_536 - 8), properties }),
    (error: Error) => error.name === "MessageTooLarge",
  );
});

test("the component of a message is its dt-subject", async ({ lab }) => {
  const device = await connectDevice(lab, "a", azureHttp.Http);
  const message = new azureDevice.Message("1");
  message.properties.add("dt-subject", "thermostat1");
  await device.sendEvent(message);
  const [stored] = [...lab.hub.events.read()];
  assert.is(stored?.systemProperties["dt-subject"], "thermostat1");
  assert.is(
    JSON.parse(stored?.systemProperties["iothub-connection-auth-method"] ?? "").type,
    "sas",
  );
  await device.close();
});

test("a batch is stored whole or not at all", async ({ lab }) => {
  let left = 1;
  lab.hub.limits.take = (operation) => {
    if (operation === "telemetry" && left-- <= 0) throw new HubError("ThrottlingException", "no");
  };
  const headers = { "content-type": "application/vnd.microsoft.iothub.json" };
  const body = ["1", "2"].map((text) => ({ body: Buffer.from(text).toString("base64") }));
  const answer = await rest(EVENTS, token(lab, {}), "POST", { body, headers });
  assert.is(answer.status, 429);
  await lab.hub.events.flush();
  assert.is(lab.hub.events.nextSequenceNumber, 0);
});

test("messages over 256 KB are refused, one by one and in a batch", async ({ lab }) => {
  const send = (body: unknown, headers: Record<string, string>) =>
    rest(EVENTS, token(lab, {}), "POST", { body, headers });
  const plain = { "content-type": "application/octet-stream", "iothub-app-k": "12345" };
  assert.is((await send(Buffer.alloc(262_144 - 6), plain)).status, 204);
  const large = await send(Buffer.alloc(262_144 - 5), plain);
  assert.is(large.status, 413);
  assert.is(large.headers["iothub-errorcode"], "MessageTooLarge");
  const entry = { body: Buffer.alloc(131_073).toString("base64") };
  const batch = { "content-type": "application/vnd.microsoft.iothub.json" };
  assert.is((await send([entry, entry], batch)).status, 413);
  assert.is((await send({ body: "x" }, batch)).status, 400);
  assert.is((await send([{}], batch)).status, 400);
  assert.is(lab.hub.events.nextSequenceNumber, 1);
});

for (const [what, change, detail] of [
  ["an expired token", { expiry: -1 }, "expired"],
  ["a token for another device", { resource: `${HUB_NAME}/devices/b` }, "another resource"],
  ["a token with a wrong signature", { key: "QUJD" }, "signature is wrong"],
] as const) {
  test(`${what} is 401, and its reason is kept`, async ({ lab }) => {
    const answer = await rest(EVENTS, token(lab, change), "POST", { body: "1" });
    assert.is(answer.status, 401);
    assert.is(lab.hub.refusals.list().at(-1)?.reason, "bad-token");
    assert.match(lab.hub.refusals.list().at(-1)?.detail ?? "", detail);
  });
}

test("unknown and disabled devices, and no token at all, are 401", async ({ lab }) => {
  const status = async (given: string) => {
    const { status: code } = await rest(EVENTS, given, "POST", { body: "1" });
    return [code, lab.hub.refusals.list().at(-1)?.reason];
  };
  assert.equal(await status(""), [401, "bad-token"]);
  const good = token(lab, {});
  lab.hub.devices.update({ deviceId: "a", status: "disabled" }, "*");
  assert.equal(await status(good), [401, "disabled-device"]);
  lab.hub.devices.delete("a");
  assert.equal(await status(good), [401, "unknown-device"]);
});

test("a certificate for another device is refused", async ({ lab }) => {
  lab.device("d");
  const { key, cert } = makeLeaf(lab.authority, "other", lab.clock.now());
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const outgoing = httpsRequest({
      ...{ host: "127.0.0.1", port: lab.addresses.https.port, servername: HUB_NAME, ca: CA },
      ...{ key, cert, method: "POST", agent: false, path: EVENTS.replace("/a/", "/d/") },
    });
    outgoing.on("error", reject);
    outgoing.end("1");
    outgoing.on("response", (incoming) => {
      incoming.resume();
      resolve(incoming.statusCode);
    });
  });
  assert.is(status, 401);
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "name-mismatch");
});

test("file upload is refused as not implemented, not as unauthorized", async ({ lab }) => {
  const path = "/devices/a/files?api-version=2021-04-12";
  const answer = await rest(path, token(lab, {}), "POST", { body: { blobName: "x" } });
  assert.is(answer.status, 501);
  assert.is(answer.headers["iothub-errorcode"], "NotImplemented");
  const device = await connectDevice(lab, "a", azureHttp.Http);
  const client = device as unknown as { getBlobSharedAccessSignature(name: string): Promise<void> };
  assert.ok(await errorOf(client.getBlobSharedAccessSignature("x")));
  assert.equal(lab.hub.refusals.list(), [], "the device was let in");
  await device.close();
});

for (const [method, path] of [
  ["POST", "/jobs/create"],
  ["GET", "/jobs"],
  ["GET", "/digitaltwins/a"],
  ["PATCH", "/digitaltwins/a"],
  ["POST", "/digitaltwins/a/commands/reboot"],
  ["GET", "/messages/serviceBound/filenotifications"],
  ["POST", "/twins/a/streams/ssh"],
] as const) {
  test(`${method} ${path} is refused by name, 501`, async ({ lab }) => {
    const answer = await asOwner(lab, method, path, method === "GET" ? {} : { body: {} });
    assert.is(answer.status, 501);
    assert.match(JSON.parse(answer.text).Message, /^ErrorCode:NotImplemented;/);
  });
}

test.run();
