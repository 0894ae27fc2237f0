import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import { createLimits, type LimitOptions, type Operation } from "../../host-sim/hub/limits.ts";
import { silentLogger } from "../../host-sim/log.ts";
import { nextMessage, startHub } from "./support.ts";

const test = suite("throttles and quotas of a tier");

function limitsOf(options: LimitOptions, warnings: string[] = []) {
  const clock = new SteppedClock(Date.UTC(2026, 5, 1, 12));
  const logger = { ...silentLogger, warn: (text: string) => void warnings.push(text) };
  return { clock, limits: createLimits(clock, logger, options) };
}

/** How often an operation goes through at once. */
function burst(options: LimitOptions, operation: Operation): number {
  const { limits } = limitsOf(options);
  for (let count = 0; ; count++) {
    try {
      limits.take(operation);
    } catch (error) {
      assert.is((error as Error).name, "ThrottlingException");
      return count;
    }
  }
}

for (const [tier, units, operation, expected] of [
  ["S1", 1, "telemetry", 100],
  ["S1", 10, "telemetry", 120],
  ["S2", 1, "telemetry", 120],
  ["S3", 1, "telemetry", 6000],
  ["S1", 1, "connections", 100],
  ["S1", 1, "registry", 1],
  ["S1", 6, "registry", 10],
  ["S3", 1, "registry", 83],
  ["F1", 1, "queries", 1],
  ["S3", 6, "queries", 100],
  ["S2", 20, "twinReads", 200],
  ["S1", 1, "twinUpdates", 50],
] as const) {
  test(`${units} ${tier}: ${expected} ${operation} a second`, () => {
    assert.is(burst({ tier, units, enforce: true }, operation), expected);
  });
}

test("a throttle lets through again as time passes", () => {
  const { clock, limits } = limitsOf({ tier: "S1", units: 1, enforce: true });
  for (let n = 0; n < 100; n++) limits.take("telemetry");
  assert.throws(() => limits.take("telemetry"));
  clock.advance(500);
  for (let n = 0; n < 50; n++) limits.take("telemetry");
  assert.throws(() => limits.take("telemetry"));
});

test("methods are metered by 4 KB", () => {
  const { limits } = limitsOf({ tier: "S1", units: 1, enforce: true });
  for (let n = 0; n < 40; n++) limits.takeMethod(n % 2 === 0 ? 1 : 4096);
  assert.throws(() => limits.takeMethod(0), /methods/);
});

test("a message counts by the tier's meter, and a day is UTC", () => {
  const { clock, limits } = limitsOf({ tier: "F1", units: 1, enforce: true });
  limits.spend(512 * 7_998);
  limits.spend(513);
  assert.equal(limits.today(), { spent: 8_000, allowed: 8_000 });
  assert.throws(
    () => limits.spend(1),
    (error: Error) => error.name === "IotHubQuotaExceeded",
  );
  clock.advance(12 * 3_600_000);
  limits.spend(1);
  assert.is(limits.today()?.spent, 1);
});

test("what is not enforced is counted, and told once", () => {
  const warnings: string[] = [];
  const { limits } = limitsOf({ tier: "S1", units: 1, enforce: false }, warnings);
  for (let n = 0; n < 110; n++) limits.take("telemetry");
  assert.equal(limits.counts(), { telemetry: 10 });
  assert.is(warnings.length, 1);
});

test("a basic tier has telemetry, and no twins, methods or messages to devices", () => {
  const { limits } = limitsOf({ tier: "B1", units: 1, enforce: true });
  limits.take("telemetry");
  for (const operation of ["twinReads", "twinUpdates", "messages", "jobs"] as const) {
    assert.throws(
      () => limits.take(operation),
      (error: Error) => error.name === "OperationNotAvailableInCurrentTier",
    );
  }
  assert.throws(() => limits.takeMethod(1), /B1/);
});

test("a free hub has 500 devices", () => {
  const { limits } = limitsOf({ tier: "F1", units: 1, enforce: true });
  limits.takeDevice(() => 499);
  assert.throws(
    () => limits.takeDevice(() => 500),
    (error: Error) => error.name === "TooManyDevices",
  );
});

test("over the limit a twin is answered with 429, and telemetry closes the connection", async () => {
  const lab = await startHub(undefined, { limits: { tier: "S1", units: 1, enforce: true } });
  const client = await lab.dial(lab.device("d"));
  await client.subscribeAsync("$iothub/twin/res/#");
  for (let n = 0; n < 100; n++) lab.hub.limits.take("twinReads");
  const answer = nextMessage(client, "$iothub/twin/res/");
  client.publish("$iothub/twin/GET/?$rid=1", "");
  const { topic, text } = await answer;
  assert.is(topic, "$iothub/twin/res/429/?$rid=1");
  assert.is(JSON.parse(text).errorCode, 429001);
  for (let n = 0; n < 100; n++) lab.hub.limits.take("telemetry");
  const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
  client.publish("devices/d/messages/events/", "x", { qos: 1 });
  await closed;
  assert.is(lab.hub.refusals.list().at(-1)?.reason, "throttled");
  await lab.stop();
});

test.run();
