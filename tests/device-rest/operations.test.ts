import { request } from "node:https";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEVICE_NAME } from "../../host-sim/device-rest/index.ts";
import { createRouter } from "../../host-sim/device-rest/router.ts";
import { CA, refusal, startRest } from "./support.ts";

const test = suite("the device REST API's operations");

/** All 42, as the published interface of the device lists them. */
const OPERATIONS = `
GET /abi_versions | GET /status | GET /osversion | GET /device/security_state
GET /device/capabilities | GET /device/manufacturing_state | PUT /device/manufacturing_state
POST /restart | GET /images | PUT /update/stage | POST /update/install
GET /app/status/{component} | PATCH /app/status/{component} | GET /app/quota/{component}
DELETE /app/image/{component} | GET /stats/memory/groups/applications
GET /certstore/certs | GET /certstore/certs/{id} | POST /certstore/certs/{id}
DELETE /certstore/certs/{id} | GET /certstore/space | GET /net/status | GET /net/interfaces
GET /net/interfaces/{name} | PATCH /net/interfaces/{name} | GET /net/proxy | POST /net/proxy
DELETE /net/proxy | GET /net/firewall/rulesets | GET /wifi/config/networks
POST /wifi/config/networks | GET /wifi/config/networks/{id} | PATCH /wifi/config/networks/{id}
DELETE /wifi/config/networks/{id} | GET /wifi/interface | PATCH /wifi/interface | GET /wifi/scan
GET /wifi/diagnostics/networks | GET /wifi/diagnostics/networks/{id}
GET /log | GET /telemetry | DELETE /telemetry`
  .split(/[|\n]/)
  .map((operation) => operation.trim())
  .filter((operation) => operation !== "");

const COMPONENT = "2f074b0f-d99d-4692-82d9-ef93a7d6463c";
const example = (path: string) =>
  path.replace("{component}", COMPONENT).replace("{id}", "0").replace("{name}", "wlan0");

const device = await startRest();
const { get, call } = device;
test.after(() => device.stop());

test("are 42, each of them known, and nothing else is", async () => {
  assert.is(OPERATIONS.length, 42);
  const { deviceRoutes } = await import("../../host-sim/device-rest/routes/index.ts");
  const { createDebugPorts } = await import("../../host-sim/device-rest/debug-ports.ts");
  const { applications } = device.os;
  const ports = { host: "127.0.0.1", outputPort: 0, gdbPort: 0 };
  const routes = deviceRoutes(device.os, createDebugPorts({ ...ports, applications }));
  assert.equal(Object.keys(routes).sort(), [...OPERATIONS].sort());
  for (const operation of OPERATIONS) {
    const [method = "", path = ""] = operation.split(" ");
    assert.is(createRouter(routes)(method, example(path)).route, routes[operation]);
  }
});

test("answer with the API's version, refusals too", async () => {
  for (const path of ["/status", "/nowhere", "/certstore/certs/none"]) {
    assert.is((await get(path)).headers["rest-api-version"], "4.6.0");
  }
  const other = await startRest({ rest: { apiVersion: "4.4.0" } });
  assert.is((await other.get("/status")).headers["rest-api-version"], "4.4.0");
  await other.stop();
});

test("the certificate is good for the name that official clients ask for, and for no other", async () => {
  const ask = (host: string) =>
    new Promise<string>((resolve) => {
      const sent = request(
        { host: "127.0.0.1", port: device.port, path: "/status", ca: CA, headers: { host } },
        (response) => resolve(String(response.resume().statusCode)),
      );
      sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
      sent.end();
    });
  assert.is(await ask(DEVICE_NAME), "200");
  assert.is(await ask("192.168.35.2"), "200");
  assert.is(await ask("contoso.com"), "ERR_TLS_CERT_ALTNAME_INVALID");
});

test("what the device is", async () => {
  const { deviceId } = device;
  assert.is(
    (await get("/abi_versions")).text,
    '{"SecureWorldRuntime":4,"OSRuntime":4,"ApplicationRuntime":17}',
  );
  assert.is((await get("/osversion")).text, '{"osversion":"24.06"}');
  assert.is(
    (await get("/device/security_state")).text,
    `{"securityState":"SECURE","deviceIdentifier":"${deviceId}","deviceIdentityPublicKey":"${deviceId}"}`,
  );
  assert.is((await get("/device/capabilities")).text, '{"device_capabilities":[11]}');
  assert.is(
    (await get("/device/manufacturing_state")).text,
    '{"manufacturingState":"Module1Complete"}',
  );
});

test("uptime counts seconds", async () => {
  const { uptime } = (await get("/status")).json;
  device.clock.advance(3_999);
  assert.is((await get("/status")).json.uptime, uptime + 3);
});

test("images: the components of the system with all keys in order, and of a published release", async () => {
  const { text, json } = await get("/images");
  assert.match(
    text,
    /^\{"is_ota_update_in_progress":false,"has_staged_updates":false,"restart_required":false,"components":\[\{"uid":/,
  );
  const kernel = json.components.find((one: { name: string }) => one.name === "NW Kernel");
  assert.equal(Object.keys(kernel), [
    ...["uid", "image_type", "is_update_staged", "does_image_type_require_restart"],
    ...["images", "name"],
  ]);
  assert.equal(Object.keys(kernel.images[0]), [
    ...["uid", "length_in_bytes", "uncompressed_length_in_bytes", "replica_type"],
  ]);
  assert.is(kernel.uid, "ec96028b-080b-4ff5-9ef1-b40264a8c652");
  assert.is(kernel.image_type, 7);
  const { releaseList } = await import("../../host-sim/device/system/os-release.ts");
  const pairs = new Set(
    json.components.map(
      ({ uid, images }: { uid: string; images: { uid: string }[] }) => `${uid} ${images[0]?.uid}`,
    ),
  );
  const fitting = releaseList().versions.filter(({ images }) =>
    images.every(({ cid, iid }) => pairs.has(`${cid} ${iid}`)),
  );
  assert.equal(
    fitting.map(({ name }) => name),
    ["24.06"],
  );
});

test("memory statistics are for developers", async () => {
  const { status, text } = await get("/stats/memory/groups/applications");
  assert.is(status, 200);
  assert.is(
    text,
    '{"memoryStats":{"currentMemoryUsageInBytes":0,"peakUserModeMemoryUsageInBytes":0,' +
      '"userModeMemoryUsageInBytes":0}}',
  );
});

test("error reports are there at first, have a length, and can be deleted", async () => {
  const before = await get("/telemetry");
  assert.is(before.headers["content-type"], "application/octet-stream");
  assert.ok(before.bytes.length > 5);
  assert.is(before.bytes.readUInt16BE(3), before.bytes.length - 5);
  assert.is((await call("DELETE", "/telemetry")).text, "{}");
  const after = await get("/telemetry");
  assert.is(after.bytes.length, 5);
  assert.is(after.bytes.readUInt16BE(3), 0);
});

test("an address that is not there, and a method that is not, are refused", async () => {
  assert.equal(refusal(await get("/")), [404, 15728642]);
  assert.equal(refusal(await get("/status/more")), [404, 15728642]);
  assert.equal(refusal(await get("/certstore/certs/%E0%A4%A")), [404, 15728642]);
  assert.equal(refusal(await call("PUT", "/status")), [404, 15728641]);
});

test("a body that is no JSON object, or no JSON by its media type, changes nothing", async () => {
  const path = "/wifi/config/networks";
  for (const body of ["", "{", "[]", "null", '"text"', "1"]) {
    assert.equal(refusal(await call("POST", path, body)), [400, 10485761]);
  }
  const good = { ssid: "one", securityState: "open" };
  const asText = await call("POST", path, good, { "content-type": "text/plain" });
  assert.equal(refusal(asText), [415, 10485761]);
  const tooLong = Buffer.alloc(3 * 1024 * 1024, " ");
  assert.equal(refusal(await call("POST", path, tooLong)), [400, 15728644]);
  assert.is((await get(path)).text, '{"values":[]}');
});

test("a JSON body needs no media type, and may name a character set", async () => {
  const path = "/device/manufacturing_state";
  const body = Buffer.from('{"manufacturingState":"Module1Complete"}');
  assert.is((await call("PUT", path, body)).text, "{}");
  const charset = { "content-type": "Application/JSON; charset=utf-8" };
  assert.is((await call("PUT", path, body, charset)).text, "{}");
});

test("the state of manufacturing goes one way only", async () => {
  const own = await startRest({ manufacturing: { state: "Blank", capabilities: [12] } });
  const put = (manufacturingState: unknown) =>
    own.call("PUT", "/device/manufacturing_state", { manufacturingState });
  const state = async () => (await own.get("/device/manufacturing_state")).json.manufacturingState;
  assert.is(await state(), "Blank");
  for (const wrong of ["Blank", "Unknown", "module1complete", 1, null]) {
    assert.equal(refusal(await put(wrong)), [400, 10485761]);
  }
  assert.is((await put("Module1Complete")).status, 200);
  assert.is((await put("DeviceComplete")).status, 200);
  assert.is((await put("Module1Complete")).status, 400);
  assert.is(await state(), "DeviceComplete");
  await own.stop();
});

test("a device that has left the factory without a capability is locked", async () => {
  const locked = await startRest({ manufacturing: { state: "DeviceComplete", capabilities: [] } });
  const open = ["/abi_versions", "/status", "/osversion", "/device/security_state"];
  open.push("/device/capabilities", "/device/manufacturing_state", "/net/status");
  for (const operation of OPERATIONS) {
    const [method = "", path = ""] = operation.split(" ");
    if (path.startsWith("/update/")) continue;
    const answer = await locked.call(method, example(path));
    if (open.includes(path) && method === "GET") assert.is(answer.status, 200, operation);
    else assert.equal(refusal(answer), [403, 13], operation);
  }
  locked.system.manufacturing.setCapabilities([13]);
  assert.is((await locked.get("/images")).status, 200);
  assert.equal(refusal(await locked.get("/stats/memory/groups/applications")), [403, 13]);
  await locked.stop();
});

test.run();
