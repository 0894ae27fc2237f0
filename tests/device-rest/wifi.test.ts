import { suite } from "uvu";
import * as assert from "uvu/assert";
import { enterpriseWifi } from "../../host-sim/device/system/enterprise.ts";
import { openMemoryStore } from "../../host-sim/store/index.ts";
import { refusal, startRest, type TestRest } from "./support.ts";

const test = suite("Wi-Fi over the device REST API");
const JOINED_MS = 250;
const NETWORKS = "/wifi/config/networks";
const LAB = { ssid: "Spherule Lab", securityState: "psk", psk: "spherule-lab" };

let device: TestRest;
test.before.each(async () => {
  device = await startRest();
});
test.after.each(() => device.stop());

const add = async (network: object) => {
  const answer = await device.call("POST", NETWORKS, network);
  device.clock.advance(JOINED_MS);
  return answer;
};
const network = async (id: number) => (await device.get(`${NETWORKS}/${id}`)).json;
const diagnosis = async (id: number) => (await device.get(`/wifi/diagnostics/networks/${id}`)).json;

test("a network is added, gets the lowest free id, and connects", async () => {
  const added = await add(LAB);
  assert.is(added.status, 201);
  assert.is(
    added.text,
    '{"ssid":"Spherule Lab","configState":"enabled","connectionState":"unknown","id":0,' +
      '"securityState":"psk","targetedScan":false}',
  );
  assert.is((await network(0)).connectionState, "connected");
  assert.is((await add({ ssid: "b", securityState: "open" })).json.id, 1);
  assert.is((await add({ ssid: "b", securityState: "open", configName: "b" })).json.id, 2);
  assert.is((await device.call("DELETE", `${NETWORKS}/1`)).text, "{}");
  assert.is((await add({ ssid: "c", securityState: "open" })).json.id, 1);
  const ids = (await device.get(NETWORKS)).json.values.map(({ id }: { id: number }) => id);
  assert.equal(ids, [0, 1, 2]);
});

test("the interface tells what it is connected to, and that nothing is configured", async () => {
  const none = (await device.get("/wifi/interface")).json;
  const { address } = none;
  assert.equal(none, {
    ...{ configState: "unknown", connectionState: "disconnected", securityState: "unknown" },
    ...{ mode: "station", key_mgmt: "UNKNOWN", wpa_state: "INACTIVE", address, id: -1 },
    powerSavingsState: "disabled",
  });
  await device.call("POST", NETWORKS, { ...LAB, configName: "lab" });
  assert.is((await device.get("/wifi/interface")).json.wpa_state, "SCANNING");
  device.clock.advance(JOINED_MS);
  assert.is(
    (await device.get("/wifi/interface")).text,
    '{"configName":"lab","configState":"enabled","connectionState":"connected",' +
      '"securityState":"psk","mode":"station","key_mgmt":"WPA2-PSK","wpa_state":"COMPLETED",' +
      `"address":"${address}","freq":5220,"ip_address":"192.168.77.35","id":0,` +
      '"ssid":"Spherule Lab","powerSavingsState":"disabled"}',
  );
});

test("a scan hears what is not hidden, strongest first", async () => {
  const { values } = (await device.get("/wifi/scan")).json;
  assert.equal(Object.keys(values[0]), ["bssid", "freq", "signal_level", "ssid", "securityState"]);
  assert.is(values[0].ssid, "Spherule Lab");
  const names = values.map(({ ssid }: { ssid: string }) => ssid);
  assert.not(names.includes("Hidden Attic"));
  assert.equal(new Set(values.map((one: { securityState: string }) => one.securityState)).size, 3);
});

test("a hidden network is joined by a targeted scan only, by either name of the field", async () => {
  const hidden = { ssid: "Hidden Attic", securityState: "psk", psk: "in-the-attic" };
  await add(hidden);
  assert.is((await network(0)).connectionState, "disconnected");
  assert.is((await diagnosis(0)).error, "NetworkNotFound");
  await add({ ...hidden, targetScan: true });
  assert.is((await network(1)).targetedScan, true);
  assert.is((await network(1)).connectionState, "connected");
  await device.call("DELETE", `${NETWORKS}/1`);
  await add({ ...hidden, targetedScan: true });
  assert.is((await network(1)).connectionState, "connected");
});

test("a wrong key is diagnosed, tried no more, and mended by the right one", async () => {
  await add({ ...LAB, psk: "not-the-key" });
  const failure = await device.get("/wifi/diagnostics/networks/0");
  assert.is(
    failure.text,
    '{"timestamp":"2026-06-01t00:00:00+0000","networkId":0,"ssid":"Spherule Lab",' +
      '"error":"WrongKey","configState":"temp-disabled","connectionState":"disconnected"}',
  );
  const { values } = (await device.get("/wifi/diagnostics/networks")).json;
  assert.equal(values, [failure.json]);
  assert.is((await device.call("PATCH", `${NETWORKS}/0`, { psk: LAB.psk })).status, 200);
  device.clock.advance(JOINED_MS);
  assert.is((await network(0)).connectionState, "connected");
  assert.equal((await device.get("/wifi/diagnostics/networks")).json, { values: [] });
});

test("what is disabled for a while is tried again after a reload", async () => {
  await add({ ...LAB, psk: "not-the-key" });
  const air = device.system.air.accessPoints.map((one) =>
    one.ssid === LAB.ssid ? { ...one, psk: "not-the-key" } : one,
  );
  device.system.air.set(air);
  device.clock.advance(JOINED_MS);
  assert.is((await network(0)).configState, "temp-disabled");
  assert.is((await device.call("PATCH", "/wifi/interface", { reloadConfig: true })).text, "{}");
  device.clock.advance(JOINED_MS);
  assert.is((await network(0)).connectionState, "connected");
});

test("a network that is not there and one of another security are told apart", async () => {
  await add({ ssid: "nobody", securityState: "open" });
  await add({ ssid: LAB.ssid, securityState: "open" });
  assert.is((await diagnosis(0)).error, "NetworkNotFound");
  assert.is((await diagnosis(1)).error, "SecurityTypeMismatch");
});

test("a network is disabled, enabled and forgotten", async () => {
  await add(LAB);
  const off = await device.call("PATCH", `${NETWORKS}/0`, { configState: "disabled" });
  assert.is(off.json.configState, "disabled");
  assert.is(off.json.connectionState, "disconnected");
  assert.not(device.os.network.up);
  await device.call("PATCH", `${NETWORKS}/0`, { configState: "enabled" });
  device.clock.advance(JOINED_MS);
  assert.ok(device.os.network.up);
  await device.call("DELETE", `${NETWORKS}/0`);
  assert.not(device.os.network.up);
  assert.equal(refusal(await device.get(`${NETWORKS}/0`)), [404, 13631491]);
});

test("the strongest network that lets the device in is joined; the next one when it goes", async () => {
  await add({ ssid: "Contoso Guest", securityState: "open", configState: "disabled" });
  await add({ ssid: "Harbour Cafe", securityState: "open" });
  await device.call("PATCH", `${NETWORKS}/0`, { configState: "enabled" });
  await device.call("PATCH", `${NETWORKS}/1`, { configState: "disabled" });
  await device.call("PATCH", `${NETWORKS}/1`, { configState: "enabled" });
  device.clock.advance(JOINED_MS);
  assert.is((await network(0)).connectionState, "connected");
  device.system.air.set(
    device.system.air.accessPoints.filter(({ ssid }) => ssid !== "Contoso Guest"),
  );
  assert.is((await network(0)).connectionState, "disconnected");
  device.clock.advance(JOINED_MS);
  assert.is((await network(1)).connectionState, "connected");
});

for (const [what, body, number] of [
  ["no name", { securityState: "open" }, 10485761],
  ["an empty name", { ssid: "", securityState: "open" }, 13631496],
  ["a name of 33 bytes", { ssid: `${"é".repeat(16)}x`, securityState: "open" }, 13631503],
  ["no security", { ssid: "a" }, 10485761],
  ["unknown security", { ssid: "a", securityState: "wep" }, 10485761],
  ["no key", { ssid: "a", securityState: "psk" }, 13631513],
  ["a key of 7", { ssid: "a", securityState: "psk", psk: "1234567" }, 13631513],
  ["a key of 64", { ssid: "a", securityState: "psk", psk: "x".repeat(64) }, 13631504],
  ["a key that is a number", { ssid: "a", securityState: "psk", psk: 12345678 }, 10485761],
  ["a key for an open network", { ssid: "a", securityState: "open", psk: "12345678" }, 13631496],
  ["a name of 17", { ssid: "a", securityState: "open", configName: "x".repeat(17) }, 10485776],
  ["a state of its own", { ssid: "a", securityState: "open", configState: "maybe" }, 10485761],
  ["a scan that is a text", { ssid: "a", securityState: "open", targetedScan: "yes" }, 10485761],
  ["EAP-TLS without a certificate", { ssid: "a", securityState: "eaptls" }, 13631512],
  [
    "a certificate id of 17",
    { ssid: "a", securityState: "eaptls", clientCertStoreIdentifier: "x".repeat(17) },
    10485772,
  ],
] as const) {
  test(`a network with ${what} is refused with ${number}, and none is added`, async () => {
    assert.equal(refusal(await device.call("POST", NETWORKS, body)), [400, number]);
    assert.is((await device.get(NETWORKS)).text, '{"values":[]}');
  });
}

test("names and keys of the longest and shortest length are taken", async () => {
  assert.is((await add({ ssid: "é".repeat(16), securityState: "open" })).status, 201);
  const psk = { ssid: "a", securityState: "psk" };
  assert.is((await add({ ...psk, psk: "12345678" })).status, 201);
  assert.is((await add({ ...psk, psk: "x".repeat(63), configName: "x".repeat(16) })).status, 201);
});

test("the list holds 37 networks", async () => {
  for (let count = 0; count < 37; count++) {
    const { status } = await device.call("POST", NETWORKS, { ssid: "a", securityState: "open" });
    assert.is(status, 201);
  }
  const next = await device.call("POST", NETWORKS, { ssid: "a", securityState: "open" });
  assert.equal(refusal(next), [400, 13631507]);
});

test("changes are refused: first a bad key, then an unknown id; both leave everything", async () => {
  await add(LAB);
  const change = (id: string, body: object) => device.call("PATCH", `${NETWORKS}/${id}`, body);
  assert.equal(refusal(await change("-1", { psk: "short" })), [400, 13631513]);
  assert.equal(refusal(await change("-1", { psk: "long enough" })), [404, 13631491]);
  assert.equal(refusal(await change("x", { psk: "long enough" })), [400, 10485761]);
  assert.equal(refusal(await change("0", {})), [400, 10485761]);
  const half = { configState: "disabled", psk: "short" };
  assert.equal(refusal(await change("0", half)), [400, 13631513]);
  assert.equal(refusal(await change("0", { configState: "temp-disabled" })), [400, 10485761]);
  assert.is((await network(0)).configState, "enabled");
  await add({ ssid: "open", securityState: "open" });
  assert.equal(refusal(await change("1", { psk: "long enough" })), [400, 13631496]);
  for (const [method, path] of [
    ["GET", `${NETWORKS}/-1`],
    ["DELETE", `${NETWORKS}/7`],
    ["GET", "/wifi/diagnostics/networks/0"],
  ] as const) {
    assert.equal(refusal(await device.call(method, path)), [404, 13631491], path);
  }
});

test("power savings are switched, and only by a boolean", async () => {
  const patch = (body: object) => device.call("PATCH", "/wifi/interface", body);
  assert.is((await patch({ enablePowerSavings: true })).text, "{}");
  assert.is((await device.get("/wifi/interface")).json.powerSavingsState, "enabled");
  for (const body of [{}, { enablePowerSavings: 1 }, { reloadConfig: "true" }]) {
    assert.equal(refusal(await patch(body)), [400, 10485761]);
  }
});

test("nothing of Wi-Fi answers while its interface is down", async () => {
  await add(LAB);
  const switchTo = (interfaceUp: boolean) =>
    device.call("PATCH", "/net/interfaces/wlan0", { interfaceUp });
  assert.is((await switchTo(false)).text, "{}");
  for (const path of [NETWORKS, `${NETWORKS}/0`, "/wifi/interface", "/wifi/scan"]) {
    assert.equal(refusal(await device.get(path)), [500, 13631506], path);
  }
  assert.equal(refusal(await device.call("POST", NETWORKS, {})), [500, 13631506]);
  assert.not(device.os.network.up);
  await switchTo(true);
  device.clock.advance(JOINED_MS);
  assert.is((await network(0)).connectionState, "connected");
});

test("EAP-TLS: joined with the right certificates, and each wrong one is named", async () => {
  const { enterprise } = device.system;
  const foreign = enterpriseWifi(openMemoryStore());
  const store = (id: string, body: object) => device.call("POST", `/certstore/certs/${id}`, body);
  const client = (from: typeof foreign) => ({
    ...{ certType: "client", publicCert: from.clientCertificate, privateKey: from.clientKey },
  });
  await store("client", client(enterprise));
  await store("foreign", client(foreign));
  await store("root", { certType: "rootca", publicCert: enterprise.rootCa });
  await store("foreign-root", { certType: "rootca", publicCert: foreign.rootCa });
  const eap = {
    ...{ ssid: "Contoso Corporate", securityState: "eaptls", clientIdentity: "device" },
    ...{ clientCertStoreIdentifier: "client", rootCaCertStoreIdentifier: "root" },
  };
  const errorOf = async (change: object) => {
    const { id } = (await add({ ...eap, ...change })).json;
    const { error, certInfo } = await diagnosis(id);
    await device.call("DELETE", `${NETWORKS}/${id}`);
    assert.is(error, "AuthenticationFailed");
    return certInfo;
  };
  assert.equal(await errorOf({ clientCertStoreIdentifier: "nobody" }), {
    ...{ certSubject: "", certDepth: 0, certError: "CertificateNotFound" },
  });
  assert.is((await errorOf({ rootCaCertStoreIdentifier: "client" })).certError, "InvalidRootCA");
  assert.equal(await errorOf({ rootCaCertStoreIdentifier: "foreign-root" }), {
    ...{ certSubject: "/CN=radius.contoso.example", certDepth: 0, certError: "Untrusted" },
  });
  assert.equal(await errorOf({ clientCertStoreIdentifier: "foreign" }), {
    certSubject: "/O=Contoso/CN=device@contoso.example",
    ...{ certDepth: 0, certError: "InvalidClientAuth" },
  });
  assert.is((await errorOf({ clientIdentity: undefined })).certError, "UnknownClientId");

  const added = (await add(eap)).json;
  assert.equal(Object.keys(added).slice(-3), [
    ...["clientIdentity", "clientCertStoreIdentifier", "rootCaCertStoreIdentifier"],
  ]);
  assert.is((await network(added.id)).connectionState, "connected");
  assert.is((await device.get("/wifi/interface")).json.key_mgmt, "WPA-EAP");
  await device.call("DELETE", "/certstore/certs/client");
  assert.is((await network(added.id)).connectionState, "disconnected");
});

test("no key and no password is ever read back or logged", async () => {
  const secrets = ["spherule-lab", "top-secret-proxy", "another-secret"];
  await add(LAB);
  await device.call("PATCH", `${NETWORKS}/0`, { psk: "another-secret" });
  await device.call("POST", "/net/proxy", {
    ...{ enabled: true, address: "proxy", port: 80, authenticationType: "basic" },
    ...{ username: "me", password: "top-secret-proxy", noProxyAddresses: [] },
  });
  const paths = [NETWORKS, `${NETWORKS}/0`, "/wifi/interface", "/wifi/diagnostics/networks"];
  paths.push("/net/proxy", "/log", "/telemetry");
  for (const path of paths) {
    const { text } = await device.get(path);
    for (const secret of secrets) assert.not(text.includes(secret), path);
  }
  const log = device.lines.map(({ text }) => text).join("\n");
  for (const secret of secrets) assert.not(log.includes(secret));
});

test.run();
