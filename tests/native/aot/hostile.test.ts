import { readFileSync } from "node:fs";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../../host-sim/paths.ts";
import { AotError, translate } from "../../../native/aot/index.ts";
import { randomModule } from "./random.ts";
import { assemble } from "./support.ts";

const test = suite("aot: modules that are damaged, hostile or of another kind");

/** Translates; a refusal is its code. Anything else that is thrown is a fault and gets out. */
function attempt(wasm: Uint8Array): string {
  try {
    translate(wasm);
    return "translated";
  } catch (error) {
    if (!(error instanceof AotError)) throw error;
    assert.ok(error.message && error.hint, "an error says what happened and what to do");
    return error.code;
  }
}

function valid(wasm: Uint8Array): boolean {
  try {
    new WebAssembly.Module(wasm);
    return true;
  } catch {
    return false;
  }
}

test("mutated bytes: what V8 refuses is refused, and nothing crashes", async () => {
  const original = await assemble(randomModule(99, 12));
  assert.is(attempt(original), "translated");
  const outcomes = new Map<string, number>();
  const change = fc.record({ at: fc.nat(original.length - 1), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const wasm = Uint8Array.from(original);
      for (const { at, byte } of changes) wasm[at] = byte;
      const outcome = attempt(wasm);
      if (outcome === "translated") assert.ok(valid(wasm), "translated, but V8 refuses it");
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }),
    { seed: 7, numRuns: 1500 },
  );
  assert.ok((outcomes.get("translated") ?? 0) > 100, "some mutations are harmless");
  assert.ok((outcomes.get("wasm-invalid") ?? 0) > 100, "most are not");
});

test("bytes cut off anywhere are refused", async () => {
  const original = await assemble(randomModule(98, 2));
  for (let length = 0; length < original.length; length++) {
    const wasm = original.subarray(0, length);
    const outcome = attempt(wasm);
    assert.ok(outcome !== "translated" || valid(wasm), `cut off at ${length}`);
  }
});

const REFUSED: Readonly<Record<string, string>> = {
  "an imported memory": '(module (import "env" "memory" (memory 1)))',
  "an imported global": '(module (import "env" "g" (global i32)))',
  "an imported table": '(module (import "env" "t" (table 1 funcref)))',
  "functions with several results": "(module (func (result i32 i32) i32.const 1 i32.const 2))",
  "reference types":
    "(module (table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func))))",
  "table.copy":
    "(module (table 1 funcref) (func (table.copy (i32.const 0) (i32.const 0) (i32.const 0))))",
  "external references": "(module (func (param externref)))",
  "128-bit vectors": "(module (func (param v128)))",
  "several tables": "(module (table 1 funcref) (table 1 funcref))",
  "does not fit into the memory": '(module (memory 1) (data (i32.const 65535) "ab"))',
  "does not fit into the table": "(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))",
};

for (const [feature, text] of Object.entries(REFUSED)) {
  test(`refused by name: ${feature}`, async () => {
    const wasm = await assemble(text);
    assert.throws(
      () => translate(wasm),
      (error: AotError) => error.code === "wasm-unsupported" && error.message.includes(feature),
    );
  });
}

test("an announced size is not believed, and blocks nest only so deep", () => {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  // 4294967295 types, 2147483647 locals, blocks in blocks.
  const types = Uint8Array.from([...header, 1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]);
  assert.is(attempt(types), "wasm-invalid");
  const code = (body: number[]) => {
    const size = [
      0x80 | (body.length & 0x7f),
      0x80 | ((body.length >> 7) & 0x7f),
      body.length >> 14,
    ];
    const all = [1, ...size, ...body];
    const section = [
      0x80 | (all.length & 0x7f),
      0x80 | ((all.length >> 7) & 0x7f),
      all.length >> 14,
    ];
    return Uint8Array.from([...header, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, ...section, ...all]);
  };
  assert.is(attempt(code([0, 0x0b])), "translated");
  assert.is(attempt(code([1, 0xff, 0xff, 0xff, 0xff, 0x07, 0x7f, 0x0b])), "wasm-unsupported");
  const nested = Array.from({ length: 5000 }, () => [2, 0x40]).flat();
  const ends = Array.from({ length: 5001 }, () => 0x0b);
  assert.is(attempt(code([0, ...nested, ...ends])), "wasm-unsupported");
});

test("two imports of one C name are refused, one import twice is not", async () => {
  const collide = await assemble('(module (import "a_b" "c" (func)) (import "a" "b_c" (func)))');
  assert.is(attempt(collide), "name-collision");
  const twice = await assemble('(module (import "a" "b" (func)) (import "a" "b" (func)))');
  assert.is(translate(twice).header.match(/host_a_b\(/g)?.length, 1);
  const types = await assemble(
    '(module (import "a" "b" (func)) (import "a" "b" (func (param i32))))',
  );
  assert.is(attempt(types), "name-collision");
});

test("functions that call each other twice do not grow without end", async () => {
  const chain = Array.from(
    { length: 300 },
    (_, index) =>
      `(func $f${index + 1} (result i32) (i32.add (call $f${index}) (call $f${index})))`,
  );
  const wasm = await assemble(`(module (func $f0 (result i32) (i32.const 1)) ${chain.join("\n")})`);
  const { source } = translate(wasm);
  const inlined = new Set(source.match(/(?<=^WASM_INLINE uint32_t w)\d+/gm));
  const rows = Array.from({ length: 301 }, (_, index) => (inlined.has(String(index)) ? "i" : " "));
  assert.match(rows.join(""), /^(i{1,6} )+i*$/, "after a few, one is called again");
});

test("names from outside become no C", async () => {
  const wasm = await assemble(
    '(module (func $f (export "a\\22; int main(void){} /*") (result i32) i32.const 1))',
  );
  const { source, header } = translate(wasm, {
    sourceMap: JSON.stringify({
      version: 3,
      sources: ['x"\n#include "/etc/passwd"\n\\'],
      names: [],
      mappings: "AAAA",
    }),
  });
  assert.not.match(source + header, /int main/);
  assert.not.match(source, /^#include "\/etc/m);
  assert.throws(
    () => translate(wasm, { sourceMap: "{" }),
    (error: AotError) => error.code === "source-map-invalid",
  );
});

test("every error code has a heading in docs/errors.md", () => {
  const text = readFileSync(`${packageFolder()}/docs/errors.md`, "utf8");
  const codes = ["wasm-invalid", "wasm-unsupported", "wasm-too-large", "name-collision"];
  for (const code of [...codes, "source-map-invalid"]) assert.match(text, `\n## ${code}\n`);
});

test("a memory that does not hold what the app needs is refused, one of no size too", async () => {
  const codeOf = (memoryBytes: number, wasm: Uint8Array) => {
    try {
      return translate(wasm, { memoryBytes }).header.match(/CAPACITY (\d+)/)?.[1];
    } catch (error) {
      return error instanceof AotError ? error.code : String(error);
    }
  };
  const data = '(memory 2) (data (i32.const 1000) "x")';
  const plain = await assemble(`(module ${data})`);
  assert.is(translate(plain).header.match(/CAPACITY (\d+)/)?.[1], "131072");
  assert.is(codeOf(1008, plain), "1008");
  assert.is(codeOf(992, plain), "memory-too-small");
  for (const bytes of [0, -16, 1001, Number.NaN]) {
    assert.is(codeOf(bytes, plain), "memory-invalid", String(bytes));
  }
  // The stack of AssemblyScript's incremental runtime lies behind the data, and grows down.
  const pointer = "(global $~lib/memory/__stack_pointer (mut i32) (i32.const 33768))";
  const stacked = await assemble(`(module ${data} ${pointer})`);
  assert.is(codeOf(32_768, stacked), "memory-too-small");
  assert.is(codeOf(33_776, stacked), "33776");
  const none = await assemble("(module)");
  assert.is(translate(none).header.match(/CAPACITY (\d+)/)?.[1], "16");
});

test.run();
