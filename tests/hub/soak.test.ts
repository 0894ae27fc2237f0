import { suite } from "uvu";
import * as assert from "uvu/assert";
import { soak } from "../bench/hub/soak.ts";
import { CA, HUB_NAME, startHub } from "./support.ts";

const test = suite("soak of the hub");
const DEVICES = 30;
const MESSAGES = 12;

/** A repeatable source (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("devices that come and go lose nothing that was acknowledged, and keep their order", async () => {
  const lab = await startHub();
  const deviceIds = Array.from({ length: DEVICES }, (_, number) => `soak-${number}`);
  for (const deviceId of deviceIds) lab.device(deviceId);
  const hub = {
    target: { port: lab.port, serverRoot: CA },
    hostName: HUB_NAME,
    authority: lab.authority,
    send: async (deviceId: string, text: string) =>
      lab.hub.c2d.enqueue(deviceId, { body: Buffer.from(text) }),
    read: (from: number) => lab.hub.events.read(from),
    now: () => lab.clock.now(),
  };
  const counts = await soak(hub, {
    deviceIds,
    goesOn: (device) => device.published < MESSAGES,
    longestPauseMs: 40,
    random: seeded(7),
  });
  await lab.stop();
  assert.equal(counts.problems, []);
  assert.ok(counts.telemetryAcknowledged >= DEVICES * MESSAGES);
  assert.is(counts.telemetryStored - counts.telemetryRepeated, counts.telemetryAcknowledged);
  assert.ok(counts.messagesRepeated > 0, "no message had to come again");
  assert.is(counts.messagesReceived, counts.messagesSent);
  assert.ok(counts.messagesSent > 0);
  assert.ok(counts.renewals > DEVICES, `${counts.renewals} renewals`);
});

test.run();
