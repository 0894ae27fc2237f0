import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../host-sim/paths.ts";
import { assemble } from "../native/aot/support.ts";

const test = suite("spherule aot");
const folder = mkdtempSync(join(tmpdir(), "spherule-aot-"));

function spherule(...args: string[]) {
  const program = join(packageFolder(), "bin/spherule.mjs");
  return spawnSync(process.execPath, [program, ...args], { cwd: folder, encoding: "utf8" });
}

test("writes the two files and tells what is in them", async () => {
  writeFileSync(join(folder, "app.wasm"), await assemble('(module (func (export "run")))'));
  const { status, stdout } = spherule("aot", "app.wasm", "--output", "out/c");
  assert.is(status, 0);
  assert.match(stdout, "functions: 1");
  assert.match(readFileSync(join(folder, "out/c/app_wasm.c"), "utf8"), "wasm_export_run");
  assert.match(
    readFileSync(join(folder, "out/c/app_wasm.h"), "utf8"),
    "void wasm_export_run(void);",
  );
});

test("a file that is no app is refused in one sentence, and nothing is written", () => {
  writeFileSync(join(folder, "text.wasm"), "hello");
  const { status, stderr } = spherule("aot", "text.wasm", "--output", "none");
  assert.is(status, 1);
  assert.match(stderr, /^error wasm-invalid: /);
  assert.throws(() => readFileSync(join(folder, "none/app_wasm.c")));
  assert.match(spherule("aot", "missing.wasm", "-o", "none").stderr, /^error file-unreadable: /);
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
