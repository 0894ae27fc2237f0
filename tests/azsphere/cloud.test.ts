import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseManifest } from "../../host-sim/imagepackage/index.ts";
import { readHardware } from "../../host-sim/lab/app-image.ts";
import { developmentKey } from "../../host-sim/lab/signing-key.ts";
import { startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { manifestText, ONE, packApp, TWO, WASM } from "../device-rest/packages.ts";
import { createTool, temporaryFolder } from "./support.ts";

const test = suite("azsphere: the Security Service");
const { folder, remove } = temporaryFolder();
const stateFolder = join(folder, ".spherule");
const lab = await startLab({
  app: {
    ...{ manifest: parseManifest(manifestText({ component: TWO })), wasm: WASM, file: "app.wasm" },
    hardware: readHardware(packageFolder()),
  },
  ...{ stateFolder, unclaimed: true },
});
const { deviceId } = lab.device;
process.env.SPHERULE_API = lab.description.api;
const env = { SPHERULE_SETTINGS: join(folder, "settings.json") };
const { azsphere, sphere, ok, json } = createTool({ env });
const { signer } = developmentKey(stateFolder);
const file = (name: string) => join(folder, name);
writeFileSync(file("one.imagepackage"), packApp({ signer, name: "One" }));
const CATALOG = ["-c", "lab", "-g", "lab"];

test.after(async () => {
  await lab.stop();
  remove();
});

test("a tenant is made with the attached device, and has to be selected among several", async () => {
  assert.match(await ok("tenant", "show-selected"), /^Default Azure Sphere tenant ID is 'lab' \(/);
  const text = await ok("tenant", "create", "--name", "Contoso");
  const [head, name, id] = text.split("\n");
  assert.equal([head, name], ["Created a new Azure Sphere tenant:", " --> Tenant Name: Contoso"]);
  assert.match(id ?? "", /^ --> Tenant ID: {3}[0-9a-f-]{36}$/);
  const again = await azsphere("tenant", "create", "-n", "Fabrikam");
  assert.match(again.error, "The attached device has made the tenant 'Contoso'.\nAdd --force-add");
  await ok("tenant", "create", "-n", "Fabrikam", "--force-additional");
  const taken = await azsphere("tenant", "create", "-n", "contoso", "--force-additional");
  assert.match(taken.error, "There is a tenant 'contoso'.");
  const bad = await azsphere("tenant", "create", "-n", "no/name", "--force-additional");
  assert.match(bad.error, "'no/name' is no name of a tenant.");
  assert.is(bad.code, 1);
  const listed = await json("tenant", "list");
  assert.equal(Object.keys(listed[0]), ["id", "name", "roles"]);
  const many = await azsphere("product", "list");
  assert.is(many.code, 2);
  assert.match(many.error, /You have access to 3 tenants, and none is selected\./);
  assert.is((await azsphere("tenant", "select", "-t", "Nowhere")).code, 3);
  const selected = await json("tenant", "select", "--tenant", "contoso");
  assert.equal(await json("tenant", "show-selected"), selected);
  assert.equal(Object.keys(selected), ["id", "name"]);
});

test("a claim is asked for, and is for ever", async () => {
  const unasked = await azsphere("device", "claim", "--tenant", "lab");
  assert.is(unasked.code, 1);
  assert.match(unasked.error, "Unable to prompt for confirmation");
  const no = createTool({ env, answer: "no" });
  assert.match((await no.azsphere("device", "claim", "-t", "lab")).error, "Nothing was done.");
  const yes = createTool({ env, answer: "yes" });
  const claimed = await yes.azsphere("device", "claim", "-t", "lab");
  assert.is(claimed.code, 0, claimed.error);
  const { id } = (await json("tenant", "list")).find(
    ({ name }: { name: string }) => name === "lab",
  );
  assert.ok(
    claimed.out.endsWith(
      `Claiming device.\nSuccessfully claimed device ID '${deviceId}' into tenant with ID '${id}'.\n`,
    ),
  );
  await ok("device", "claim", "--force", "-t", "lab");
  const half = await azsphere("device", "claim", "--force", "-t", "lab", "-p", "Fridge");
  assert.equal(
    [half.code, half.error.split("\n")[0]],
    [2, "ERROR: --product names no device group."],
  );
  const defaults = ["-p", ".default", "-dg", ".default", ...CATALOG];
  assert.is((await sphere("device", "claim", ...defaults)).code, 0);
  const other = await azsphere("device", "claim", "--force", "-t", "Contoso");
  assert.is(other.code, 1);
  assert.match(other.error, /tenant/);
  assert.match((await azsphere("tenant", "create", "-n", "Late")).error, "is claimed already");
  await ok("tenant", "select", "-t", "lab");
});

test("products and device groups in both grammars", async () => {
  const made = await json("product", "create", "-n", "Fridge", "-d", "cold");
  assert.equal([made.name, made.description], ["Fridge", "cold"]);
  assert.is((await azsphere("product", "create", "-n", "fridge")).code, 1);
  const groups = await json("device-group", "list", "-p", "Fridge");
  assert.is(groups.length, 5);
  const pilots = ["--name", "Pilots", "--product", "Fridge", "--os-feed", "RetailEval"];
  assert.is((await json("device-group", "create", ...pilots)).osFeedType, "RetailEval");
  const update = ["--device-group", "Fridge/Pilots", "--os-feed", "Retail"];
  assert.is((await json("device-group", "update", ...update)).osFeedType, "Retail");
  const az = ["device-group", "show", "--device-group", "Pilots", "-p", "Fridge", ...CATALOG];
  const shown = JSON.parse((await sphere(...az)).out);
  assert.is(shown.properties.osFeedType, "Retail");
  assert.match(shown.id, "/catalogs/lab/products/Fridge/deviceGroups/Pilots");
  const none = ["device-group", "update", "-a", "NoUpdates"];
  assert.is((await json(...none, "-g", "Fridge/Pilots")).updatePolicy, "NoUpdates");
  const azNone = await sphere(...none, "-dg", "Pilots", "-p", "Fridge", ...CATALOG);
  assert.equal([azNone.code, azNone.error.includes("which `az sphere` does not know")], [2, true]);
  await ok("device-group", "delete", "-g", "Fridge/Pilots");
  await ok("product", "create", "-n", "Bare", "-g");
  assert.is((await azsphere("device-group", "show", "-g", "Fridge/Pilots")).code, 3);
  assert.is((await azsphere("device-group", "show", "-g", "Pilots")).code, 2);
  assert.equal(await json("product", "device-group", "list", "-p", "Bare"), []);
  const defaults = ["device-group", "create-defaults", "-p", "Bare", ...CATALOG];
  assert.is(JSON.parse((await sphere(...defaults)).out).length, 5);
  assert.is((await json("product", "update", "-p", "Bare", "-d", "new")).description, "new");
  await ok("product", "delete", "-p", "Bare");
  assert.is((await azsphere("product", "show", "-p", "Bare")).code, 3);
});

test("`az sphere` needs a catalog, by options or defaults", async () => {
  const bare = await sphere("product", "list");
  assert.is(bare.code, 2);
  assert.match(bare.error, "required: --catalog/-c, --resource-group/-g");
  const az = createTool({ env: { SPHERULE_SETTINGS: file("az.json") } });
  await az.az("config", "set", "defaults.sphere.catalog=lab", "defaults.group=lab");
  assert.is((await az.sphere("product", "list")).code, 0);
  assert.is((await az.sphere("product", "list", "-c", "nowhere")).code, 3);
  const created = await az.sphere("catalog", "create", "--name", "Northwind");
  assert.is(JSON.parse(created.out).name, "Northwind");
  const listed = JSON.parse((await az.sphere("catalog", "list", "-g", "lab")).out);
  assert.ok(listed.some(({ name }: { name: string }) => name === "Northwind"));
  assert.is((await az.sphere("catalog", "delete", "--name", "Northwind", "-y")).code, 0);
  assert.is((await az.sphere("catalog", "show", "--name", "Northwind")).code, 3);
  assert.is((await az.sphere("catalog", "delete", "--name", "lab")).code, 1);
});

test("devices are moved, listed, counted and shown", async () => {
  const moved = await json("device", "update", "--device-group", "Fridge/Production");
  assert.equal(
    [moved.id, moved.productId, moved.deviceGroupId],
    [deviceId, "Fridge", "Fridge/Production"],
  );
  assert.equal(await json("device", "show-count", "-p", "Fridge"), { count: 1 });
  assert.equal(await json("device", "show-count", "-p", "Oven"), { count: 0 });
  assert.is((await json("device", "list", "-dg", "Production"))[0].id, deviceId);
  assert.is((await json("device-group", "device", "list", "-g", "Fridge/Production")).length, 1);
  assert.equal(await json("device-group", "show-count", "-g", "Fridge/Production"), { count: 1 });
  const inUse = await azsphere("product", "delete", "-p", "Fridge");
  assert.match(inUse.error, "Product 'Fridge' has 1 device(s)");
  const gone = JSON.parse((await sphere("device", "unassign", ...CATALOG)).out);
  assert.match(gone.id, "/products/.default/deviceGroups/.unassigned/devices/");
  const target = ["--target-product", "Fridge", "--target-device-group", "Field Test"];
  assert.is((await sphere("device", "assign", ...target, ...CATALOG)).code, 0);
  assert.is((await json("device", "show")).deviceGroupId, "Fridge/Field Test");
  const unknown = await azsphere("device", "show", "-d", "0".repeat(128));
  assert.is(unknown.code, 3);
});

test("claiming again into the same tenant leaves the device in its group", async () => {
  for (const force of [[], ["--force"]]) {
    assert.match(await ok("device", "claim", ...force), "Successfully claimed device ID");
    assert.is((await json("device", "show")).deviceGroupId, "Fridge/Field Test");
  }
  assert.is((await sphere("device", "claim", ...CATALOG)).code, 0);
  assert.is((await json("device", "show")).deviceGroupId, "Fridge/Field Test");
});

test("cloud test takes development away, development brings it back", async () => {
  // The lab's own app is one that came by cable.
  const tested = await azsphere("device", "enable-cloud-test", "--product", "Fridge");
  assert.is(tested.code, 0, tested.error);
  assert.match(tested.out, `Component '${TWO}' deleted.\n`);
  assert.match(tested.out, "for cloud test, and enabled over-the-air updates.\n");
  assert.equal(await json("device", "capability", "show-attached"), []);
  assert.is((await json("device", "show")).deviceGroupId, "Fridge/Field Test");
  const refused = await azsphere("device", "sideload", "deploy", "-p", file("one.imagepackage"));
  assert.match(refused.error, "check if application development capability is enabled");
  const enabled = await azsphere("device", "enable-development");
  assert.is(enabled.code, 0, enabled.error);
  assert.equal(enabled.out.split("\n").slice(0, 6), [
    "Getting device capability configuration for application development.",
    "Setting device group to 'Development' of product 'Fridge'.",
    "Successfully disabled over-the-air updates.",
    "Applying device capability configuration to device.",
    "The device is rebooting.",
    "Installing debugging server to device.",
  ]);
  assert.match(
    enabled.out,
    `Successfully set up device '${deviceId}' for application development,`,
  );
  assert.match(await ok("device", "image", "list-installed"), " --> gdbserver\n");
  await ok("device", "sideload", "deploy", "-p", file("one.imagepackage"));
  await ok("device", "sideload", "delete");
  assert.match(await ok("device", "image", "list-installed"), " --> gdbserver\n");
});

test("a capability file is for one device", async () => {
  const cap = file("development.cap");
  await ok("device", "capability", "download", "--destination", cap);
  await ok("device", "capability", "update", "--capability-file", cap);
  assert.equal(await json("device", "capability", "show-attached"), ["Enable app development"]);
  assert.is((await azsphere("device", "capability", "download", "--type", "Root")).code, 2);
  await ok("device", "capability", "apply", "--capability-file", cap);
  assert.equal(await json("device", "capability", "show-attached"), ["Enable app development"]);
});

test("images are uploaded, deployed, targeted and downloaded", async () => {
  const added = await ok("image", "add", "--image", file("one.imagepackage"));
  const lines = added.split("\n");
  assert.is(lines[0], "Uploading image from file 'one.imagepackage':");
  assert.is(lines[2], ` --> Component ID:   ${ONE}`);
  const [, imageId = ""] =
    /^Successfully uploaded image with ID '([^']*)' and name 'One'/m.exec(added) ?? [];
  assert.is((await json("image", "show", "-i", imageId)).componentId, ONE);
  assert.is((await json("image", "list")).length, 1);
  await ok("image", "download", "-i", imageId, "--destination", file("signed.imagepackage"));
  const shown = await azsphere("image-package", "show", file("signed.imagepackage"));
  assert.is(shown.code, 0, shown.error);
  await ok("device", "update", "--device-group", "Fridge/Field Test");
  const create = ["--device-group", "Fridge/Field Test", "--images", imageId];
  const text = await ok("device-group", "deployment", "create", ...create);
  const [, deploymentId = ""] =
    /^Successfully created deployment with ID '([^']*)'/.exec(text) ?? [];
  const [deployment] = await json("device-group", "deployment", "list", "-g", "Fridge/Field Test");
  assert.equal([deployment.id, deployment.deployedImages], [deploymentId, [imageId]]);
  assert.is((await json("deployment", "show", "-di", deploymentId)).id, deploymentId);
  assert.is((await azsphere("deployment", "show", "-di", ONE)).code, 3);
  const targeted = await ok("device", "image", "list-targeted");
  assert.match(targeted, `the images to be installed on device with ID '${deviceId}' from the`);
  assert.match(targeted, `   --> Image ID:     ${imageId}\n`);
  const status = await json("device", "show-deployment-status");
  assert.equal([status.deviceId, status.targetedImages], [deviceId, 1]);
  const used = await azsphere("image", "delete", "-i", imageId);
  assert.match(used.error, "is in the current deployment");
  const none = await azsphere("deployment", "create", "-g", "Fridge/Field Test", "-i", TWO);
  assert.is(none.code, 3);
});

test("CA certificates, the chain, and a proof of possession", async () => {
  const [first] = await json("ca-certificate", "list");
  assert.equal([first.index, first.status], [1, "Active"]);
  await ok("ca-certificate", "download", "--destination", file("ca.cer"));
  const ca = new X509Certificate(readFileSync(file("ca.cer")));
  assert.ok(ca.ca);
  assert.match(ca.subject, "CN=Microsoft Azure Sphere ");
  await ok("tenant", "download-ca-certificate", "--output-file", file("ca.pem"), "--index", "1");
  assert.is(new X509Certificate(readFileSync(file("ca.pem"))).fingerprint256, ca.fingerprint256);
  await ok("ca-certificate", "download-chain", "--destination", file("chain.p7b"));
  assert.is(readFileSync(file("chain.p7b"))[0], 0x30);
  const proof = ["--destination", file("proof.cer"), "--verification-code", "1A2B"];
  await ok("ca-certificate", "download-proof", ...proof);
  const proven = new X509Certificate(readFileSync(file("proof.cer")));
  assert.match(proven.subject, "CN=1A2B");
  assert.ok(proven.verify(ca.publicKey));
  const az = await sphere("ca-certificate", "download", "-of", file("az.cer"), ...CATALOG);
  assert.is(az.code, 0, az.error);
  const index = ["--destination", file("x.cer"), "--index", "9"];
  assert.is((await azsphere("ca-certificate", "download", ...index)).code, 3);
});

test("a file that cannot be written is an error and no crash", async () => {
  const [{ imageId }] = await json("image", "list");
  const places = [
    [file("none/x"), "ENOENT"],
    [folder, "EISDIR"],
  ] as const;
  for (const [place, why] of places) {
    for (const words of [
      ["ca-certificate", "download", "--destination"],
      ["ca-certificate", "download-chain", "--destination"],
      ["ca-certificate", "download-proof", "--verification-code", "1A", "--destination"],
      ["tenant", "download-error-report", "--destination"],
      ["device", "capability", "download", "--output-file"],
      ["image", "download", "--image", imageId, "--destination"],
      ["get-support-data", "--destination"],
    ]) {
      const { code, error } = await azsphere(...words, place);
      assert.is(code, 1, words.join(" "));
      assert.match(error, `ERROR: ${place} cannot be written: ${why}`);
      assert.match(error, "\nName a file in a folder that is there");
    }
  }
});

test("a tenant is renamed, its catalog keeps its name", async () => {
  const renamed = await ok("tenant", "update", "--new-name", "Kitchen lab");
  assert.is(renamed, "Successfully renamed the tenant 'lab' to 'Kitchen lab'.\n");
  assert.is((await json("tenant", "show-selected")).name, "Kitchen lab");
  assert.is((await json("product", "list", "-t", "kitchen LAB"))[0].name, "Fridge");
  assert.is((await sphere("product", "list", ...CATALOG)).code, 0);
  const taken = await azsphere("tenant", "update", "-n", "contoso");
  assert.match(taken.error, "There is a tenant 'contoso'.");
  for (const name of ["", " x", "a/b", "x".repeat(51)]) {
    assert.is((await azsphere("tenant", "update", "-n", name)).code, 1, name);
  }
  await ok("tenant", "update", "-n", "lab");
});

test("roles are given and taken, and the service heeds them", async () => {
  const bob = createTool({ env: { SPHERULE_SETTINGS: file("bob.json") } });
  assert.equal(await bob.json("show-user"), { name: "lab" });
  assert.match(await bob.ok("login", "-u", "Bob@example.com"), "You are 'bob@example.com' now;");
  assert.equal(await bob.json("show-user"), { name: "bob@example.com" });
  assert.equal(await bob.json("tenant", "list"), []);
  const none = await bob.sphere("product", "list", ...CATALOG);
  assert.is(none.code, 1);
  assert.match(none.error, "does not have authorization to perform action");
  assert.match(none.error, "an administrator gives one with `azsphere role add`.\n");
  const as = (role: string) => ["--user", "bob@example.com", "--role", role];
  await ok("role", "add", ...as("reader"));
  assert.equal(
    (await bob.json("tenant", "list")).map(({ name, roles }: Record<string, string>) => [
      name,
      roles,
    ]),
    [["lab", "Reader"]],
  );
  assert.is((await bob.json("product", "list"))[0].name, "Fridge");
  assert.is((await bob.azsphere("product", "create", "-n", "Oven")).code, 1);
  await ok("role", "add", ...as("Contributor"));
  assert.is((await azsphere("role", "add", ...as("Contributor"))).code, 1);
  assert.is((await azsphere("role", "add", ...as("King"))).code, 2);
  assert.is((await bob.json("product", "create", "-n", "Oven")).name, "Oven");
  assert.is((await bob.azsphere("role", "add", ...as("Administrator"))).code, 1);
  assert.is((await json("role", "show", "-u", "bob@example.com")).roles, "Contributor, Reader");
  assert.equal(
    (await json("role", "list")).map(({ name }: { name: string }) => name),
    ["lab", "bob@example.com"],
  );
  await ok("role", "delete", ...as("Contributor"));
  assert.is((await azsphere("role", "delete", ...as("Contributor"))).code, 3);
  assert.is((await bob.azsphere("product", "delete", "-p", "Oven")).code, 1);
  assert.match(await bob.ok("logout"), "needs no account");
  await bob.ok("product", "delete", "-p", "Oven", "-t", "lab");
  await ok("role", "delete", ...as("Reader"));
  assert.is((await bob.azsphere("login", "-u", "no name")).code, 1);
  assert.equal((await json("role", "show-types")).length, 3);
  const account = async (...args: string[]) => JSON.parse((await bob.az(...args)).out);
  assert.is(
    (await account("login", "--username", "eve@example.com"))[0].user.name,
    "eve@example.com",
  );
  assert.is((await account("account", "show")).user.name, "eve@example.com");
  assert.is((await bob.az("logout")).code, 0);
  assert.is((await account("account", "show")).user.name, "lab");
});

test("commands wait for what takes the service its time, and tell how it ended", async () => {
  const take = (operationSeconds: number) =>
    fetch(`${lab.description.api}/security-service`, {
      method: "POST",
      body: JSON.stringify({ operationSeconds }),
    });
  assert.is((await take(-1)).status, 400);
  assert.is((await take(1)).status, 204);
  const from = lab.clock.now();
  assert.is((await json("product", "create", "-n", "Slow")).name, "Slow");
  assert.ok(lab.clock.now() - from >= 1_000);
  writeFileSync(file("bad.imagepackage"), "no package");
  const bad = await azsphere("image", "add", "--image", file("bad.imagepackage"));
  assert.is(bad.code, 1);
  assert.match(bad.error, "ERROR: ");
  const unknown = ["deployment", "create", "-g", "Slow/Field Test", "-i", TWO];
  assert.is((await azsphere(...unknown)).code, 3);
  await ok("product", "delete", "-p", "Slow");
  assert.is((await take(0)).status, 204);
  assert.is((await azsphere("product", "show", "-p", "Slow")).code, 3);
});

test("an update of the system restarts the device, and its REST API tells the new version", async () => {
  let restarted = false;
  const unwatch = lab.device.onPower((on) => {
    restarted = on;
  });
  const post = (path: string, body: object) =>
    fetch(lab.description.api + path, { method: "POST", body: JSON.stringify(body) });
  await post("/os-releases", { version: "24.12", retailNow: true });
  await ok("device", "update-check");
  while (!restarted) {
    lab.clock.jump(1_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  while ((await azsphere("device", "show-os-version")).code !== 0) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.is((await json("device", "show-os-version")).osversion, "24.12");
  assert.is((await json("device", "show")).lastInstalledOsVersion, "24.12");
  unwatch();
});

test("error reports, users, an update check, a recovery through the lab", async () => {
  await ok("tenant", "download-error-report", "--destination", file("errors.csv"));
  assert.match(readFileSync(file("errors.csv"), "utf8"), /^deviceId,description,eventType/);
  assert.is((await json("role", "list"))[0].roles, "Administrator");
  assert.equal(await json("show-user"), { name: "lab" });
  assert.match(await ok("device", "update-check"), /^The device looks for updates: /);
  const support = ["get-support-data", "-of", file("support.zip"), ...CATALOG];
  assert.is((await sphere(...support)).code, 0);
  const zipped = readFileSync(file("support.zip"), "latin1");
  assert.ok(
    ["service-device.json", "service-insights.json"].every((name) => zipped.includes(name)),
  );
  assert.is((await sphere(...support.slice(0, 3))).code, 0, "without a catalog there is the rest");
  assert.match(readFileSync(file("support.zip"), "latin1"), "service.refused.txt");
  const recovered = await json("device", "recover");
  assert.is(recovered.deviceId, deviceId);
  assert.is(recovered.osVersion, "24.12");
  assert.equal(await json("device", "wifi", "list"), []);
  assert.is((await json("device", "show")).id, deviceId);
});

test.run();
