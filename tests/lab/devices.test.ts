import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LabError } from "../../host-sim/errors.ts";
import { parseManifest } from "../../host-sim/imagepackage/index.ts";
import { readHardware } from "../../host-sim/lab/app-image.ts";
import { deviceAddresses } from "../../host-sim/lab/devices.ts";
import { createPowerSupply } from "../../host-sim/lab/power-supply.ts";
import { openState } from "../../host-sim/lab/state.ts";
import { type Lab, startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { newProject, spherule } from "../cli/support.ts";
import { manifestText, ONE, TWO, WASM } from "../device-rest/packages.ts";

const test = suite("several devices in one lab");
const { folder, remove } = newProject();
test.after(remove);
const app = {
  ...{ manifest: parseManifest(manifestText({ component: TWO })), wasm: WASM, file: "app.wasm" },
  hardware: readHardware(packageFolder()),
};

/** `GET` at the REST API of one device, with full verification. */
function rest({ description }: Lab, index: number, path: string) {
  const { address: host, port } = description.devices[index]?.rest ?? {};
  const ca = readFileSync(description.deviceRest.ca);
  return new Promise<Record<string, string>>((resolve, reject) => {
    const sent = request({ host, port, ca, path, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve(JSON.parse(text)));
    });
    sent.on("error", reject);
    sent.end();
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests are about
async function api(lab: Lab, method: string, path: string, body?: unknown): Promise<any> {
  const options = { method, body: body === undefined ? undefined : JSON.stringify(body) };
  const response = await fetch(`${lab.description.api}${path}`, options);
  return response.status === 204 ? undefined : await response.json();
}

async function errorOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "",
    (error: LabError) => error.code,
  );
}

test("each has an identity, a REST API and a tenant of its own, and the hub knows it", async () => {
  const lab = await startLab({ app, devices: 3 });
  const { devices, deviceRest, discovery, securityService } = lab.description;
  const ids = devices.map(({ deviceId }) => deviceId);
  assert.is(new Set(ids).size, 3);
  for (const [index, deviceId] of ids.entries()) {
    assert.match(deviceId, /^[0-9a-f]{128}$/);
    assert.is(lab.service.tenantOf(deviceId), securityService.tenantId);
    assert.ok(lab.hub.devices.find(deviceId));
    const state = await rest(lab, index, "/device/security_state");
    assert.is(state.deviceIdentifier, deviceId, JSON.stringify(state));
  }
  assert.equal(devices[0]?.rest, { address: deviceRest.address, port: deviceRest.port });
  assert.is(new Set(devices.map(({ rest: { port } }) => port)).size, 3);
  const url = `http://${discovery.address}:${discovery.port}/api/service/devices`;
  const list = (await (await fetch(url)).json()) as {
    DeviceConnectionPath: string;
    Port: number;
  }[];
  assert.equal(
    list.map((each) => [each.DeviceConnectionPath, each.Port]),
    devices.map(({ rest: { port } }, index) => [String(223 + index), port]),
  );
  const status = await api(lab, "GET", "/status");
  assert.equal(
    status.devices.map((each: { deviceId: string }) => each.deviceId),
    ids,
  );
  assert.is(status.device.deviceId, ids[0]);
  assert.ok(
    status.devices.every((each: { app: { state: string } }) => each.app.state === "running"),
  );
  await lab.stop();
});

test("a route of a device means the first, or the one that ?deviceId= names", async () => {
  const lab = await startLab({ app, devices: 2 });
  const [first, second] = lab.devices;
  assert.ok(first && second);
  const chosen = `?deviceId=${second.deviceId}`;
  await api(lab, "POST", `/device/network${chosen}`, { up: false });
  assert.equal([first.os.network.up, second.os.network.up], [true, false]);
  const point = { ssid: "Attic", security: "open" };
  await api(lab, "PUT", `/device/access-points${chosen}`, [point]);
  assert.ok((await api(lab, "GET", "/device/access-points")).length > 1);
  assert.is((await api(lab, "GET", `/status${chosen}`)).device.deviceId, second.deviceId);
  const starts = second.os.status().starts;
  await api(lab, "POST", `/device/restart${chosen}`);
  assert.equal([first.os.status().starts, second.os.status().starts], [1, starts + 1]);
  const unknown = await api(lab, "POST", "/device/restart?deviceId=none");
  assert.is(unknown.code, "device-unknown");
  await lab.stop();
});

test("one that loses its power is gone at once, and comes back with what its flash held", async () => {
  const lab = await startLab({ app, devices: 2 });
  const device = lab.devices[1];
  assert.ok(device);
  const { port } = device.rest;
  const chosen = `?deviceId=${device.deviceId}`;
  await api(lab, "PUT", `/device/access-points${chosen}`, [{ ssid: "Attic", security: "open" }]);
  await api(lab, "POST", `/device/power${chosen}`, { on: false });
  assert.is(device.powered, false);
  assert.is(await rest(lab, 1, "/status").catch(() => "nobody answers"), "nobody answers");
  assert.is((await api(lab, "GET", `/device/updates${chosen}`)).code, "device-off");
  const later = await api(lab, "POST", `/device/power${chosen}`, { on: false, afterWrites: 1 });
  assert.is(later.code, "device-off");
  const status = await api(lab, "GET", `/status${chosen}`);
  assert.equal([status.device.power, status.device.network], [false, false]);
  assert.is(status.devices[0].power, true);
  const { address, port: at } = lab.description.discovery;
  const list = await (await fetch(`http://${address}:${at}/api/service/devices`)).json();
  assert.is((list as unknown[]).length, 1);
  await api(lab, "POST", `/device/power${chosen}`, { on: true });
  assert.is(device.rest.port, port);
  assert.is((await rest(lab, 1, "/device/security_state")).deviceIdentifier, device.deviceId);
  const points = await api(lab, "GET", `/device/access-points${chosen}`);
  assert.equal(
    points.map(({ ssid }: { ssid: string }) => ssid),
    ["Attic"],
  );
  while (device.os.status().state !== "running") await new Promise((go) => setTimeout(go, 5));
  for (const body of [{}, { on: "no" }, { on: false, afterWrites: -1 }]) {
    assert.is((await api(lab, "POST", `/device/power${chosen}`, body)).code, "body-invalid");
  }
  await lab.stop();
});

test("a device without power does not stop while others do, and the lab installs on the others", async () => {
  const lab = await startLab({ app, devices: 2 });
  const [first, second] = lab.devices;
  assert.ok(first && second);
  await Promise.all([second.cutPower(), second.cutPower()]);
  const manifest = parseManifest(manifestText({ component: ONE }));
  await lab.install({ ...app, manifest });
  assert.is(first.os.applications.state(ONE), "running");
  assert.is(await errorOf(second.install({ ...app, manifest })), "device-off");
  await second.powerOn();
  await lab.stop();
  await lab.stop();
});

test("identities and settings of all are kept in the state folder", async () => {
  const stateFolder = join(folder, "kept");
  const lab = await startLab({ app, devices: 3, stateFolder });
  const ids = lab.devices.map(({ deviceId }) => deviceId);
  lab.devices[2]?.os.system.interfaces.setDns({ mode: "servers", servers: ["192.0.2.53"] });
  const dns = (of: Lab) => of.devices.map(({ os }) => os.system.interfaces.dns.mode);
  assert.equal(dns(lab), ["automatic", "automatic", "servers"]);
  await lab.stop();
  const fewer = await startLab({ app, stateFolder });
  assert.equal(
    fewer.devices.map(({ deviceId }) => deviceId),
    ids.slice(0, 1),
  );
  await fewer.stop();
  const again = await startLab({ app, devices: 3, stateFolder });
  assert.equal(
    again.devices.map(({ deviceId }) => deviceId),
    ids,
  );
  assert.equal(dns(again), ["automatic", "automatic", "servers"]);
  await again.stop();
});

test("an impossible number of devices is refused, and several for one certificate", async () => {
  for (const devices of [0, -1, 1.5, 251]) {
    assert.is(await errorOf(startLab({ app, devices })), "option-invalid");
  }
  const identity = { deviceId: "d", certificate: "", key: "" };
  const otherHub = { hostName: "h", port: 8883, identity };
  assert.is(await errorOf(startLab({ app, devices: 2, otherHub })), "options-conflict");
});

test("devices have addresses of their own where the computer has them, else ports", () => {
  const own = new Set(["127.0.0.1", "192.168.35.2", "192.168.35.3"]);
  assert.equal(deviceAddresses(2, undefined, own), ["192.168.35.2", "192.168.35.3"]);
  assert.equal(deviceAddresses(2, "127.0.0.1", own), ["127.0.0.1", "127.0.0.1"]);
  assert.equal(new Set(deviceAddresses(3, undefined, own)), new Set(["127.0.0.1"]));
});

test("after a loss of power nothing is written, and of a transaction nothing is left", () => {
  const state = openState(undefined);
  let losses = 0;
  const supply = createPowerSupply(state.device(2), () => {
    losses += 1;
  });
  const { store } = supply.kept;
  const storage = supply.kept.storage("app");
  supply.failAfter(3);
  store.put("a", 1);
  storage.write(0, Uint8Array.of(7));
  const both = () =>
    store.transaction(() => {
      store.put("b", 1);
      store.put("c", 1);
    });
  assert.throws(both, /power is gone/);
  store.put("a", 2);
  store.delete("a");
  both();
  storage.write(0, Uint8Array.of(8));
  storage.erase();
  assert.is(losses, 1);
  const after = state.device(2);
  assert.equal([...after.store.entries("")], [["a", 1]]);
  assert.equal([...after.storage("app").read(0, 9)], [7]);
  assert.equal([...state.device(1).storage("app").read(0, 9)], []);
  return state.close();
});

test("`exec --devices` starts them, and --device-id chooses one", async () => {
  const inside =
    "id=$(spherule status --query 'devices[2].deviceId' --output json | tr -d '\"') && " +
    'spherule status --device-id "$id" --query "device.deviceId == devices[2].deviceId" --output json && ' +
    'spherule twin get --device-id "$id" --query "deviceId == \'$id\'" --output json';
  const options = ["exec", "--in-memory", "--devices", "3", "--"];
  const { stdout, stderr } = await spherule(folder, ...options, "sh", "-c", inside);
  assert.is(stdout, "true\ntrue\n", stderr);
  const refused = await spherule(folder, "exec", "--devices", "0", "--", "true");
  assert.match(refused.stderr, "from 1 to 250");
});

test.run();
