import { suite } from "uvu";
import * as assert from "uvu/assert";
import { liveThirtyDays, TELEMETRY_SECONDS } from "./month.ts";

const test = suite("thirty virtual days");
const DAY = 86_400_000;

test("each day has its certificate, its look for updates and its telemetry, through an update", async () => {
  const before = process.cpuUsage();
  let messages = 0;
  const { log } = await liveThirtyDays(({ service, hub, device }, day) => {
    const now = service.clock.now();
    const asked = device.known().lastUpdateRequestUtc ?? 0;
    assert.ok(now - asked <= DAY, `asked for updates on day ${day}`);
    const credentials = device.deviceAuth.current();
    assert.ok(credentials && credentials.notAfter > now, `certificate of day ${day}`);
    messages = [...hub.hub.events.read()].length;
    // One message may be under way when the day ends.
    const wanted = (day * DAY) / (TELEMETRY_SECONDS * 1000) - 1;
    assert.ok(messages >= wanted, `${messages} messages until day ${day}`);
  });
  const renewals = log.filter((line) => line.startsWith("device authentication ready"));
  assert.ok(renewals.length > 30);
  assert.equal(
    log.filter((line) => line === "thermometer started"),
    ["thermometer started", "thermometer started"],
  );
  // Half a minute of work at most; how long that takes depends on who else works here.
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 30_000_000, `${(user + system) / 1e6} s`);
});

test.run();
