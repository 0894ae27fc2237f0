import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../../host-sim/paths.ts";
import { translate } from "../../../native/aot/index.ts";
import { compileSmallApp, runSoakInV8, SMALL_MEMORY } from "../../bench/native/soak.ts";
import { commandOf, compile } from "./support.ts";

const test = suite("aot: many telemetry cycles in a small memory");
const folder = mkdtempSync(join(tmpdir(), "spherule-soak-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** `npm run bench:native` has a million. */
const STOPS = [1, 100, 20_000];

test("24 KiB are enough, and all that goes out is the same in V8, here and on ARM", async () => {
  const wasm = await compileSmallApp(packageFolder(), join(folder, "project"));
  const expected = runSoakInV8(wasm, STOPS);
  assert.is(new Set(expected).size, STOPS.length);
  copyFileSync(join(packageFolder(), "tests/bench/native/app.c"), join(folder, "main.c"));
  for (const target of ["host", "arm"] as const) {
    const defines = [`WASM_MEMORY_CAPACITY=${SMALL_MEMORY}`];
    compile(folder, translate(wasm), { target, defines });
    const [program = "", ...args] = commandOf(target, join(folder, "main"));
    const output = execFileSync(program, [...args, ...STOPS.map(String)], { encoding: "utf8" });
    assert.equal(output.trim().split("\n"), expected, target);
  }
});

test.run();
