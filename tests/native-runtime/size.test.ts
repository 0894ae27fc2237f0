// deadline: 300 s
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../host-sim/paths.ts";

const test = suite("how large the app's ARM program is, on flash and in RAM");

type Figures = Readonly<Record<string, number>>;

/** The promises of docs/native.md; an app on a device has 256 KiB for everything. */
const LIMITS: Figures = { privatePages: 110 * 1024, package: 200_000, translatedRam: 1024 };
/** Less than a page of the private ones would be noise. */
const TOLERANCE = 0.05;

async function measured(): Promise<Figures> {
  const script = join(packageFolder(), "scripts/size.mjs");
  const { stdout } = await promisify(execFile)(process.execPath, [script, "--json"], {
    cwd: packageFolder(),
  });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

const now = await measured();
const kept: Figures = JSON.parse(readFileSync(join(packageFolder(), "docs/size.json"), "utf8"));

for (const [name, limit] of Object.entries(LIMITS)) {
  test(`${name} stays at or below ${limit} bytes`, () => {
    const value = now[name] ?? Number.NaN;
    assert.ok(value > 0 && value <= limit, `${value} bytes`);
  });
}

test("docs/size.json tells the sizes as they are; `npm run size -- --keep` writes it anew", () => {
  assert.equal(Object.keys(now).sort(), Object.keys(kept).sort());
  for (const [name, value] of Object.entries(now)) {
    const before = kept[name] ?? 0;
    const off = Math.abs(value - before);
    assert.ok(off <= before * TOLERANCE, `${name}: ${value} bytes, kept are ${before}`);
  }
});

test.run();
