import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LAB_NETWORK } from "../../host-sim/device/system/air.ts";
import type { DeviceError } from "../../host-sim/device/system/device-error.ts";
import { noDeviceAuth, refusal, startRest, type TestRest } from "./support.ts";

const test = suite("the network over the device REST API");
const LOCAL = { subnet: "10.9.8", internet: true };
const PROXY = {
  ...{ enabled: true, address: "proxy.contoso.com", port: 8080 },
  ...{ noProxyAddresses: ["localhost"], authenticationType: "anonymous" },
};

let device: TestRest;
test.before.each(async () => {
  device = await startRest({ factory: "lab", ethernet: true });
});
test.after.each(() => device.stop());

const interfaceOf = async (name: string) => (await device.get(`/net/interfaces/${name}`)).json;
const patch = (name: string, body: unknown) =>
  device.call("PATCH", `/net/interfaces/${name}`, body);
const invalid = (number: number) => (error: DeviceError) => error.number === number;

test("the lab's device is on its network from the first moment", async () => {
  assert.ok(device.os.network.up);
  assert.is(
    (await device.get("/net/status")).text,
    '{"deviceAuthenticationIsReady":false,"networkTimeSync":"complete","proxy":"disabled"}',
  );
  assert.is(LAB_NETWORK.ssid, (await device.get("/wifi/interface")).json.ssid);
});

test("interfaces have their keys in order", async () => {
  const { interfaces } = (await device.get("/net/interfaces")).json;
  const names = interfaces.map((one: { interfaceName: string }) => one.interfaceName);
  assert.equal(names, ["azspheresvc", "lo", "wlan0", "eth0"]);
  assert.is(
    (await device.get("/net/interfaces/azspheresvc")).text,
    '{"interfaceName":"azspheresvc","interfaceUp":true,"connectedToNetwork":false,' +
      '"ipAcquired":false,"connectedToInternet":false,"ipAddresses":["192.168.35.2"]}',
  );
  const { hardwareAddress } = await interfaceOf("wlan0");
  assert.is(
    (await device.get("/net/interfaces/wlan0")).text,
    '{"interfaceName":"wlan0","interfaceUp":true,"connectedToNetwork":true,"ipAcquired":true,' +
      `"connectedToInternet":true,"hardwareAddress":"${hardwareAddress}",` +
      '"ipAssignment":"dynamic","ipAddresses":["192.168.77.35"]}',
  );
});

test("the device tells whether it holds a certificate", async () => {
  const current = () => ({ key: "", certificate: "", notAfter: 0, tenantId: "" });
  const own = await startRest({ deviceAuth: { ...noDeviceAuth, current } });
  assert.is((await own.get("/net/status")).json.deviceAuthenticationIsReady, true);
  await own.stop();
});

test("an interface is switched off and on, and gets another hardware address", async () => {
  device.system.interfaces.setCable(LOCAL);
  assert.is((await interfaceOf("eth0")).connectedToInternet, true);
  assert.is((await patch("eth0", { interfaceUp: false })).text, "{}");
  assert.is((await interfaceOf("eth0")).interfaceUp, false);
  assert.equal((await interfaceOf("eth0")).ipAddresses, []);
  await patch("eth0", { hardwareAddress: "02:AB:00:00:00:01", interfaceUp: true });
  const { hardwareAddress, ipAddresses } = await interfaceOf("eth0");
  assert.is(hardwareAddress, "02:ab:00:00:00:01");
  assert.equal(ipAddresses, ["10.9.8.35"]);
});

for (const [name, body, status, number] of [
  ["azspheresvc", { interfaceUp: false }, 400, 31457295],
  ["lo", { hardwareAddress: "02:00:00:00:00:01" }, 400, 31457295],
  ["eth7", { interfaceUp: false }, 404, 31457294],
  ["eth0", {}, 400, 10485761],
  ["eth0", { interfaceUp: "false" }, 400, 10485761],
  ["eth0", { hardwareAddress: 1 }, 400, 10485761],
  ["eth0", { hardwareAddress: "02:00:00:00:00" }, 400, 31457286],
  ["eth0", { hardwareAddress: "03:00:00:00:00:01" }, 400, 31457286],
  ["eth0", { hardwareAddress: "00:00:00:00:00:00" }, 400, 31457286],
  ["eth0", { interfaceUp: false, hardwareAddress: "zz" }, 400, 31457286],
] as const) {
  test(`${JSON.stringify(body)} for ${name} is refused with ${number}`, async () => {
    const before = (await device.get("/net/interfaces")).text;
    assert.equal(refusal(await patch(name, body)), [status, number]);
    assert.is((await device.get("/net/interfaces")).text, before);
  });
}

test("networking is ready when some interface leads out and the time is known", async () => {
  const { interfaces, timeSync, air } = device.system;
  const heard: boolean[] = [];
  device.os.network.onChange((up) => heard.push(up));
  await patch("wlan0", { interfaceUp: false });
  assert.not(device.os.network.up);
  interfaces.setCable(LOCAL);
  assert.ok(device.os.network.up);
  interfaces.setCable({ ...LOCAL, internet: false });
  assert.not(device.os.network.up);
  await patch("wlan0", { interfaceUp: true });
  device.clock.advance(1_000);
  assert.ok(device.os.network.up);
  air.setSilent(true);
  assert.not(device.os.network.up);
  assert.equal(heard, [false, true, false, true, false]);
  assert.is(timeSync.state, "complete");
});

test("an outage of everything ends the network, and its end brings it back", async () => {
  device.os.network.setUp(false);
  assert.not(device.os.network.up);
  assert.is((await interfaceOf("wlan0")).connectedToNetwork, false);
  device.os.network.setUp(true);
  device.clock.advance(1_000);
  assert.ok(device.os.network.up);
});

test("an access point without internet connects, and networking is not ready", async () => {
  const own = await startRest();
  await own.call("POST", "/wifi/config/networks", { ssid: "Harbour Cafe", securityState: "open" });
  own.clock.advance(1_000);
  const { json } = await own.get("/net/interfaces/wlan0");
  assert.equal([json.connectedToNetwork, json.connectedToInternet], [true, false]);
  assert.not(own.os.network.up);
  assert.is((await own.get("/net/status")).json.networkTimeSync, "incomplete");
  await own.stop();
});

test("a static address is used, and leads out only on the network that it belongs to", async () => {
  const { interfaces } = device.system;
  const address = { mode: "static", mask: "255.255.255.0" } as const;
  interfaces.setIp("wlan0", { ...address, address: "192.168.77.9", gateway: "192.168.77.1" });
  const good = await interfaceOf("wlan0");
  assert.is(good.ipAssignment, "static");
  assert.equal(good.ipAddresses, ["192.168.77.9"]);
  assert.ok(good.connectedToInternet);
  interfaces.setIp("wlan0", { ...address, address: "10.0.0.9", gateway: "10.0.0.1" });
  assert.not((await interfaceOf("wlan0")).connectedToInternet);
  interfaces.setIp("wlan0", { mode: "dynamic" });
  assert.ok(device.os.network.up);
});

test("addresses that cannot be are refused", () => {
  const { interfaces, timeSync } = device.system;
  const good = { mode: "static", address: "10.0.0.9", mask: "255.255.255.0", gateway: "10.0.0.1" };
  for (const wrong of [
    ...[{ address: "10.0.0" }, { address: "10.0.0.256" }, { mask: "255.0.255.0" }],
    ...[{ gateway: "10.0.1.1" }, { gateway: "10.0.0.9" }, { mask: "0.0.0.0" }],
  ]) {
    const config = { ...good, ...wrong } as Parameters<typeof interfaces.setIp>[1];
    assert.throws(() => interfaces.setIp("wlan0", config), invalid(10485761));
  }
  assert.throws(() => interfaces.setIp("lo", { mode: "dynamic" }), invalid(31457295));
  for (const servers of [[], ["dns"], ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]]) {
    const config = { mode: "servers", servers } as const;
    assert.throws(() => interfaces.setDns(config), invalid(10485761));
  }
  for (const servers of [[], [""], ["a", "b", "c"], ["x".repeat(256)]]) {
    assert.throws(() => timeSync.configure({ enabled: true, servers }), invalid(10485761));
  }
  assert.is(interfaces.get("wlan0").ipAssignment, "dynamic");
  assert.equal(interfaces.dns, { mode: "automatic" });
});

test("name servers and time servers are kept", async () => {
  const { interfaces, timeSync } = device.system;
  interfaces.setDns({ mode: "servers", servers: ["1.1.1.1", "8.8.8.8"] });
  timeSync.configure({ enabled: false, servers: ["time.contoso.com"] });
  assert.is((await device.get("/net/status")).json.networkTimeSync, "disabled");
  const again = await startRest({ factory: "lab", store: device.store });
  assert.equal(again.system.interfaces.dns, { mode: "servers", servers: ["1.1.1.1", "8.8.8.8"] });
  assert.is(again.system.timeSync.state, "disabled");
  assert.ok(again.os.network.up);
  await again.stop();
});

test("a proxy is set, shown without its password, and removed", async () => {
  assert.is((await device.get("/net/proxy")).text, "{}");
  const basic = {
    ...PROXY,
    ...{ authenticationType: "basic", username: "me", password: "secret" },
  };
  assert.is(
    (await device.call("POST", "/net/proxy", basic)).text,
    '{"address":"proxy.contoso.com","enabled":true,"port":8080,"authenticationType":"basic",' +
      '"username":"me","password":"secret","noProxyAddresses":["localhost"]}',
  );
  assert.is(
    (await device.get("/net/proxy")).text,
    '{"address":"proxy.contoso.com","enabled":true,"port":8080,"authenticationType":"basic",' +
      '"username":"me","noProxyAddresses":["localhost"]}',
  );
  assert.is((await device.get("/net/status")).json.proxy, "ready");
  await device.call("POST", "/net/proxy", { ...PROXY, enabled: false });
  assert.is((await device.get("/net/status")).json.proxy, "disabled");
  assert.is((await device.call("DELETE", "/net/proxy")).text, "{}");
  assert.is((await device.get("/net/proxy")).text, "{}");
});

test("the password of a proxy stays for the same user at the same proxy, and for no other", async () => {
  const basic = { ...PROXY, authenticationType: "basic", username: "me" };
  const post = (body: object) => device.call("POST", "/net/proxy", body);
  await post({ ...basic, password: "secret" });
  const off = await post({ ...basic, enabled: false });
  assert.not.match(off.text, "secret");
  assert.is(off.json.enabled, false);
  assert.is(device.system.proxy.config?.password, "secret");
  for (const other of [{ address: "elsewhere" }, { port: 1 }, { username: "you" }]) {
    assert.equal(refusal(await post({ ...basic, ...other })), [400, 10485761]);
  }
  assert.is((await post(PROXY)).status, 200);
  assert.equal(refusal(await post(basic)), [400, 10485761]);
});

test("a proxy that cannot be reached yet says what it waits for", async () => {
  const state = async () => (await device.get("/net/status")).json.proxy;
  device.os.network.setUp(false);
  await device.call("POST", "/net/proxy", PROXY);
  assert.is(await state(), "resolvingProxyName");
  await device.call("POST", "/net/proxy", { ...PROXY, address: "10.0.0.1" });
  assert.is(await state(), "enabled");
});

for (const wrong of [
  ...[{ address: "" }, { address: "x".repeat(256) }, { address: 1 }, { address: "a b" }],
  ...[{ port: 0 }, { port: 65_536 }, { port: 1.5 }, { port: "80" }, { enabled: "yes" }],
  ...[{ noProxyAddresses: [1] }, { noProxyAddresses: "x" }, { authenticationType: "digest" }],
  ...[{ username: "me" }, { authenticationType: "basic", username: "me" }],
  { authenticationType: "basic", username: "x".repeat(64), password: "secret" },
  { authenticationType: "basic", username: "me", password: "x".repeat(64) },
]) {
  test(`a proxy with ${JSON.stringify(wrong).slice(0, 60)} is refused`, async () => {
    const answer = await device.call("POST", "/net/proxy", { ...PROXY, ...wrong });
    assert.equal(refusal(answer), [400, 10485761]);
    assert.is((await device.get("/net/proxy")).text, "{}");
  });
}

test("the firewall has five hooks, of which two are in use", async () => {
  const { rulesets } = (await device.get("/net/firewall/rulesets")).json;
  const inUse = rulesets.map((one: { hook: string; isValid: boolean }) => [one.hook, one.isValid]);
  assert.equal(inUse, [
    ...[
      ["PREROUTING", false],
      ["INPUT", true],
      ["FORWARD", false],
    ],
    ...[
      ["OUTPUT", true],
      ["POSTROUTING", false],
    ],
  ]);
  for (const { isValid, rules } of rulesets) {
    if (isValid) assert.is(rules.at(-1).action, "drop");
    else assert.equal(rules, []);
  }
});

test.run();
