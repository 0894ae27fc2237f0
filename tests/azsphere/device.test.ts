import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createSigner } from "../../host-sim/imagepackage/index.ts";
import { startDeviceServer } from "../../host-sim/lab/device-server.ts";
import { developmentKey } from "../../host-sim/lab/signing-key.ts";
import {
  capabilityImage,
  ONE,
  OTHER_IMAGE,
  packApp,
  packOther,
  TWO,
} from "../device-rest/packages.ts";
import { createTool, temporaryFolder } from "./support.ts";

const test = suite("azsphere: the attached device");
const { folder, remove } = temporaryFolder();
const certDir = join(folder, "certs");
const server = await startDeviceServer({
  ...{ address: "127.0.0.1", port: 0, dcsPort: 0, outputPort: 0, rebootMs: 20, certDir },
});
const { deviceId } = server.os;
const env = {
  SPHERULE_DEVICE_REST: `https://127.0.0.1:${server.rest.port}`,
  SPHERULE_DEVICE_CA: server.caFile,
  SPHERULE_DEVICE_RECOVERY: server.recovery,
  SPHERULE_SETTINGS: join(folder, "settings.json"),
};
const tool = createTool({ env });
const { azsphere, sphere, ok, json } = tool;
const { signer } = developmentKey(certDir);
const file = (name: string) => join(folder, name);
writeFileSync(file("one.imagepackage"), packApp({ signer, name: "One" }));
writeFileSync(file("two.imagepackage"), packApp({ signer, name: "Two", component: TWO }));
writeFileSync(
  file("store.imagepackage"),
  packApp({ signer, name: "Two", component: TWO, capabilities: { MutableStorage: { SizeKB: 8 } } }),
);

test.after(async () => {
  await server.stop();
  remove();
});
test.after.each(async () => {
  await ok("device", "sideload", "delete");
});

/** Asks again and again: joining a network takes the time that it takes. */
async function until(pattern: RegExp, ...args: string[]): Promise<string> {
  let last = "";
  for (let tries = 0; tries < 400; tries++) {
    last = (await azsphere(...args)).out;
    if (pattern.test(last)) return last;
    await new Promise((go) => setTimeout(go, 10));
  }
  throw new Error(`still ${last}`);
}

test("shows what is attached, in the classic text and as data", async () => {
  const port = server.rest.port;
  assert.is(
    await ok("device", "show-attached"),
    `Device ID: ${deviceId}\nIP address: 127.0.0.1\nConnection path: 1\n`,
  );
  assert.equal(await json("device", "list-attached"), [
    { deviceId, ipAddress: "127.0.0.1", connectionPath: "1", isResponsive: true },
  ]);
  const rescanned = await ok("device", "rescan-attached");
  assert.match(rescanned, /^1 device attached:\n --> Device ID: [0-9a-f]{128}\n {3}--> Is resp/);
  for (const name of [deviceId, deviceId.toUpperCase(), "1", "127.0.0.1", `127.0.0.1:${port}`]) {
    const query = ["--query", "deviceId", "--output", "tsv"];
    assert.is(await ok("device", "show-attached", "-d", name, ...query), `${deviceId}\n`);
  }
});

test("a device that is not there is no device, and two need a name", async () => {
  const other = await azsphere("device", "show-attached", "-d", "7");
  assert.is(other.code, 3);
  assert.match(other.error, /^ERROR: No attached device is '7'\./);
  const none = createTool({ env: { ...env, SPHERULE_DEVICE_REST: "https://127.0.0.1:1" } });
  const refused = await none.azsphere("device", "show-os-version");
  assert.match(refused.error, "Could not connect to the device; please ensure it is attached.");
  const listed = await none.json("device", "list-attached");
  assert.equal(listed[0].isResponsive, false);
  const twice = `${env.SPHERULE_DEVICE_REST},https://127.0.0.1:1`;
  const two = createTool({ env: { ...env, SPHERULE_DEVICE_REST: twice } });
  const ambiguous = await two.azsphere("device", "restart");
  assert.is(ambiguous.code, 2);
  assert.match(ambiguous.error, /2 devices are attached\.\nName one with --device: 1, 2\./);
  assert.match(await two.ok("device", "show-os-version", "-d", deviceId), /version 24\.06\.\n$/);
});

test("finds devices by the discovery service", async () => {
  const discovery = `http://127.0.0.1:${server.discovery.port}`;
  const found = createTool({
    env: {
      ...{ SPHERULE_DEVICE_DISCOVERY: discovery, SPHERULE_DEVICE_PORT: String(server.rest.port) },
      ...{ SPHERULE_DEVICE_CA: server.caFile, SPHERULE_SETTINGS: env.SPHERULE_SETTINGS },
    },
  });
  assert.match(await found.ok("device", "rescan-attached"), /Connection path: 223\n/);
  assert.match(await found.ok("device", "show-attached", "--device", "223"), deviceId);
});

test("a wrong CA is not trusted", async () => {
  const foreign = join(certDir, "enterprise-wifi-ca.pem");
  const wrong = createTool({ env: { ...env, SPHERULE_DEVICE_CA: foreign } });
  const { code, error } = await wrong.azsphere("device", "show-attached");
  assert.is(code, 1);
  assert.match(error, "The certificate of the device is not trusted: ");
  assert.match(error, `SPHERULE_DEVICE_CA is ${foreign}.\nSet SPHERULE_DEVICE_CA to the device-`);
});

test("version, manufacturing state and capabilities", async () => {
  const { out } = await azsphere("device", "show-os-version");
  assert.match(out, /Azure Sphere OS version 24\.06\.\n/);
  assert.equal(await json("device", "show-os-version"), { osversion: "24.06" });
  assert.equal(await json("device", "manufacturing-state", "show"), {
    manufacturingState: "Module1Complete",
  });
  const back = await azsphere("device", "manufacturing-state", "update", "-s", "Blank");
  assert.is(back.code, 2);
  assert.match(back.error, "--manufacturing-state is 'Blank'.\nChoose Module1Complete or Dev");
  const same = await ok("device", "manufacturing-state", "update", "-s", "Module1Complete");
  assert.is(same, "Manufacturing state is now Module1Complete.\n");
  assert.equal(await json("device", "capability", "show-attached"), ["Enable app development"]);
});

test("deploys, starts, stops and deletes applications, by both spellings", async () => {
  const deployed = await ok("device", "sideload", "deploy", "-p", file("one.imagepackage"));
  assert.is(
    deployed,
    "Deploying 'one.imagepackage' to the attached device.\n" +
      "Image package 'one.imagepackage' has been deployed to the attached device.\n",
  );
  const manual = ["--imagepackage", file("two.imagepackage"), "--manualstart"];
  const second = await ok("device", "sl", "deploy", ...manual);
  assert.match(second, "Use 'azsphere device app start' to start it.");
  assert.is(
    await ok("device", "app", "show-status"),
    `${ONE}: App state: running\n${TWO}: App state: stopped\n`,
  );
  assert.is(await ok("device", "app", "start", "-i", TWO), `${TWO}: App state: running\n`);
  const stopped = await json("device", "app", "stop");
  assert.equal(
    stopped.map(({ state }: { state: string }) => state),
    ["stopped", "stopped"],
  );
  const debugged = await json("device", "app", "start", "--componentid", ONE, "--debugmode");
  assert.is(debugged[0].state, "debugging");
  assert.is(debugged[0].gdbPort, 2345);
  assert.is(await ok("device", "sideload", "delete", "-e", TWO), `Component '${ONE}' deleted.\n`);
  const absent = await ok("device", "sideload", "delete", "-i", ONE);
  assert.is(absent, `Component '${ONE}' is not on the device.\n`);
  assert.is(await ok("device", "sideload", "delete"), `Component '${TWO}' deleted.\n`);
  assert.is(await ok("device", "sideload", "delete"), "No applications to delete.\n");
  assert.is(await ok("device", "app", "show-status"), "No applications on the device.\n");
});

test("what is installed, with its ids; quota and memory", async () => {
  assert.is(await ok("device", "image", "list-installed"), "No installed images.\n");
  await ok("device", "sideload", "deploy", "-p", file("store.imagepackage"));
  const text = await ok("device", "image", "list-installed");
  assert.match(text, /^Installed images:\n --> Two\n {3}--> Image type: {3}Application\n/);
  assert.match(
    text,
    new RegExp(`   --> Component ID: ${TWO}\n {3}--> Image ID: {5}[0-9a-f-]{36}\n`),
  );
  const all = await ok("device", "image", "list-installed", "--all");
  assert.match(all, " --> NW Kernel\n   --> Image type:   System software image type 7\n");
  assert.match(all, "   --> Component ID: ec96028b-080b-4ff5-9ef1-b40264a8c652\n");
  assert.equal(await json("device", "app", "show-quota"), [
    { componentId: TWO, UsageKB: 0, LimitKB: 8 },
  ]);
  assert.match(
    await ok("device", "app", "show-memory-stats"),
    /^Current memory usage \(bytes\) +: \d/,
  );
});

test("refuses packages and components that cannot be meant", async () => {
  writeFileSync(file("bad.imagepackage"), "no package");
  const bad = await azsphere("device", "sideload", "deploy", "-p", file("bad.imagepackage"));
  assert.is(bad.code, 1);
  writeFileSync(file("foreign.imagepackage"), packApp({ name: "Foreign" }));
  const foreign = await azsphere(
    "device",
    "sideload",
    "deploy",
    "-p",
    file("foreign.imagepackage"),
  );
  assert.is(foreign.code, 1);
  assert.match(foreign.error, "Could not deploy application to device: Installation failed; check");
  const missing = await azsphere("device", "sideload", "deploy", "-p", file("none"));
  assert.match(missing.error, /cannot be read: ENOENT/);
  const id = await azsphere("device", "app", "start", "-i", "seven");
  assert.equal(
    [id.code, id.error.split("\n")[0]],
    [2, "ERROR: 'seven' is not a valid component ID."],
  );
  const absent = await azsphere("device", "app", "start", "-i", ONE);
  assert.match(absent.error, `Could not start component '${ONE}': The application is not on the`);
  assert.is((await azsphere("device", "app", "show-status", "-i", ONE)).code, 3);
  await ok("device", "sideload", "deploy", "-p", file("one.imagepackage"));
  writeFileSync(file("same.imagepackage"), packApp({ signer, name: "One", component: TWO }));
  const same = await azsphere("device", "sideload", "deploy", "-p", file("same.imagepackage"));
  assert.match(same.error, "A component with the same name ('One') already exists on the device");
  await ok("device", "sideload", "deploy", "-p", file("same.imagepackage"), "--force");
  assert.is((await json("device", "app", "show-status")).length, 2);
});

test("the deployment timeout is remembered", async () => {
  const words = ["device", "sideload"];
  assert.match(await ok(...words, "show-deployment-timeout"), "60 seconds");
  await ok(...words, "set-deployment-timeout", "--value", "90");
  assert.equal(await json(...words, "show-deployment-timeout"), { deploymentTimeoutInSeconds: 90 });
  for (const value of ["0", "3601", "-1", "soon"]) {
    assert.is((await azsphere(...words, "set-deployment-timeout", "-v", value)).code, 2);
  }
});

test("Wi-Fi from the first network to the last", async () => {
  assert.is(await ok("device", "wifi", "list"), "No configured networks.\n");
  const added = await ok("device", "wifi", "add", "-s", "Spherule Lab", "--key", "spherule-lab");
  assert.is(
    added,
    [
      "Add network succeeded:",
      "ID                  : 0",
      "SSID                : Spherule Lab",
      "Configuration state : enabled",
      "Connection state    : unknown",
      "Security state      : psk",
      "Targeted scan       : false",
      "",
    ].join("\n"),
  );
  const status = await until(/: connected\n/, "device", "wifi", "show-status");
  assert.match(status, /^SSID {16}: Spherule Lab\n/);
  assert.match(status, /Frequency +: 5220\nMode +: station\nKey management +: WPA2-PSK\n/);
  assert.match(await ok("device", "wifi", "list"), /ID\s+:\s\d+/);
  await ok("device", "wifi", "disable", "--id", "0");
  assert.is((await json("device", "wifi", "show", "-i", "0")).configState, "disabled");
  await ok("device", "wifi", "enable", "-i", "0");
  const scanned = await json("device", "wifi", "scan");
  assert.ok(scanned.some(({ ssid }: { ssid: string }) => ssid === "Contoso Guest"));
  assert.is(await ok("device", "wifi", "reload-config"), "Wi-Fi configuration reloaded.\n");
  await ok("device", "wifi", "forget", "--id", "0");
  const gone = await azsphere("device", "wifi", "show", "--id", "0");
  assert.equal([gone.code, gone.error.split("\n")[0]], [3, NO_NETWORK]);
});

const NO_NETWORK = "ERROR: There is no such Wi-Fi network. (Device error 13.3)";

test("Wi-Fi that cannot be: keys, numbers, two ways at once", async () => {
  const short = await azsphere("device", "wifi", "add", "-s", "Home", "-p", "1234567");
  assert.match(short.error, "The Wi-Fi key is too short; it has at least 8 bytes");
  assert.is((await azsphere("device", "wifi", "add", "-p", "12345678")).code, 2);
  const both = ["-s", "Home", "-p", "12345678", "--client-cert-id", "me"];
  assert.is((await azsphere("device", "wifi", "add", ...both)).code, 2);
  assert.is((await azsphere("device", "wifi", "enable", "--id", "first")).code, 2);
  assert.is((await azsphere("device", "wifi", "enable", "--id", "-1")).code, 3);
  await ok("device", "wifi", "add", "-s", "Spherule Lab", "-p", "not the key");
  const why = await until(/WrongKey/, "device", "network", "show-diagnostics");
  assert.match(why, /Network ID +: 0\nSSID +: Spherule Lab\nError +: WrongKey\n/);
  assert.match(await ok("device", "network", "show-diagnostics", "-n", "0"), "WrongKey");
  await ok("device", "wifi", "forget", "--id", "0");
});

test("interfaces, status, firewall", async () => {
  const interfaces = await ok("device", "network", "list-interfaces");
  assert.match(interfaces, /^Interface Name +: azspheresvc\nInterface Up +: true\n/);
  assert.match(
    await ok("device", "network", "show-status"),
    /^Device authentication is ready : false\n/,
  );
  const rules = await json("device", "network", "list-firewall-rules");
  assert.ok(rules.some(({ hook }: { hook: string }) => hook === "OUTPUT"));
  await ok("device", "network", "disable", "--interface", "wlan0");
  const off = await azsphere("device", "wifi", "list");
  assert.match(off.error, "The Wi-Fi interface is disabled. (Device error 13.18)");
  await ok("device", "network", "enable", "--interface-name", "wlan0");
  const fixed = await azsphere("device", "network", "disable", "--interface", "lo");
  assert.match(fixed.error, "This network interface cannot be changed");
  const update = ["device", "network", "update-interface", "--interface", "wlan0"];
  const bad = await azsphere(...update, "--hardware-address", "zz");
  assert.match(bad.error, "The hardware address is not valid");
  assert.is((await azsphere("device", "network", "enable", "--interface", "../x")).code, 3);
});

test("a proxy comes and goes; its password is never shown", async () => {
  const proxy = ["device", "network", "proxy"];
  assert.is(await ok(...proxy, "show"), "No proxy is configured.\n");
  assert.is((await azsphere(...proxy, "enable")).code, 2);
  const basic = ["-a", "proxy.example", "-r", "8080", "-t", "basic", "-u", "me", "-p", "secret"];
  const applied = await azsphere(
    ...proxy,
    "apply",
    ...basic,
    "-n",
    "10.0.0.1,10.0.0.2",
    "--enable",
  );
  assert.is(applied.code, 0, applied.error);
  assert.not.match(applied.out, "secret");
  assert.match(await ok(...proxy, "show"), /No proxy addresses : 10\.0\.0\.1, 10\.0\.0\.2\n/);
  await ok(...proxy, "disable");
  assert.is((await json(...proxy, "show")).enabled, false);
  await ok(...proxy, "enable");
  assert.is((await json(...proxy, "show")).enabled, true);
  assert.is(server.os.system.proxy.config?.password, "secret");
  await ok(...proxy, "delete");
  assert.equal(await json(...proxy, "show"), {});
  const port = await azsphere(...proxy, "apply", "-a", "p", "-t", "anonymous", "-r", "99999");
  assert.equal([port.code, port.error.split("\n")[0]], [2, "ERROR: --port is '99999'."]);
});

test("certificates in the store of the device", async () => {
  const words = ["device", "certificate"];
  assert.is(await ok(...words, "list"), "No certificates on the device.\n");
  const ca = ["--public-key-file", join(certDir, "enterprise-wifi-ca.pem")];
  await ok(...words, "add", "-c", "CorporateCA", "-t", "RootCA", ...ca);
  const client = join(certDir, "enterprise-wifi-client");
  const pair = ["--public-key-file", `${client}.pem`, "--private-key-file", `${client}.key`];
  await ok(...words, "add", "--cert-id", "me", "-t", "client", ...pair);
  assert.is(await ok(...words, "list"), "CorporateCA\nme\n");
  assert.match(await ok(...words, "show", "-c", "me"), /^ID +: me\nNot before +: \d{4}-/);
  assert.match(await ok(...words, "show-quota"), /^Available space: \d+ bytes\.\n$/);
  const eap = ["--client-cert-id", "me", "--root-ca-cert-id", "CorporateCA"];
  await ok("device", "wifi", "add", "-s", "Contoso Corporate", ...eap, "--client-id", "me@contoso");
  assert.match(await until(/: connected\n/, "device", "wifi", "show-status"), "WPA-EAP");
  await ok("device", "wifi", "forget", "--id", "0");
  for (const id of ["CorporateCA", "me"]) await ok(...words, "delete", "-c", id);
  assert.is((await azsphere(...words, "show", "-c", "me")).code, 3);
  const type = await azsphere(...words, "add", "-c", "x", "-t", "server", ...ca);
  assert.equal([type.code, type.error.split("\n")[1]], [2, "Choose client or rootca."]);
  const long = await azsphere(...words, "add", "-c", "x".repeat(17), "-t", "rootca", ...ca);
  assert.match(long.error, "more than 16 characters");
});

test("a restart is waited for", async () => {
  const { out } = await azsphere("device", "restart");
  assert.is(out, "Restarting device.\nDevice restarted successfully.\n");
  assert.is((await azsphere("device", "show-attached")).code, 0);
});

test("a capability file takes effect, one for another device does not", async () => {
  // The key that the device takes such files from is no developer's.
  writeFileSync(file("foreign.cap"), capabilityImage(deviceId, [11]));
  const refused = await azsphere(
    "device",
    "capability",
    "update",
    "--capability-file",
    file("foreign.cap"),
  );
  assert.is(refused.code, 1);
  assert.equal(await json("device", "capability", "show-attached"), ["Enable app development"]);
  assert.is((await azsphere("device", "capability", "apply")).code, 2);
});

test("a servicing session ends with --none, and with a restart", async () => {
  const capabilities = () => json("device", "capability", "show-attached");
  const production = (end: string) => readFileSync(join(certDir, `production-signing.${end}`));
  const authority = createSigner(String(production("key")), String(production("pem")));
  writeFileSync(file("servicing.cap"), capabilityImage(deviceId, [13], authority));
  const apply = ["device", "capability", "apply"];
  const begun = await ok(...apply, "--capability-file", file("servicing.cap"));
  assert.match(begun, /^Successfully applied .*\nIt counts until the device restarts\.\n$/);
  assert.equal(await capabilities(), ["Enable field servicing"]);
  assert.is(await ok(...apply, "--none"), "The servicing session has ended.\n");
  assert.equal(await capabilities(), ["Enable app development"]);
  await ok(...apply, "--capability-file", file("servicing.cap"));
  await ok("device", "restart");
  assert.equal(await capabilities(), ["Enable app development"]);
});

test("a recovery shows its progress, and leaves a device as from the factory", async () => {
  await ok("device", "sideload", "deploy", "-p", file("one.imagepackage"));
  await ok("device", "wifi", "add", "-s", "Contoso Guest");
  const { code, out } = await azsphere("device", "recover");
  assert.is(code, 0);
  const lines = out.split("\n");
  assert.equal(lines.slice(0, 6), [
    "Downloading recovery images...",
    "Download complete.",
    "Starting device recovery. Please note that this may take up to 10 minutes.",
    "Board found. Sending recovery bootloader.",
    "Erasing flash.",
    "Sending 10 images. (7212108 bytes to send)",
  ]);
  assert.is(lines[15], "Sent 10 of 10 images. (0 of 7212108 bytes remaining)");
  assert.equal(lines.slice(16), [
    "Finished writing images; rebooting board.",
    `Device ID: ${deviceId}`,
    "Device recovered successfully.",
    "",
  ]);
  assert.is(await ok("device", "wifi", "list"), "No configured networks.\n");
  assert.is(await ok("device", "image", "list-installed"), "No installed images.\n");
  assert.equal(await json("device", "manufacturing-state", "show"), {
    manufacturingState: "Module1Complete",
  });
});

test("a recovery takes images of a folder in place of the release's", async () => {
  const kernel = "ec96028b-080b-4ff5-9ef1-b40264a8c652";
  const images = file("images");
  mkdirSync(images);
  const imageOf = async (component: string) =>
    (await json("device", "image", "list-installed", "--all")).find(
      ({ uid }: { uid: string }) => uid === component,
    ).images[0].uid;
  const before = await imageOf(kernel);
  const recover = ["device", "recover", "--images"];
  assert.match((await azsphere(...recover, images)).error, "There is no image in ");
  assert.match((await azsphere(...recover, file("none"))).error, "cannot be read: ENOENT");
  writeFileSync(join(images, "one.imagepackage"), packApp({ signer }));
  const apps = await azsphere(...recover, images);
  assert.equal([apps.code, /is a part of the device's operating/.test(apps.error)], [2, true]);
  writeFileSync(join(images, "kernel.bin"), packOther(7, kernel, Buffer.alloc(1000)));
  writeFileSync(join(images, "readme.txt"), "no image");
  const out = await ok(...recover, images);
  assert.not.match(out, "Downloading");
  assert.match(out, /\nSending 10 images\. \(\d+ bytes to send\)\n/);
  assert.is(await imageOf(kernel), OTHER_IMAGE);
  await ok("device", "recover");
  assert.is(await imageOf(kernel), before);
});

test("a device is not reachable without the socket of its boot loader", async () => {
  const gone = createTool({ env: { ...env, SPHERULE_DEVICE_RECOVERY: join(folder, "none") } });
  const { code, error } = await gone.azsphere("device", "recover");
  assert.is(code, 1);
  assert.match(error, /boot loader of the device .* cannot be used: connect ENOENT/);
});

test("`az sphere` says the same as JSON, progress apart", async () => {
  const status = await sphere("device", "network", "show-status");
  assert.is(JSON.parse(status.out).proxy, "disabled");
  const deployed = await sphere("device", "sideload", "deploy", "-p", file("one.imagepackage"));
  assert.is(deployed.error, "Deploying 'one.imagepackage' to the attached device.\n");
  const table = await sphere("device", "app", "show-status", "-o", "table");
  assert.match(table.out, /^ComponentId +State\n-+ {2}-+\n2f074b0f/);
  const quiet = await sphere("device", "sideload", "delete", "--only-show-errors");
  assert.is(quiet.error, "");
});

test("formats: table with rules, tab-separated, YAML, none, a query", async () => {
  const args = ["device", "list-attached"];
  const table = (await ok(...args, "-o", "table")).split("\n");
  assert.is(table[1]?.startsWith("Device Id "), true);
  assert.match(table[2] ?? "", /^=+$/);
  assert.is(table[0]?.length, table[2]?.length);
  assert.is(table[0], table[4]);
  assert.is(await ok(...args, "-o", "tsv"), `${deviceId}\t127.0.0.1\t1\ttrue\n`);
  assert.match(await ok(...args, "-o", "yaml"), `- deviceId: ${deviceId}\n`);
  assert.match(await ok(...args, "-o", "yamlc"), "  isResponsive: true\n");
  assert.is(await ok(...args, "-o", "none"), "");
  assert.match(await ok(...args, "--query", "[0].connectionPath"), /^-+\nResult\n=+\n1\n/);
  const bad = await azsphere(...args, "--query", "[");
  assert.is(bad.code, 2);
  assert.is((await azsphere(...args, "-o", "xml")).code, 2);
});

test("--verbose tells which requests are sent", async () => {
  const { error } = await azsphere("device", "wifi", "list", "--verbose");
  assert.is(error, `GET ${env.SPHERULE_DEVICE_REST}/wifi/config/networks\n`);
});

test("support data is a zip with what the device tells", async () => {
  const { execFileSync } = await import("node:child_process");
  await ok("get-support-data", "--destination", file("support.zip"));
  assert.is(readFileSync(file("support.zip")).readUInt32LE(0), 0x04034b50);
  const script =
    "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); print(z.testzip(), z.namelist())";
  const listed = execFileSync("python3", ["-c", script, file("support.zip")], { encoding: "utf8" });
  assert.match(listed, /^None \['version\.txt', 'device-log\.bin', /);
});

test.run();
