import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileFixture } from "../assembly/support.ts";
import { deployApp, FIELD_TEST, makeDevice } from "./device.ts";
import { startService } from "./support.ts";

const test = suite("thirty virtual days");
const DAY = 86_400_000;

test("each day has its certificate and its look for updates", async () => {
  const before = process.cpuUsage();
  const lab = await startService();
  const device = makeDevice(lab, { group: FIELD_TEST });
  const { wasm } = await compileFixture("updates");
  deployApp(lab, { wasm, args: ["v1", "deaf"] });
  await device.device.begin();
  await device.settle();
  for (let day = 1; day <= 30; day++) {
    if (day === 15) deployApp(lab, { wasm, args: ["v2", "deaf"] });
    await device.run(DAY);
    const asked = device.known().lastUpdateRequestUtc ?? 0;
    assert.ok(lab.clock.now() - asked <= DAY, `asked for updates on day ${day}`);
    const credentials = device.deviceAuth.current();
    assert.ok(credentials && credentials.notAfter > lab.clock.now(), `certificate of day ${day}`);
  }
  const renewals = device.log().filter((line) => line.startsWith("device authentication ready"));
  assert.ok(renewals.length > 30);
  assert.equal(
    device.log().filter((line) => /^v\d started$/.test(line)),
    ["v1 started", "v2 started"],
  );
  // Half a minute of work at most; how long that takes depends on who else works here.
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 30_000_000, `${(user + system) / 1e6} s`);
  await device.stop();
  await lab.stop();
});

test.run();
