import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import { createEvents, type NewMessage } from "../../host-sim/hub/events.ts";
import { type Change, openFolderStore, openMemoryStore } from "../../host-sim/store/index.ts";

const FOLDER = "SPHERULE_TEST_KILLED_FOLDER";
const ACKNOWLEDGED = 100;

const message = (number: number): NewMessage => ({
  sender: { deviceId: "d", annotations: {} },
  body: Buffer.from(String(number)).toString("base64"),
  properties: {},
  systemProperties: {},
});

/** The process that is killed: it tells what is acknowledged, and dies with more under way. */
function acknowledgeAndDie(folder: string): void {
  const events = createEvents(openFolderStore(folder), new SteppedClock(0));
  let acknowledged = 0;
  const turn = (first: number) => {
    for (let number = first; number < first + 7; number++) {
      events.enqueue(message(number), () => {
        writeSync(1, `${number}\n`);
        acknowledged += 1;
        if (acknowledged === ACKNOWLEDGED) process.kill(process.pid, "SIGKILL");
      });
    }
    setImmediate(() => turn(first + 7));
  };
  turn(0);
}

const test = suite("what the hub acknowledged");

test("is there after a SIGKILL, in order", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spherule-durability-"));
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { ...process.env, [FOLDER]: folder },
    encoding: "utf8",
  });
  assert.is(child.signal, "SIGKILL", child.stderr);
  const acknowledged = child.stdout.trim().split("\n").map(Number);
  assert.is(acknowledged.length, ACKNOWLEDGED);
  const store = openFolderStore(folder);
  const events = createEvents(store, new SteppedClock(0));
  const kept = [...events.read()].map(({ body }) => Number(Buffer.from(body, "base64").toString()));
  assert.equal(kept.slice(0, ACKNOWLEDGED), acknowledged);
  assert.equal(
    kept,
    kept.map((_, number) => number),
  );
  await store.close();
  rmSync(folder, { recursive: true });
});

test("comes in order, and what came during a commit is committed together", async () => {
  const store = openMemoryStore();
  const slow: (() => void)[] = [];
  const held = {
    ...store,
    putSoon: (changes: readonly Change[]) =>
      new Promise<boolean>((resolve) => {
        slow.push(() => void store.putSoon(changes).then(resolve));
      }),
  };
  const events = createEvents(held, new SteppedClock(0));
  const acknowledged: number[] = [];
  for (let number = 0; number < 3; number++) {
    events.enqueue(message(number), () => acknowledged.push(number));
    await new Promise(setImmediate);
  }
  assert.is(slow.length, 1);
  assert.equal(acknowledged, []);
  assert.is(events.nextSequenceNumber, 0);
  slow[0]?.();
  while (slow.length < 2) await new Promise(setImmediate);
  assert.equal(acknowledged, [0]);
  const flushed = events.flush();
  slow[1]?.();
  await flushed;
  assert.equal(acknowledged, [0, 1, 2]);
  assert.is(events.nextSequenceNumber, 3);
});

const folder = process.env[FOLDER];
if (folder === undefined) test.run();
else acknowledgeAndDie(folder);
