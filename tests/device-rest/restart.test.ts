import { connect } from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CA, REBOOT_MS, startRest } from "./support.ts";

const test = suite("restart of a device");

test("the answer comes first, then every connection ends, and nobody answers until it is up", async () => {
  const device = await startRest();
  device.clock.advance(5_000);
  const idle = connect({ host: "127.0.0.1", port: device.port, ca: CA, servername: "localhost" });
  await new Promise((resolve) => idle.once("secureConnect", resolve));
  const closed = new Promise((resolve) => idle.once("close", resolve));
  idle.on("error", () => {});
  const answer = await device.call("POST", "/restart", Buffer.from(""), {
    "content-type": "text/plain",
  });
  assert.is(answer.text, '{"restartingSystem":true}');
  await closed;
  const code = await device.get("/status").then(
    () => "answered",
    (error) => error.code,
  );
  assert.ok(["ECONNREFUSED", "ECONNRESET"].includes(code), code);
  await device.restarted();
  assert.is((await device.get("/status")).json.uptime, 0);
  await device.stop();
});

test("what is kept survives, and what is for a while does not", async () => {
  const device = await startRest();
  const { call, get } = device;
  await call("POST", "/wifi/config/networks", { ssid: "Contoso Guest", securityState: "open" });
  const wrong = { ssid: "Spherule Lab", securityState: "psk", psk: "not-the-key" };
  await call("POST", "/wifi/config/networks", wrong);
  await call("POST", "/net/proxy", {
    ...{ enabled: true, address: "proxy", port: 1, authenticationType: "anonymous" },
    noProxyAddresses: [],
  });
  await call("PATCH", "/wifi/interface", { enablePowerSavings: true });
  device.clock.advance(1_000);
  const before = (await get("/wifi/config/networks")).json.values;
  assert.is(before[1].configState, "temp-disabled");
  await call("POST", "/restart");
  await device.restarted();
  const { values } = (await get("/wifi/config/networks")).json;
  assert.is(values[0].connectionState, "connected");
  assert.is(values[1].ssid, "Spherule Lab");
  assert.is((await get("/net/proxy")).json.address, "proxy");
  assert.is((await get("/wifi/interface")).json.powerSavingsState, "enabled");
  assert.match((await get("/telemetry")).text, /Boot \(reason=restart\)/);
  await device.stop();
});

test("state outlives the process through the store", async () => {
  const first = await startRest();
  await first.call("POST", "/wifi/config/networks", { ssid: "kept", securityState: "open" });
  await first.call("PUT", "/device/manufacturing_state", { manufacturingState: "DeviceComplete" });
  await first.call("PATCH", "/net/interfaces/wlan0", { hardwareAddress: "02:00:00:00:00:07" });
  const log = (await first.get("/log")).bytes;
  await first.stop();
  const second = await startRest({ store: first.store });
  assert.is((await second.get("/wifi/config/networks/0")).json.ssid, "kept");
  assert.is(
    (await second.get("/device/manufacturing_state")).json.manufacturingState,
    "DeviceComplete",
  );
  assert.is((await second.get("/net/interfaces/wlan0")).json.hardwareAddress, "02:00:00:00:00:07");
  const kept = (await second.get("/log")).bytes;
  assert.equal(kept.subarray(0, 64), log.subarray(0, 64));
  await second.stop();
});

test("a device that is stopped while it restarts stays down", async () => {
  const device = await startRest();
  await device.call("POST", "/restart");
  await device.stop();
  device.clock.advance(REBOOT_MS * 3);
  assert.not(device.os.on);
  await device.stop();
});

test.run();
