// deadline: 240 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { randomModule } from "./random.ts";
import { assemble, differences, runNative, runV8, type Signature } from "./support.ts";

const test = suite("aot: random modules");

const FUNCTIONS = 150;
const VALUES = [
  [0n, 0n],
  [1n, 0xffff_ffff_ffff_ffffn],
  [0xffff_fff7n, 1n << 63n],
  [65_530n, 0x1234_5678_9abc_def0n],
];

for (const seed of [1, 2, 3, 4]) {
  test(`seed ${seed}: results, traps and all of memory are those of V8`, async () => {
    const wasm = await assemble(randomModule(seed, FUNCTIONS));
    const names = Array.from({ length: FUNCTIONS }, (_, index) => `f${index}`);
    const signature: Signature = { params: ["i32", "i64"], result: "i64" };
    const signatures = Object.fromEntries(names.map((name) => [name, signature]));
    const calls = names.flatMap((name) => VALUES.map((args) => ({ name, args })));
    const options = { defines: ["WASM_MEMORY_CAPACITY=65536"] };
    const native = runNative(wasm, calls, signatures, options);
    assert.equal(differences(calls, native, runV8(wasm, calls, signatures)), []);
    const trapped = native.results.filter((result) => result.startsWith("trap")).length;
    assert.ok(trapped > 20 && trapped < calls.length - 100, `${trapped} of ${calls.length} trap`);
  });
}

test.run();
