import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { main } from "../../host-sim/cli/main.ts";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import { createSasToken } from "../../host-sim/hub/service/sas.ts";
import { parseManifest } from "../../host-sim/imagepackage/index.ts";
import { readHardware } from "../../host-sim/lab/app-image.ts";
import { startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { manifestText, TWO, WASM } from "../device-rest/packages.ts";
import { makeAuthority } from "../hub/support.ts";
import { newProject } from "./support.ts";

const test = suite("spherule hub and spherule dps, in the grammar of az");
const { folder, remove } = newProject();
const lab = await startLab({
  app: {
    ...{ manifest: parseManifest(manifestText({ component: TWO })), wasm: WASM, file: "app.wasm" },
    hardware: readHardware(packageFolder()),
  },
});
process.env.SPHERULE_API = lab.description.api;

test.after(async () => {
  await lab.stop();
  remove();
});

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, against the lab's sockets. */
async function run(...args: string[]): Promise<Result> {
  const written = { stdout: "", stderr: "" };
  const restore = (["stdout", "stderr"] as const).map((name) => {
    const { write } = process[name];
    process[name].write = ((text: string) => {
      written[name] += text;
      return true;
    }) as typeof write;
    return () => {
      process[name].write = write;
    };
  });
  process.exitCode = 0;
  try {
    await main(args);
    return { code: Number(process.exitCode), ...written };
  } finally {
    for (const each of restore) each();
    process.exitCode = 0;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the shapes are what the tests are about
async function json(...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await run(...args);
  assert.is(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout === "" ? undefined : JSON.parse(stdout);
}

const hub = (...args: string[]) => json("hub", ...args);
const dps = (...args: string[]) => json("dps", ...args);

async function refused(...args: string[]): Promise<string> {
  const { code, stderr } = await run(...args);
  assert.is.not(code, 0, args.join(" "));
  return stderr;
}

const file = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const keysOf = async (id: string) =>
  (await hub("device-identity", "show", "-d", id)).authentication.symmetricKey;

test("device identities: edge, keys, thumbprints, etags", async () => {
  const made = await hub("device-identity", "create", "-d", "d1", "--ee");
  assert.is(made.capabilities.iotEdge, true);
  assert.equal(
    (await hub("device-identity", "list", "--ee")).map(
      (each: { deviceId: string }) => each.deviceId,
    ),
    ["d1"],
  );
  assert.is((await hub("device-identity", "list", "--top", "1")).length, 1);
  const before = await keysOf("d1");
  await hub("device-identity", "renew-key", "-d", "d1", "--kt", "primary");
  const renewed = await keysOf("d1");
  assert.is.not(renewed.primaryKey, before.primaryKey);
  assert.is(renewed.secondaryKey, before.secondaryKey);
  await hub("device-identity", "renew-key", "-d", "d1", "--key-type", "swap");
  assert.equal(await keysOf("d1"), {
    primaryKey: renewed.secondaryKey,
    secondaryKey: renewed.primaryKey,
  });
  const print = "A".repeat(40);
  const changed = await hub("device-identity", "update", "-d", "d1", "--ptp", print);
  assert.is(changed.authentication.x509Thumbprint.primaryThumbprint, print);
  const stale = ["device-identity", "update", "-d", "d1", "--sta", "disabled", "-e", made.etag];
  assert.match(await refused("hub", ...stale), "PreconditionFailed");
  assert.match(await refused("hub", "device-identity", "delete", "-d", "d1", "-e", "x"), "412");
  await hub("device-identity", "delete", "-d", "d1", "--etag", changed.etag);
});

test("what cannot be is told with its flag and what to type instead", async () => {
  const create = ["hub", "device-identity", "create"];
  assert.match(await refused(...create), "required option '-d, --device-id <id>'");
  assert.match(
    await refused(...create, "-d", "x", "--am", "password"),
    /error option-invalid: --auth-method password is not known\.\nUse shared_private_key, x509_/,
  );
  assert.match(await refused(...create, "-d", "a b"), "ArgumentInvalid");
  assert.match(await refused(...create, "-d", "x", "--am", "x509_thumbprint"), "thumbprint");
  assert.match(await refused("hub", "device-identity", "list", "--top", "many"), "no whole number");
  assert.match(await refused("hub", "query", "-q", "SELECT * FROM"), "cannot be read");
  assert.match(await refused("hub", "device-twin", "show", "-d", "nobody"), "DeviceNotFound");
  assert.match(
    await refused("hub", "device-twin", "update", "-d", "nobody", "--tags", "{"),
    "error json-invalid",
  );
  assert.match(
    await refused("hub", "device-twin", "update", "-d", "nobody", "--tags", "none.json"),
    "error file-unreadable",
  );
});

test("connection strings of devices, modules, policies and events, with either key", async () => {
  await hub("device-identity", "create", "-d", "d2");
  const { primaryKey, secondaryKey } = await keysOf("d2");
  const name = ["connection-string", "show"];
  const first = await hub("device-identity", ...name, "-d", "d2");
  assert.match(first.connectionString, `;DeviceId=d2;SharedAccessKey=${primaryKey}`);
  const second = await hub("device-identity", ...name, "-d", "d2", "--kt", "secondary");
  assert.match(second.connectionString, `;DeviceId=d2;SharedAccessKey=${secondaryKey}`);
  await hub("module-identity", "create", "-d", "d2", "-m", "m", "--am", "x509_ca");
  const module = await hub("module-identity", ...name, "-d", "d2", "-m", "m");
  assert.match(module.connectionString, ";DeviceId=d2;ModuleId=m;x509=true");
  const policy = await hub("policy", "show", "--pn", "service");
  const shown = await hub(...name, "--pn", "service", "--kt", "secondary");
  assert.match(shown.connectionString, `SharedAccessKey=${policy.secondaryKey}`);
  const short = await hub("connection-string", "--pn", "service");
  assert.match(short.connectionString, `SharedAccessKey=${policy.primaryKey}`);
  const events = await hub(...name, "--pn", "service", "--eh");
  assert.match(
    events.connectionString,
    /^Endpoint=sb:.*;SharedAccessKeyName=service;.*EntityPath=/,
  );
  assert.match(await refused("hub", ...name, "--pn", "nobody"), "error policy-unknown");
  assert.is((await hub("policy", "list")).length, 5);
});

test("tokens of policies and devices are taken by the hub", async () => {
  const { sas } = await hub("generate-sas-token", "--pn", "service", "--du", "60");
  const { key = "" } = lab.hub.policies.find("service") ?? {};
  const expiry = Number(/se=(\d+)/.exec(sas)?.[1]);
  assert.is(sas, createSasToken(lab.hub.hostName, key, expiry, "service"));
  assert.ok(expiry * 1000 - lab.clock.now() <= 60_000);
  const own = await hub("generate-sas-token", "-d", "d2");
  assert.match(own.sas, "sr=spherule-lab.azure-devices.net%2Fdevices%2Fd2&");
  assert.match(await refused("hub", "generate-sas-token", "-d", "d2", "-m", "m"), "no key");
});

test("twins: files, etags, whole twins, lists", async () => {
  const tags = file("tags.json", '{"floor":2}');
  const twin = await hub("device-twin", "update", "-d", "d2", "--tags", tags);
  assert.equal(twin.tags, { floor: 2 });
  const stale = ["device-twin", "update", "-d", "d2", "--desired", '{"x":1}', "-e", "old"];
  assert.match(await refused("hub", ...stale), "PreconditionFailed");
  const whole = '{"tags":{"floor":3},"properties":{"desired":{"y":1}}}';
  const replaced = await hub("device-twin", "replace", "-d", "d2", "-j", whole, "-e", twin.etag);
  assert.equal(replaced.tags, { floor: 3 });
  assert.is(replaced.properties.desired.y, 1);
  assert.ok((await hub("device-twin", "list")).length >= 2);
  assert.is((await hub("query", "-q", "SELECT * FROM devices", "--top", "1")).length, 1);
  await hub("module-twin", "update", "-d", "d2", "-m", "m", "--desired", '{"z":1}');
  assert.is((await hub("module-twin", "show", "-d", "d2", "-m", "m")).properties.desired.z, 1);
});

test("a query prints all rows, however many pages they are", async () => {
  lab.hub.store.transaction(() => {
    for (let n = 0; n < 1_005; n++) lab.hub.devices.create({ deviceId: `many-${n}` });
  });
  const where = "SELECT deviceId FROM devices WHERE STARTSWITH(deviceId, 'many-')";
  assert.is((await hub("query", "-q", where)).length, 1_005);
  assert.is((await hub("query", "-q", where, "--top", "1003")).length, 1_003);
  lab.hub.store.transaction(() => {
    for (let n = 0; n < 1_005; n++) lab.hub.devices.delete(`many-${n}`);
  });
});

test("methods of devices and modules that are away are told so", async () => {
  const call = ["--mn", "reboot", "--mp", "1", "--cto", "0"];
  assert.match(
    await refused("hub", "invoke-device-method", "-d", "d2", ...call),
    "DeviceNotOnline",
  );
  const module = ["invoke-module-method", "-d", "d2", "-m", "m", ...call];
  assert.match(await refused("hub", ...module), "DeviceNotOnline");
  const soon = ["invoke-device-method", "-d", "d2", ...call, "--timeout", "1"];
  assert.match(await refused("hub", ...soon), "responseTimeoutInSeconds has to be from 5 to 300");
});

test("messages are sent, received, settled, purged, and their feedback printed", async () => {
  const to = ["-d", "d2"];
  const send = (data: string, ...more: string[]) =>
    hub("c2d-message", "send", ...to, "--data", data, "--ack", "full", ...more);
  const expiry = lab.clock.now() + 600_000;
  await send("one", "--mid", "m1", "--cid", "c1", "--ct", "text/plain", "--props", "a=1;b=2");
  await send("two", "--mid", "m2", "--expiry", String(expiry));
  const first = await hub("c2d-message", "receive", ...to);
  assert.equal([first.data, first.properties.app], ["one", { a: "1", b: "2" }]);
  assert.is(first.properties.system.correlationId, "c1");
  await hub("c2d-message", "abandon", ...to, "-e", first.etag);
  const again = await hub("c2d-message", "receive", ...to);
  assert.is(again.properties.system.deliveryCount, 1);
  await hub("c2d-message", "complete", ...to, "-e", again.etag);
  assert.match(
    await refused("hub", "c2d-message", "complete", ...to, "-e", again.etag),
    "DeviceMessageLockLost",
  );
  const second = await hub("c2d-message", "receive", ...to, "--reject");
  assert.equal([second.data, second.ack], ["two", "reject"]);
  assert.is(second.properties.system.expiry, new Date(expiry).toISOString());
  assert.is((await run("hub", "c2d-message", "receive", ...to)).stdout, "");
  const body = file("body.bin", "three");
  await hub("c2d-message", "send", ...to, "--dfp", body, "--mid", "m3", "--ack", "negative");
  assert.is((await hub("c2d-message", "purge", ...to)).totalMessagesPurged, 1);
  const { stdout } = await run("hub", "monitor-feedback", ...to, "--wait-on-msg", "m3");
  const told = [...stdout.matchAll(/"(m\d)"|"statusCode": "(\w+)"/g)].map(
    (each) => each[1] ?? each[2],
  );
  assert.equal(told, ["m1", "Success", "m2", "Rejected", "m3", "Purged"]);
  const bad = ["c2d-message", "send", ...to, "--data", "x"];
  assert.match(await refused("hub", ...bad, "--ack", "maybe"), "none, positive, negative or full");
  assert.match(await refused("hub", ...bad, "--expiry", "1"), "InvalidMessageExpiryTime");
});

test("send --wait prints the message's fate", async () => {
  const sending = run(
    ...["hub", "c2d-message", "send", "-d", "d2", "--data", "x", "--mid", "w", "--ack", "full"],
    "--wait",
  );
  while (lab.hub.c2d.count("d2") === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  lab.hub.c2d.take("d2");
  const { feedback } = JSON.parse((await sending).stdout);
  assert.equal([feedback.originalMessageId, feedback.statusCode], ["w", "Success"]);
});

test("monitor-events prints what devices send, with the properties that are asked for", async () => {
  const sender = { deviceId: "d2", annotations: { "iothub-connection-device-id": "d2" } };
  const systemProperties = { "content-type": "application/json", "dt-subject": "part" };
  const append = (body: string, other = sender) =>
    lab.hub.events.append({
      ...{ sender: other, properties: { k: "v" }, systemProperties },
      body: Buffer.from(body).toString("base64"),
    });
  await append('{"t":1}');
  await append("2", { deviceId: "other", annotations: sender.annotations });
  const from = ["--et", "0", "--mc", "1", "-d", "d2"];
  const { event } = await hub("monitor-events", ...from, "--props", "all");
  assert.equal(event, {
    ...{ origin: "d2", module: "", interface: "", component: "part" },
    properties: { system: { "content-type": "application/json" }, application: { k: "v" } },
    annotations: { "dt-subject": "part", "iothub-connection-device-id": "d2" },
    payload: { t: 1 },
  });
  const plain = await hub("monitor-events", ...from);
  assert.equal(Object.keys(plain.event), ["origin", "module", "interface", "component", "payload"]);
  const silent = await run("hub", "monitor-events", "-d", "nobody", "--timeout", "0");
  assert.equal([silent.code, silent.stdout], [0, ""]);
});

test("configurations: create, metrics, update, delete", async () => {
  const content = file("content.json", '{"content":{"deviceContent":{"properties.desired.c":1}}}');
  const queries = '{"queries":{"all":"SELECT deviceId FROM devices"}}';
  const id = ["-c", "night"];
  const condition = ["--tc", "tags.floor = 3", "--pri", "5"];
  await hub("configuration", "create", ...id, "-k", content, ...condition, "-m", queries);
  assert.is(lab.hub.twins.get("d2").desired.values.c, 1);
  const applied = await hub("configuration", "show-metric", ...id, "--mi", "appliedCount");
  assert.equal(applied, { metric: "appliedCount", result: 1 });
  assert.ok((await hub("configuration", "show-metric", ...id, "--mi", "all")).result >= 2);
  const unknown = ["configuration", "show-metric", ...id, "--mi", "none"];
  assert.match(await refused("hub", ...unknown), "It has all, targetedCount, appliedCount");
  const updated = await hub("configuration", "update", ...id, "--pri", "7");
  assert.equal([updated.priority, updated.targetCondition], [7, "tags.floor = 3"]);
  assert.is((await hub("configuration", "list")).length, 1);
  assert.match(await refused("hub", "configuration", "delete", ...id, "-e", "old"), "412");
  await hub("configuration", "delete", ...id);
  assert.match(await refused("hub", "configuration", "show", ...id), "ConfigurationNotFound");
});

test("jobs: create and wait, list, show, cancel", async () => {
  const twin = ["--jt", "scheduleUpdateTwin", "--patch", '{"tags":{"job":1}}'];
  const where = ["-q", "deviceId = 'd2'"];
  const done = await hub("job", "create", "--jid", "j1", ...twin, ...where, "--wait");
  assert.is(done.status, "completed");
  assert.is(lab.hub.twins.get("d2").tags.job, 1);
  const later = ["--start", new Date(lab.clock.now() + 3_600_000).toISOString(), "--ttl", "60"];
  await hub("job", "create", "--jid", "j2", ...twin, ...later);
  const waiting = await hub("job", "list", "--js", "scheduled");
  assert.equal(
    waiting.map((each: { jobId: string }) => each.jobId),
    ["j2"],
  );
  assert.is((await hub("job", "cancel", "--jid", "j2")).status, "cancelled");
  assert.is((await hub("job", "show", "--jid", "j2")).status, "cancelled");
  const method = ["--jt", "scheduleDeviceMethod", "--mn", "m", "--mct", "0", ...where, "--wait"];
  const failed = await hub("job", "create", "--jid", "j3", ...method);
  assert.equal([failed.status, failed.deviceJobStatistics.failedCount], ["failed", 1]);
  const unknown = ["job", "create", "--jid", "j4", "--jt", "export"];
  assert.match(await refused("hub", ...unknown), "--job-type export is not known");
});

test("certificates: no overwriting by create, update with an etag, names", async () => {
  const pem = (name: string) =>
    file(`${name}.pem`, makeAuthority(new SteppedClock(lab.clock.now()), name).certificate);
  const [first, second] = [pem("first"), pem("second")];
  for (const ask of [hub, dps]) {
    const made = await ask("certificate", "create", "-n", "ca", "-p", first);
    assert.is(made.properties.isVerified, false);
    const noun = ask === hub ? "hub" : "dps";
    const again = ["certificate", "create", "-n", "ca", "-p", second];
    assert.match(await refused(noun, ...again), "412");
    const update = ["certificate", "update", "-n", "ca", "-p", second, "-v"];
    assert.match(await refused(noun, ...update, "-e", "old"), "412");
    const updated = await ask(...update, "-e", made.etag);
    assert.equal(updated.properties.isVerified, true);
    assert.equal((await ask("certificate", "show", "-n", "ca")).properties.subject, "second");
    const none = join(folder, "none.pem");
    assert.match(await refused(noun, ...again.slice(0, 5), none), "error file-unreadable");
    await ask("certificate", "delete", "-n", "ca", "-e", updated.etag);
    assert.match(await refused(noun, "certificate", "show", "-n", "ca"), "404");
  }
});

test("the hub itself: settings, consumer groups, quota, statistics", async () => {
  const { properties } = await hub("update", "--cdd", "3", "--ct", "2");
  assert.equal(
    [properties.cloudToDevice.maxDeliveryCount, properties.cloudToDevice.defaultTtlAsIso8601],
    [3, "PT2H"],
  );
  const rules = '[{"filterName":"r","action":"Reject","ipMask":"10.0.0.0/8"}]';
  await hub("update", "--ip-filter-rules", rules);
  const shown = await hub("show");
  assert.is(shown.properties.ipFilterRules[0].ipMask, "10.0.0.0/8");
  assert.is(shown.properties.cloudToDevice.maxDeliveryCount, 3);
  assert.match(await refused("hub", "update", "--cdd", "101"), "from 1 to 100");
  assert.is((await hub("list")).length, 1);
  await hub("consumer-group", "create", "-n", "mine");
  assert.is((await hub("consumer-group", "show", "-n", "mine")).name, "mine");
  assert.is((await hub("consumer-group", "list")).length, 2);
  await hub("consumer-group", "delete", "-n", "mine");
  assert.match(await refused("hub", "consumer-group", "delete", "-n", "$Default"), "cannot be");
  assert.is((await hub("show-quota-metrics"))[1].name, "TotalDeviceCount");
  assert.equal(await hub("show-stats"), await hub("statistics"));
});

test("refusals are printed, of one device and the last ones", async () => {
  lab.hub.refusals.add({ deviceId: "x", address: "a:1", reason: "expired", detail: "first" });
  lab.hub.refusals.add({ deviceId: "y", address: "a:2", reason: "expired", detail: "second" });
  const details = async (...args: string[]) =>
    (await hub("refusals", ...args)).map((each: { detail: string }) => each.detail);
  assert.equal(await details("-d", "x"), ["first"]);
  assert.equal(await details("--top", "1"), ["second"]);
  assert.equal(await details("--top", "0"), []);
});

test("enrollments by key and certificate, with keys, changes and etags", async () => {
  const key = Buffer.from("a key of this enrollment").toString("base64");
  const id = ["--eid", "e1"];
  const made = await dps("enrollment", "create", ...id, "--pk", key, "-d", "kitchen");
  assert.equal([made.deviceId, made.attestation], ["kitchen", { type: "symmetricKey" }]);
  const shown = await dps("enrollment", "show", ...id, "--keys");
  assert.is(shown.attestation.symmetricKey.primaryKey, key);
  await dps("enrollment", "update", ...id, "--its", '{"room":1}', "--rp", "never");
  const updated = await dps("enrollment", "update", ...id, "--itp", '{"x":1}', "--ps", "disabled");
  assert.equal(updated.initialTwin, { tags: { room: 1 }, properties: { desired: { x: 1 } } });
  assert.equal(updated.reprovisionPolicy, { updateHubAssignment: false, migrateDeviceData: false });
  assert.is(
    (await dps("enrollment", "show", ...id, "--keys")).attestation.symmetricKey.primaryKey,
    key,
  );
  const pem = file("leaf.pem", makeAuthority(new SteppedClock(lab.clock.now())).certificate);
  const x509 = await dps("enrollment", "update", ...id, "--cp", pem, "--scp", pem);
  assert.ok(x509.attestation.x509.clientCertificates.secondary.info.sha1Thumbprint);
  assert.match(await refused("dps", "enrollment", "delete", ...id, "-e", "old"), "412");
  await dps("enrollment", "delete", ...id, "-e", x509.etag);
  const tpm = ["enrollment", "create", ...id, "--at", "tpm"];
  assert.match(await refused("dps", ...tpm), "TPM attestation is left out");
  const hubs = ["enrollment", "create", ...id, "--ih", "other.azure-devices.net"];
  assert.match(await refused("dps", ...hubs), "is not linked");
  const policy = ["enrollment", "create", ...id, "--rp", "always"];
  assert.match(await refused("dps", ...policy), "--reprovision-policy always is not known");
});

test("groups by CA name and key, registrations, keys of their devices", async () => {
  const group = ["--eid", "keys"];
  assert.match(
    await refused("dps", "enrollment-group", "create", ...group),
    "error option-missing",
  );
  const at = ["--at", "symmetrickey"];
  await dps("enrollment-group", "create", ...group, ...at, "--ap", "static");
  await dps("enrollment-group", "create", "--eid", "cas", "--ca-name", "one", "--scn", "two");
  const { attestation } = await dps("enrollment-group", "show", "--eid", "cas");
  assert.equal(attestation.x509.caReferences, { primary: "one", secondary: "two" });
  const rid = ["--rid", "Sensor-1"];
  const compute = ["enrollment-group", "compute-device-key", ...rid];
  const { deviceKey } = await dps(...compute, ...group);
  const token = createSasToken(
    `${lab.dps.idScope}/registrations/sensor-1`,
    ...([deviceKey, Math.floor(lab.clock.now() / 1000) + 60, "registration"] as const),
  );
  const credentials = { leaf: undefined, presented: [], token, registrationId: "sensor-1" };
  lab.dps.register(credentials, undefined);
  await new Promise(setImmediate);
  assert.is((await dps("registration", "show", ...rid)).status, "assigned");
  const listed = await dps("enrollment-group", "registration", "list", ...group);
  assert.equal(
    listed.map((each: { deviceId: string }) => each.deviceId),
    ["sensor-1"],
  );
  await dps("enrollment-group", "registration", "delete", ...rid);
  assert.match(await refused("dps", "enrollment", "registration", "show", ...rid), "404");
});

test("the provisioning service itself", async () => {
  const { connectionString } = await dps("connection-string", "show");
  assert.is(connectionString, lab.dps.connectionString);
  assert.is((await dps("policy", "list"))[0].keyName, "provisioningserviceowner");
  assert.is((await dps("linked-hub", "list"))[0].name, lab.hub.hostName);
  assert.is((await dps("list"))[0].properties.idScope, lab.dps.idScope);
});

test.run();
