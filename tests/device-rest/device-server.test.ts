import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createTool } from "../azsphere/support.ts";
import { finished, launch, newProject, spherule } from "../cli/support.ts";

const test = suite("spherule device-server");

/** Starts the command and waits until it has printed where it listens. */
async function start(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), "spherule-device-"));
  const ports = ["--port", "0", "--dcs-port", "0", "--output-port", "0", "--gdb-port", "0"];
  const where = ["--address", "127.0.0.1", "--cert-dir", join(folder, "certs")];
  const child = launch(folder, ["device-server", ...where, ...ports, ...args]);
  const done = finished(child);
  const text = await new Promise<string>((resolve, reject) => {
    let shown = "";
    child.stdout?.on("data", (chunk) => {
      shown += chunk;
      if (/trust\s+\S+\n/.test(shown)) resolve(shown);
    });
    child.on("close", () => reject(new Error(`ended early: ${shown}`)));
  });
  const [, rest = "", discovery = "", ca = ""] =
    /REST\s+(\S+)\n\s+discovery\s+(\S+)\n\s+trust\s+(\S+)/.exec(text) ?? [];
  const agent = new Agent({ ca: readFileSync(ca), keepAlive: true });
  const call = (method: string, path: string) =>
    new Promise<string>((resolve, reject) => {
      const sent = request(`${rest}${path}`, { method, agent }, (response) => {
        let body = "";
        response.on("data", (chunk) => {
          body += chunk;
        });
        response.on("end", () => resolve(body));
      });
      sent.on("error", reject);
      sent.end();
    });
  return {
    ...{ folder, rest, discovery, ca, call },
    async stop() {
      agent.destroy();
      child.kill("SIGTERM");
      const result = await done;
      rmSync(folder, { recursive: true });
      return result;
    },
  };
}

test("prints its addresses, writes its CA, and is a fresh device", async () => {
  const server = await start("--reboot-ms", "50", "--state", "fresh", "--api-version", "4.5.0");
  assert.is(server.ca, join(server.folder, "certs/device-ca.pem"));
  assert.is(await server.call("GET", "/wifi/config/networks"), '{"values":[]}');
  assert.is(await server.call("GET", "/certstore/certs"), '{"identifiers":[]}');
  assert.is(await server.call("GET", "/device/capabilities"), '{"device_capabilities":[11]}');
  assert.match(await server.call("GET", "/device/manufacturing_state"), "Module1Complete");
  assert.not.match(await server.call("GET", "/images"), '"image_type":10');
  assert.ok((await server.call("GET", "/telemetry")).length > 5);
  const devices = await fetch(`${server.discovery}/api/service/devices`);
  assert.equal(await devices.json(), [{ IpAddress: "127.0.0.1", DeviceConnectionPath: "223" }]);
  const rescan = `${server.discovery}/api/service/devices/rescan`;
  assert.is(await (await fetch(rescan, { method: "PUT" })).text(), "1");
  assert.is((await fetch(`${server.discovery}/else`)).status, 404);

  assert.is(await server.call("POST", "/restart"), '{"restartingSystem":true}');
  let uptime = "";
  while (uptime === "") uptime = await server.call("GET", "/status").catch(() => "");
  assert.is(uptime, '{"uptime":0}');
  const { code, stderr } = await server.stop();
  assert.is(code, 0, stderr);
});

test("keeps its state in a folder when it is given one", async () => {
  const { folder, remove } = newProject();
  const state = join(folder, "state");
  const first = await start("--state", state);
  const identity = await first.call("GET", "/device/security_state");
  await first.stop();
  assert.ok(existsSync(state));
  const second = await start("--state", state);
  assert.is(await second.call("GET", "/device/security_state"), identity);
  await second.stop();
  remove();
});

test("several at once, on addresses of their own with one port, are told apart", async () => {
  const first = await start("--address", "127.0.0.2");
  const { port } = new URL(first.rest);
  const second = await start("--address", "127.0.0.3", "--port", port);
  const { azsphere, json, ok } = createTool({
    env: {
      SPHERULE_DEVICE_REST: `${first.rest},${second.rest}`,
      SPHERULE_DEVICE_CA: `${first.ca},${second.ca}`,
    },
  });
  const attached = await json("device", "list-attached");
  const addresses = attached.map(({ ipAddress }: { ipAddress: string }) => ipAddress);
  assert.equal(addresses, ["127.0.0.2", "127.0.0.3"]);
  assert.is(new Set(attached.map(({ deviceId }: { deviceId: string }) => deviceId)).size, 2);
  assert.is((await azsphere("device", "wifi", "list")).code, 2);
  await ok("device", "wifi", "add", "--ssid", "Contoso Guest", "--device", "127.0.0.3");
  assert.equal(await json("device", "wifi", "list", "--device", "127.0.0.2"), []);
  assert.is((await json("device", "wifi", "list", "-d", attached[1].deviceId)).length, 1);
  await ok("device", "restart", "--device", "127.0.0.2");
  assert.is((await json("device", "wifi", "list", "-d", "127.0.0.3")).length, 1);
  await Promise.all([first.stop(), second.stop()]);
});

test("a file to trust that is none is refused", async () => {
  const { folder, remove } = newProject();
  const missing = await spherule(folder, "device-server", "--trust", "nothing.pem");
  assert.is(missing.code, 1);
  assert.match(missing.stderr, /error file-unreadable/);
  const wrong = await spherule(folder, "device-server", "--trust", "app_manifest.json");
  assert.is(wrong.code, 1);
  assert.match(wrong.stderr, /error certificate-invalid/);
  remove();
});

test("the lab's device has its REST API too, and tells clients where", async () => {
  const { folder, remove } = newProject();
  const script = `
    const { request } = require("node:https");
    const { readFileSync } = require("node:fs");
    const { SPHERULE_DEVICE_REST: url, SPHERULE_DEVICE_CA: ca, SPHERULE_API: api } = process.env;
    fetch(api + "/lab").then((answer) => answer.json()).then((lab) => {
      console.log(url === "https://" + lab.deviceRest.address + ":" + lab.deviceRest.port);
      for (const path of ["/net/status", "/wifi/config/networks", "/images"])
        request(url + path, { ca: readFileSync(ca) }, (response) => {
          response.on("data", (chunk) => process.stdout.write(chunk + "\\n"));
        }).end();
    });`;
  const command = [process.execPath, "-e", script];
  const { stdout, stderr } = await spherule(folder, "exec", "--in-memory", "--", ...command);
  assert.match(stdout, /^true\n/, stderr);
  assert.match(stdout, '"networkTimeSync":"complete"');
  assert.match(
    stdout,
    '"ssid":"Spherule Lab","configState":"enabled","connectionState":"connected"',
  );
  assert.match(stdout, '"name":"thermometer"');
  remove();
});

test("folders that cannot be used, and a version that is none, are errors at once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spherule-device-"));
  const file = join(folder, "file");
  writeFileSync(file, "");
  for (const [option, place] of [
    ["--state", file],
    ["--state", "/proc/x"],
    ["--cert-dir", join(file, "below")],
    ["--cert-dir", "/proc/self"],
  ] as const) {
    const { code, stderr } = await spherule(folder, "device-server", option, place);
    assert.is(code, 1, `${option} ${place}: ${stderr}`);
    assert.match(stderr, `error folder-unusable: ${place} is no folder that files can be put`);
    assert.not.match(stderr, "    at ");
  }
  const { code, stderr } = await spherule(folder, "device-server", "--api-version", "x");
  assert.is(code, 1, stderr);
  assert.match(stderr, "It has to be a version such as 4.6.0.");
  rmSync(folder, { recursive: true });
});

test.run();
