import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../../host-sim/paths.ts";
import { compileFixture, stubImports } from "../../assembly/support.ts";
import { type Call, runNative, type Signature } from "./support.ts";

const test = suite("aot: sums of whole programs in V8, here and on ARM");
const ABORT = `_Noreturn void host_env_abort(int32_t message, int32_t file, int32_t line, int32_t column) {
  printf("abort %d %d %d %d\\n", message, file, line, column);
  longjmp(out, 1);
}`;

/** Kernel → how often; `kernels.c` has the same by hand. */
const KERNELS: Readonly<Record<string, number>> = {
  ...{ fib: 2, crc32: 3, sha256: 2, matmul: 2, doubles: 5, base64: 3 },
  ...{ jsonscan: 10, jsontree: 10, telemetry: 30, median: 100 },
};
const NUMBERS: Readonly<Record<string, number>> = { texts: 400, functions: 300, nothings: 1 };

const AGAIN = "static void wasm_export_again(void) { wasm_initialize(); }";

/** A new instance for each: what one leaves behind is in the next one's data. */
function runV8(wasm: Uint8Array, runs: Readonly<Record<string, number>>): string[] {
  const module = new WebAssembly.Module(wasm);
  return Object.entries(runs).map(([name, times]) => {
    const { exports } = new WebAssembly.Instance(module, stubImports(module));
    (exports.start as () => void)();
    const run = exports[name] as (times: number) => number;
    return `=${(run(times) >>> 0).toString(16)}`;
  });
}

/** Translated, for both processors; the answer is what V8 has, too. */
async function everywhere(fixture: string, runs: Readonly<Record<string, number>>) {
  const { wasm } = await compileFixture(fixture, "release");
  const expected = runV8(wasm, runs);
  const calls: Call[] = Object.entries(runs).flatMap(([name, times]) => [
    ...[
      { name: "again", args: [] },
      { name: "start", args: [] },
    ],
    { name, args: [BigInt(times)] },
  ]);
  const nothing: Signature = { params: [] };
  const kernel: Signature = { params: ["i32"], result: "i32" };
  const signatures = {
    ...{ again: nothing, start: nothing },
    ...Object.fromEntries(Object.keys(runs).map((name) => [name, kernel])),
  };
  for (const target of ["host", "arm"] as const) {
    const options = { target, hostCode: `${ABORT}\n${AGAIN}` };
    const { results } = runNative(wasm, calls, signatures, options);
    const sums = results.filter((_, index) => index % 3 === 2);
    assert.equal(sums, expected, target);
  }
  return expected;
}

/** The kernels by hand, by this computer's compiler. */
function byHand(): string[] {
  const folder = mkdtempSync(join(tmpdir(), "spherule-kernels-"));
  const sources = ["main.c", "kernels.c"].map((name) =>
    join(packageFolder(), "tests/bench/native", name),
  );
  const program = join(folder, "kernels");
  execFileSync("gcc", ["-std=gnu11", "-O1", ...sources, "-lm", "-o", program]);
  const sums = Object.entries(KERNELS).map(([name, times]) => {
    const text = execFileSync(program, [name, String(times)], { encoding: "utf8" });
    return `=${Number(text).toString(16)}`;
  });
  rmSync(folder, { recursive: true });
  return sums;
}

test("the ten kernels: also the same as by hand in C", async () => {
  const sums = await everywhere("kernels", KERNELS);
  assert.is(new Set(sums).size, sums.length);
  assert.equal(byHand(), sums);
});

test("texts of floats, functions of Math, what is not a number", async () => {
  const sums = await everywhere("numbers", NUMBERS);
  assert.is(new Set(sums).size, sums.length);
});

test.run();
