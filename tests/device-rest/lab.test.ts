import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseManifest } from "../../host-sim/imagepackage/index.ts";
import { readHardware } from "../../host-sim/lab/app-image.ts";
import { startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { newProject, spherule } from "../cli/support.ts";
import { manifestText, TWO, WASM } from "./packages.ts";

const test = suite("the lab's own device");
const { folder, remove } = newProject();
const state = join(folder, ".spherule");
const app = {
  ...{ manifest: parseManifest(manifestText({ component: TWO })), wasm: WASM, file: "app.wasm" },
  hardware: readHardware(packageFolder()),
};
const lab = await startLab({ app, stateFolder: state });
const { deviceRest, api } = lab.description;
const agent = new Agent({ ca: readFileSync(deviceRest.ca), keepAlive: true });
test.after(async () => {
  agent.destroy();
  await lab.stop();
  remove();
});

function rest(method: string, path: string, body?: Buffer): Promise<string> {
  const { address: host, port } = deviceRest;
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, agent, method, path }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

async function put(path: string, body: unknown): Promise<string> {
  const options = { method: "PUT", body: JSON.stringify(body) };
  const response = await fetch(`${api}${path}`, options);
  return response.ok ? "" : ((await response.json()) as { code: string }).code;
}

/** Asks again and again: joining takes the time that it takes. */
async function until(path: string, pattern: RegExp): Promise<void> {
  const asked = () => rest("GET", path).catch(() => "nobody answers");
  while (!pattern.test(await asked())) await new Promise((go) => setTimeout(go, 20));
}

test("takes what `spherule package` makes with the key of the same state folder", async () => {
  const packed = await spherule(folder, "package", "--query", "file", "--output", "json");
  assert.is(packed.code, 0, packed.stderr);
  const bytes = readFileSync(join(folder, JSON.parse(packed.stdout)));
  const { ComponentId: component } = JSON.parse(
    readFileSync(join(folder, "app_manifest.json"), "utf8"),
  );
  assert.is(await rest("PUT", "/update/stage", bytes), "{}");
  assert.is(await rest("POST", "/update/install"), "{}");
  assert.is(await rest("GET", `/app/status/${component}`), '{"state":"running"}');
  assert.is(await rest("GET", `/app/status/${TWO}`), '{"state":"running"}');
  assert.is(lab.device.status().name, "TestApp");
});

test("meets other access points, as somebody puts them up", async () => {
  assert.ok(lab.device.network.up);
  const home = { ssid: "Home", security: "psk", psk: "at-home-again" };
  assert.is(await put("/device/access-points", [home]), "");
  assert.not(lab.device.network.up);
  const listed = await (await fetch(`${api}/device/access-points`)).json();
  assert.is((listed as { ssid: string }[])[0]?.ssid, "Home");
  assert.is(await put("/device/access-points", [{ ssid: "Home" }]), "body-invalid");
  const own = { ssid: "Spherule Lab", security: "psk", psk: "spherule-lab" };
  assert.is(await put("/device/access-points", [home, own]), "");
  await until("/wifi/interface", /"wpa_state":"COMPLETED"/);
  assert.ok(lab.device.network.up);
});

test("restarts at the REST API's word, and is what it was before", async () => {
  assert.is(await rest("POST", "/restart"), '{"restartingSystem":true}');
  await until("/status", /"uptime":0/);
  await until(`/app/status/${TWO}`, /running/);
  assert.ok(lab.device.network.up);
  assert.is(lab.device.status().state, "running");
});

test("gets addresses, name servers, time servers and capabilities", async () => {
  const address = { mode: "static", address: "192.168.88.9", mask: "255.255.255.0" };
  assert.is(await put("/device/ip/wlan0", { ...address, gateway: "192.168.88.1" }), "");
  assert.match(await rest("GET", "/net/interfaces/wlan0"), '"ipAddresses":["192.168.88.9"]');
  assert.is(await put("/device/ip/wlan0", address), "device-refused");
  assert.is(await put("/device/ip/wlan0", { mode: "dynamic" }), "");
  assert.is(await put("/device/ip/lo", { mode: "dynamic" }), "device-refused");
  assert.is(await put("/device/dns", { mode: "servers", servers: ["1.1.1.1"] }), "");
  assert.is(await put("/device/dns", { mode: "servers" }), "device-refused");
  assert.is(await put("/device/time-sync", { enabled: false, servers: ["time"] }), "");
  assert.match(await rest("GET", "/net/status"), '"networkTimeSync":"disabled"');
  assert.is(await put("/device/capabilities", { capabilities: [13] }), "");
  assert.is(await rest("GET", "/device/capabilities"), '{"device_capabilities":[13]}');
  assert.is(await put("/device/capabilities", { capabilities: [99] }), "device-refused");
  assert.is(await put("/device/cable", { subnet: "10.9.8" }), "");
  assert.is(await put("/device/cable", { subnet: 1 }), "body-invalid");
});

test.run();
