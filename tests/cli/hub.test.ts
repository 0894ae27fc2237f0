// deadline: 180 s
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import { makeAuthority, makeLeaf } from "../hub/support.ts";
import { newProject, spherule, startProcess } from "./support.ts";

const test = suite("spherule hub and spherule dps");
const { folder, remove } = newProject();
const lab = await startProcess(folder);

test.after(async () => {
  await lab.stop();
  remove();
});

/** Runs a command against the lab and gives its JSON. */
async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { stdout, stderr, code } = await spherule(folder, ...args);
  assert.is(code, 0, stderr);
  return stdout === "" ? (undefined as T) : JSON.parse(stdout);
}

const hub = <T = Record<string, string>>(...args: string[]) => json<T>("hub", ...args);
const dps = <T = Record<string, string>>(...args: string[]) => json<T>("dps", ...args);

test("a device is made, changed, listed and removed", async () => {
  const made = await hub("device-identity", "create", "--device-id", "sensor");
  assert.is(made.status, "enabled");
  await hub("device-identity", "update", "-d", "sensor", "--status", "disabled");
  const shown = await hub("device-identity", "show", "-d", "sensor", "--query", "status");
  assert.is(shown, "disabled");
  assert.is((await hub<unknown[]>("device-identity", "list")).length, 2);
  const { connectionString } = await hub("device-identity", "connection-string", "-d", "sensor");
  assert.match(String(connectionString), /^HostName=.*;DeviceId=sensor;SharedAccessKey=.{44}$/);
  await hub("device-identity", "delete", "-d", "sensor");
  const { code, stderr } = await spherule(folder, "hub", "device-identity", "show", "-d", "sensor");
  assert.is(code, 1);
  assert.match(stderr, "DeviceNotFound");
});

test("modules, twins and queries", async () => {
  await hub("device-identity", "create", "-d", "a");
  await hub("module-identity", "create", "-d", "a", "-m", "m");
  await hub("module-twin", "update", "-d", "a", "-m", "m", "--desired", '{"k":1}');
  await hub("device-twin", "update", "-d", "a", "--tags", '{"floor":2}', "--desired", '{"x":1}');
  const twin = await hub<{ properties: { desired: { x: number } } }>(
    "device-twin",
    "show",
    "-d",
    "a",
  );
  assert.is(twin.properties.desired.x, 1);
  const rows = await hub("query", "-q", "SELECT deviceId FROM devices WHERE tags.floor = 2");
  assert.equal(rows, [{ deviceId: "a" }]);
  const bad = await spherule(folder, "hub", "query", "-q", "SELECT");
  assert.match(bad.stderr, "cannot be read");
});

test("a direct method of the running app answers", async () => {
  const { deviceId } = await json<{ deviceId: string }>(
    "status",
    "-o",
    "json",
    "--query",
    "device",
  );
  const answer = await hub<{ status: number }>(
    ...["invoke-device-method", "-d", deviceId, "--method-name", "displayAlert"],
    ...["--method-payload", '"hot"'],
  );
  assert.is(answer.status, 200);
});

test("messages wait for a device and are purged", async () => {
  await hub("device-identity", "create", "-d", "sleeper");
  await hub(
    "c2d-message",
    "send",
    "-d",
    "sleeper",
    "--data",
    "hi",
    "--props",
    "a=1",
    "--ack",
    "full",
  );
  const purged = await hub("c2d-message", "purge", "-d", "sleeper");
  assert.is(purged.totalMessagesPurged, 1);
});

test("connection strings of policies and of the events endpoint", async () => {
  const service = await hub("connection-string", "--policy-name", "service");
  assert.match(String(service.connectionString), "SharedAccessKeyName=service;");
  const events = await hub("connection-string", "--default-eventhub");
  assert.match(String(events.connectionString), /^Endpoint=sb:.*EntityPath=/);
  const { stderr } = await spherule(folder, "hub", "connection-string", "--policy-name", "nobody");
  assert.match(stderr, "error policy-unknown");
});

test("a CA is registered and its possession proved", async () => {
  const clock = new SteppedClock(Date.now() - 3_600_000);
  const authority = makeAuthority(clock);
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const ca = file("ca-under-test.pem", authority.certificate);
  await hub("certificate", "create", "--name", "test", "--path", ca);
  const { properties } = await hub<{ properties: { verificationCode: string } }>(
    ...["certificate", "generate-verification-code", "--name", "test"],
  );
  const proof = makeLeaf(authority, properties.verificationCode, clock.now()).cert;
  const path = file("proof.pem", proof);
  const verified = await hub<{ properties: { isVerified: boolean } }>(
    ...["certificate", "verify", "--name", "test", "--path", path],
  );
  assert.is(verified.properties.isVerified, true);
  await dps("enrollment-group", "create", "--enrollment-id", "g", "--certificate-path", ca);
  const groups = await dps<{ enrollmentGroupId: string }[]>("enrollment-group", "list");
  assert.ok(groups.some((each) => each.enrollmentGroupId === "g"));
  await dps(
    "enrollment-group",
    "update",
    "--enrollment-id",
    "g",
    "--provisioning-status",
    "disabled",
  );
  const shown = await dps("enrollment-group", "show", "--eid", "g");
  assert.is(shown.provisioningStatus, "disabled");
  await hub("certificate", "delete", "--name", "test");
});

test("the provisioning service tells its id scope", async () => {
  assert.match(String((await dps("show")).idScope), /^0ne[0-9A-F]{8}$/);
});

test("refusals are listed with their reasons", async () => {
  assert.ok(Array.isArray(await hub("refusals")));
});

test.run();
