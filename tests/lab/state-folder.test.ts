import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LabError } from "../../host-sim/errors.ts";
import {
  findStateFolder,
  lockStateFolder,
  readLocator,
  writeLocator,
} from "../../host-sim/lab/state-folder.ts";

const test = suite("state folder");
const place = realpathSync(mkdtempSync(join(tmpdir(), "spherule-state-")));

test("is found from a folder below", () => {
  mkdirSync(join(place, "project/.spherule"), { recursive: true });
  mkdirSync(join(place, "project/assembly/app"), { recursive: true });
  assert.is(findStateFolder(join(place, "project/assembly/app")), join(place, "project/.spherule"));
});

test("a second lab is refused with the first one's process", () => {
  const holder = spawn("sleep", ["60"]);
  const folder = join(place, "locked");
  mkdirSync(folder);
  writeFileSync(join(folder, "lock"), String(holder.pid));
  try {
    lockStateFolder(folder);
    assert.unreachable();
  } catch (error) {
    assert.is((error as LabError).code, "state-locked");
    assert.match((error as LabError).message, String(holder.pid));
  }
  holder.kill();
});

test("the lock of a process that died is taken over", () => {
  const folder = join(place, "stale");
  mkdirSync(folder);
  writeFileSync(join(folder, "lock"), "999999999");
  const unlock = lockStateFolder(folder);
  unlock();
  assert.not(existsSync(join(folder, "lock")));
});

test("a locator of a dead process counts as none", () => {
  const folder = join(place, "located");
  mkdirSync(folder);
  writeLocator(folder, { processId: process.pid, api: "http://127.0.0.1:1" });
  assert.is(readLocator(folder)?.api, "http://127.0.0.1:1");
  writeLocator(folder, { processId: 999999999, api: "http://127.0.0.1:1" });
  assert.is(readLocator(folder), undefined);
});

test("a locator that is no JSON counts as none", () => {
  const folder = join(place, "garbled");
  mkdirSync(folder);
  writeFileSync(join(folder, "lab.json"), "{");
  assert.is(readLocator(folder), undefined);
});

test.after(() => rmSync(place, { recursive: true }));
test.run();
