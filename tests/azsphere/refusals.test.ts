import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { startDeviceServer } from "../../host-sim/lab/device-server.ts";
import { developmentKey } from "../../host-sim/lab/signing-key.ts";
import { capabilityImage, ONE, packApp, TWO } from "../device-rest/packages.ts";
import { createTool, temporaryFolder } from "./support.ts";

const test = suite("azsphere: what is refused, and what it says then");
const { folder, remove } = temporaryFolder();
const certDir = join(folder, "certs");
const server = await startDeviceServer({
  ...{ address: "127.0.0.1", port: 0, dcsPort: 0, outputPort: 0, rebootMs: 20, certDir },
});
const env = {
  SPHERULE_DEVICE_REST: `https://127.0.0.1:${server.rest.port}`,
  SPHERULE_DEVICE_CA: server.caFile,
  SPHERULE_DEVICE_RECOVERY: server.recovery,
  SPHERULE_SETTINGS: join(folder, "settings.json"),
};
const { azsphere, ok, json } = createTool({ env });
const { signer } = developmentKey(certDir);
const file = (name: string) => join(folder, name);
writeFileSync(file("one.imagepackage"), packApp({ signer, name: "One" }));

test.after(async () => {
  await server.stop();
  remove();
});
test.after.each(async () => {
  await ok("device", "sideload", "delete");
});

test("a CA that is missing, unreadable or no certificate is named", async () => {
  const { SPHERULE_DEVICE_CA: _ca, ...without } = env;
  writeFileSync(file("no.pem"), "no certificate");
  for (const [ca, said] of [
    [undefined, "SPHERULE_DEVICE_CA is not set.\n"],
    [file("nowhere.pem"), `SPHERULE_DEVICE_CA: ${file("nowhere.pem")} cannot be read: ENOENT`],
    [file("no.pem"), `SPHERULE_DEVICE_CA: ${file("no.pem")} has no certificate in PEM.`],
  ] as const) {
    const given = ca === undefined ? without : { ...without, SPHERULE_DEVICE_CA: ca };
    const { code, error } = await createTool({ env: given }).azsphere("device", "show-attached");
    assert.equal([code, error.includes(said)], [1, true], error);
  }
});

test("an argument out of its choices is named before anything is sent", async () => {
  const proxy = ["device", "network", "proxy", "apply", "-a", "proxy.example", "-r", "8080"];
  for (const [args, said] of [
    [["device", "manufacturing-state", "update", "-s", "Foo"], "--manufacturing-state is 'Foo'."],
    [[...proxy, "-t", "foo"], "--authentication is 'foo'.\nChoose anonymous or basic."],
    [[...proxy, "-t", "basic"], "--username is missing."],
    [[...proxy, "-t", "anonymous", "-u", "me"], "--authentication anonymous takes no --username"],
    [
      ["ca-certificate", "download-proof", "--destination", file("x"), "--verification-code", ""],
      "--verification-code is empty.",
    ],
  ] as const) {
    const { code, error } = await azsphere(...args, "--verbose");
    assert.is(code, 2, error);
    assert.is(error.startsWith(`ERROR: ${said}`), true, error);
  }
});

test("an error says that the log has more only where it has", async () => {
  const absent = await azsphere("device", "wifi", "show", "--id", "7");
  assert.is(absent.error.split("\n")[1], "`device wifi list` prints those that there are.");
  const mac = ["device", "network", "update-interface", "--interface", "wlan0"];
  const wrong = await azsphere(...mac, "--hardware-address", "zz");
  assert.is(
    wrong.error.split("\n")[1],
    "Nothing was changed. Correct it and type the command again.",
  );
});

test("a conflict over a pin names the pin and the application that holds it", async () => {
  for (const [name, component] of [
    ["Blink", ONE],
    ["Rival", TWO],
  ] as const) {
    const capabilities = { Gpio: [8, 9] };
    const bytes = packApp({ signer, name, component, capabilities });
    writeFileSync(file(`${name}.imagepackage`), bytes);
  }
  const deploy = ["device", "sideload", "deploy", "-p"];
  await ok(...deploy, file("Blink.imagepackage"));
  const refused = await azsphere(...deploy, file("Rival.imagepackage"));
  assert.match(refused.error, "pins or peripherals: pin 8 is held by 'Blink'. (Device error 1.25)");
  await ok(...deploy, file("Rival.imagepackage"), "--manual-start");
  const started = await azsphere("device", "app", "start", "-i", TWO);
  assert.match(started.error, "pin 8 is held by 'Blink'.");
});

test("--manual-start of an image that runs already says that it runs", async () => {
  const deploy = ["device", "sideload", "deploy", "-p", file("one.imagepackage")];
  await ok(...deploy);
  const again = await ok(...deploy, "--manual-start");
  assert.match(again, "The same image was on the device already; the application is running.\n");
  await ok("device", "app", "stop");
  assert.match(await ok(...deploy, "--manual-start"), "was not automatically started.");
});

test("what is no capability file for this device is refused before anything is sent", async () => {
  writeFileSync(file("other.cap"), capabilityImage("0".repeat(128), [11]));
  writeFileSync(file("text.cap"), "no image");
  for (const [name, said] of [
    ["one.imagepackage", "is no capability file: it is an image of type 10."],
    ["other.cap", "is for the device 000000000000… and not for "],
    ["text.cap", ""],
  ] as const) {
    for (const words of [
      ["device", "capability", "update", "--capability-file"],
      ["device", "capability", "apply", "--capability-file"],
      ["device", "recover", "--capability"],
    ]) {
      const { code, error } = await azsphere(...words, file(name), "--verbose");
      assert.is(code, 1, `${words.join(" ")} ${name}`);
      assert.match(error, said);
      assert.not.match(error, "/update/");
    }
  }
  assert.is(await ok("device", "app", "show-status"), "No applications on the device.\n");
  assert.equal(await json("device", "capability", "show-attached"), ["Enable app development"]);
});

test.run();
