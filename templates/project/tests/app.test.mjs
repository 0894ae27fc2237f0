/** `npm test` runs this beside the app: a virtual MT3620 that is connected to the lab's IoT Hub. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Runs `spherule ARGS` and answers the JSON that it prints. */
async function spherule(...args) {
  const { stdout } = await run("spherule", [...args, "--output", "json"]);
  return JSON.parse(stdout);
}

/** Sets a desired property and waits until the device has answered to this version of it. */
async function setDesired(name, value) {
  const twin = await spherule("twin", "set", name, JSON.stringify(value));
  const version = twin.properties.desired.$version;
  for (let attempt = 0; attempt < 50; attempt++) {
    const { properties } = await spherule("twin", "get");
    const answer = properties.reported[name];
    if (answer?.av >= version) return answer;
    await sleep(200);
  }
  throw new Error(`the device did not answer to ${name}`);
}

test("sends telemetry as soon as it is connected", async () => {
  const { body } = await spherule("telemetry", "--from", "0", "--count", "1", "--timeout", "60");
  assert.ok(body.uptimeSeconds >= 0);
  assert.match(body.timestamp, /^\d{4}-\d\d-\d\dT/);
});

test("the twin sets how often it sends", async () => {
  const { ac, value } = await setDesired("intervalSeconds", 1);
  assert.deepEqual({ ac, value }, { ac: 200, value: 1 });
});

test("an interval that makes no sense is refused, and the one in force reported", async () => {
  const { ac, value } = await setDesired("intervalSeconds", 0);
  assert.deepEqual({ ac, value }, { ac: 400, value: 1 });
});

test("a direct method switches the LED, and refuses what is neither on nor off", async () => {
  const setLed = (payload) => spherule("method", "invoke", "setLed", "--payload", payload);
  const { status, payload } = await setLed("true");
  assert.deepEqual({ status, payload }, { status: 200, payload: "on" });
  assert.equal((await setLed('"on"')).status, 400);
});
