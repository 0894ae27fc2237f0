import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { allEntries } from "../../host-sim/cli/azsphere/entries/index.ts";
import { splitWords } from "../../host-sim/cli/azsphere/words.ts";
import { createSigner } from "../../host-sim/imagepackage/index.ts";
import { startDeviceServer } from "../../host-sim/lab/device-server.ts";
import { readBytes } from "../../host-sim/lab/package-app.ts";
import { developmentKey } from "../../host-sim/lab/signing-key.ts";
import { capabilityImage, ONE, packApp } from "../device-rest/packages.ts";
import { createTool, temporaryFolder } from "./support.ts";

const test = suite("every command for an attached device, in both grammars");
const { folder, remove } = temporaryFolder();
const certDir = join(folder, "certs");
const at = (name: string) => join(folder, name);
const pem = (name: string) => Buffer.from(readBytes(join(certDir, name))).toString("utf8");

/** All that changes something, in an order in which each finds what it needs; then all that reads. */
const CHANGES = `
device sideload set-deployment-timeout --value 90
device sideload deploy --image-package ${at("app.imagepackage")}
device app start --component-id ${ONE} --debug-mode
device app stop --component-id ${ONE}
device app start
device wifi add --ssid "Spherule Lab" --psk spherule-lab --config-name lab
device wifi disable --id 0
device wifi enable --id 0
device wifi reload-config
device certificate add -c me -t client --public-key-file ${join(certDir, "enterprise-wifi-client.pem")} --private-key-file ${join(certDir, "enterprise-wifi-client.key")}
device network disable --interface wlan0
device network enable --interface wlan0
device network update-interface --interface wlan0 --hardware-address 02:04:06:08:0a:0c
device network proxy apply -a proxy.example -r 8080 -t basic -u me -p secret -n localhost --enable
device network proxy disable
device network proxy enable
device capability update --capability-file ${at("development.cap")}
device capability apply --capability-file ${at("development.cap")}
device manufacturing-state update --manufacturing-state Module1Complete
device restart
`;
const READS = `
device list-attached
device rescan-attached
device show-attached
device show-os-version
device manufacturing-state show
device capability show-attached
device sideload show-deployment-timeout
device image list-installed --all
device app show-status
device app show-quota
device app show-memory-stats
device wifi list
device wifi show --id 0
device wifi show-status
device wifi scan
device network list-interfaces
device network show-status
device network show-diagnostics
device network list-firewall-rules
device network proxy show
device certificate list
device certificate show -c me
device certificate show-quota
`;
const ENDS = `
device capability apply --none
device certificate delete -c me
device network proxy delete
device wifi forget --id 0
device sideload delete
device recover
get-support-data --device 1
`;
const lines = (text: string) => text.trim().split("\n");

async function start() {
  const ports = { port: 0, dcsPort: 0, outputPort: 0, rebootMs: 20 };
  const server = await startDeviceServer({ address: "127.0.0.1", certDir, ...ports });
  const { signer } = developmentKey(certDir);
  const capabilities = { MutableStorage: { SizeKB: 8 } };
  writeFileSync(at("app.imagepackage"), packApp({ signer, capabilities }));
  const authority = createSigner(pem("production-signing.key"), pem("production-signing.pem"));
  writeFileSync(at("development.cap"), capabilityImage(server.os.deviceId, [11], authority));
  const tool = createTool({
    env: {
      SPHERULE_DEVICE_REST: `https://127.0.0.1:${server.rest.port}`,
      SPHERULE_DEVICE_CA: server.caFile,
      SPHERULE_DEVICE_RECOVERY: server.recovery,
      SPHERULE_SETTINGS: at("settings.json"),
    },
  });
  return { server, tool };
}

test.after(remove);

test("the lists below have every command that needs a device and no cloud", () => {
  const typed = [CHANGES, READS, ENDS].flatMap(lines);
  const missing = allEntries
    .filter(({ words, needs = [] }) => {
      const device = words.startsWith("device ") || needs.includes("device");
      return device && !needs.includes("cloud") && words !== "device update-check";
    })
    .map(({ words }) => words)
    .filter((words) => !typed.some((line) => `${line} `.startsWith(`${words} `)));
  // Those need a tenant, and are tested with a cloud.
  assert.equal(missing, ["tenant create"]);
});

for (const grammar of ["azsphere", "sphere"] as const) {
  test(`${grammar === "sphere" ? "az sphere" : grammar}: all of them do what they are for`, async () => {
    const { server, tool } = await start();
    for (const line of [CHANGES, READS, ENDS].flatMap(lines)) {
      const args = splitWords(line);
      if (args[0] === "get-support-data") {
        args.push(grammar === "sphere" ? "--output-file" : "--destination", at("support.zip"));
      }
      const { code, out, error } = await tool[grammar](...args);
      assert.is(code, 0, `${line}: ${error}`);
      assert.not.match(out + error, /secret|spherule-lab/);
    }
    assert.equal(server.os.applications.list(), []);
    assert.equal(server.os.system.wifi.list(), []);
    assert.equal(server.os.system.certificates.identifiers(), []);
    await server.stop();
  });
}

test("both say the same as data, and every format can be had", async () => {
  const { server, tool } = await start();
  for (const line of lines(CHANGES)) {
    const { code, error } = await tool.azsphere(...splitWords(line));
    assert.is(code, 0, `${line}: ${error}`);
  }
  for (const line of lines(READS)) {
    const args = splitWords(line);
    const az = await tool.sphere(...args);
    const v2 = await tool.azsphere(...args, "--output", "json");
    const data = (text: string) => text.replace(/"[a-zA-Z]*InBytes": \d+/g, "");
    assert.is(data(az.out), data(v2.out), line);
    JSON.parse(az.out);
    for (const format of ["table", "jsonc", "tsv", "yaml", "yamlc", "none"]) {
      for (const run of [tool.azsphere, tool.sphere]) {
        const { code, error } = await run(...args, "--output", format);
        assert.is(code, 0, `${line} ${format}: ${error}`);
      }
    }
    assert.is((await tool.azsphere(...args)).code, 0);
    const picked = await tool.sphere(...args, "--query", "length(@)");
    assert.match(picked.out, /^\d+\n$/, line);
  }
  await server.stop();
});

test.run();
