import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { interrupt, randomFrom, startFleet } from "./fleet.ts";

const test = suite("a fleet that is updated over the air");

for (const kind of ["in memory", "in a folder"]) {
  test(`loses nothing when devices lose their power meanwhile, ${kind}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "spherule-fleet-"));
    const stateFolder = kind === "in a folder" ? join(folder, "state") : undefined;
    const fleet = await startFleet({ devices: 5, stateFolder });
    try {
      fleet.deploy("v1");
      fleet.check();
      await fleet.reporting("v1", 60_000);
      const random = randomFrom(kind.length);
      const tally = await interrupt(fleet, { count: 10, perVersion: 5, random });
      assert.is(tally.before + tally.after, 10);
      assert.ok(tally.before > 0, "no device was hit before its update was installed");
      assert.equal(fleet.gaps(), []);
    } finally {
      await fleet.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test("tells a gap and a version that goes back", async () => {
  const fleet = await startFleet({ devices: 1 });
  try {
    await fleet.reporting("v0", 30_000);
    const [messages] = fleet.received.values();
    fleet.received.set(
      "tested by hand",
      new Map([
        [0, "v1"],
        [2, "v1"],
      ]),
    );
    assert.equal(fleet.gaps(), ["tested b: message 1 is lost"]);
    fleet.received.set(
      "tested by hand",
      new Map([
        [0, "v2"],
        [1, "v1"],
      ]),
    );
    assert.equal(fleet.gaps(), ["tested b: v1 sent 1 after v2"]);
    assert.ok(messages && messages.size > 0);
  } finally {
    await fleet.stop();
  }
});

test.run();
