import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  assemble,
  type Call,
  differences,
  type NativeOptions,
  runNative,
  runV8,
  type Signature,
} from "./support.ts";

const test = suite("aot: control, calls and memory as a whole");

/** Runs a module in V8 and as C, here and on ARM, and compares; the answer is what all gave. */
async function both(
  text: string,
  signatures: Record<string, Signature>,
  calls: readonly Call[],
  options: NativeOptions = { defines: ["WASM_MEMORY_CAPACITY=262144"] },
  imports: Record<string, Record<string, unknown>> = {},
): Promise<readonly string[]> {
  const wasm = await assemble(text);
  const v8 = runV8(wasm, calls, signatures, imports);
  for (const target of ["host", "arm"] as const) {
    const native = runNative(wasm, calls, signatures, { ...options, target });
    assert.equal(differences(calls, native, v8), [], target);
  }
  return v8.results;
}

const small = [0n, 1n, 2n, 3n, 4n, 5n, 7n, 10n, 0xffffffffn];
const each = (name: string): Call[] => small.map((value) => ({ name, args: [value] }));
const unary: Signature = { params: ["i32"], result: "i32" };

test("blocks, loops, branches with values, br_table, select, return", async () => {
  const text = `(module
    (func (export "factorial") (param i32) (result i32) (local i32)
      (local.set 1 (i32.const 1))
      (block $out (loop $more
        (br_if $out (i32.le_s (local.get 0) (i32.const 1)))
        (local.set 1 (i32.mul (local.get 1) (local.get 0)))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br $more)))
      (local.get 1))
    (func (export "table") (param i32) (result i32)
      (block $c (block $b (block $a
        (br_table $a $b $b $c $a (local.get 0)))
        (return (i32.const 100)))
        (return (i32.const 200)))
      (i32.const 300))
    (func (export "valued") (param i32) (result i32)
      (i32.add (i32.const 1000) (block $b (result i32) (block $a (result i32)
        (br_table $a $b $a (i32.mul (local.get 0) (i32.const 3)) (local.get 0)))
        (i32.add (i32.const 50)))))
    (func (export "order") (param i32) (result i32)
      (local.get 0) (local.set 0 (i32.const 9))
      (i32.mul (i32.const 10) (local.get 0))
      (block (local.set 0 (i32.const 5)))
      (i32.add) (local.get 0) (i32.mul)
      (i32.sub (local.tee 0 (i32.const 77)) (i32.const 1)) (i32.add) (local.get 0) (i32.xor))
    (func (export "ifs") (param i32) (result i32)
      (if (result i32) (i32.gt_s (local.get 0) (i32.const 3))
        (then (if (i32.eq (local.get 0) (i32.const 7)) (then (return (i32.const -1)))) (i32.const 4))
        (else (br_if 0 (i32.const 8) (i32.eqz (local.get 0))) (i32.add (i32.const 1)))))
    (func (export "dead") (param i32) (result i32)
      (block (br 0) (drop (i32.add (unreachable) (i32.const 1))) (loop (br 0)))
      (block $x (result i32) (br $x (local.get 0)) (i64.const 1) (drop) (unreachable)))
    (func (export "unreachable") (param i32) (result i32)
      (if (local.get 0) (then (unreachable))) (i32.const 3))
    (func (export "select") (param i32) (result i32)
      (select (local.get 0) (i32.const 9) (i32.and (local.get 0) (i32.const 1)))))`;
  const names = [
    ...["factorial", "table", "valued", "order", "ifs", "dead", "unreachable", "select"],
  ];
  const signatures = Object.fromEntries(names.map((name) => [name, unary]));
  await both(text, signatures, names.flatMap(each));
});

test("indirect calls: right ones, wrong type, empty entry, outside", async () => {
  const text = `(module
    (type $f (func (param i32) (result i32))) (type $same (func (param i32) (result i32)))
    (import "env" "triple" (func $triple (param i32) (result i32)))
    (table 8 funcref) (elem (i32.const 1) $one $two $other $triple)
    (func $one (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func $two (type $same) (i32.mul (local.get 0) (i32.const 2)))
    (func $other (param i64) (result i64) (local.get 0))
    (func (export "call") (param i32) (result i32)
      (call_indirect (type $f) (i32.const 20) (local.get 0))))`;
  const results = await both(
    text,
    { call: unary },
    each("call"),
    { hostCode: "int32_t host_env_triple(int32_t a0) { return 3 * a0; }" },
    { env: { triple: (value: number) => 3 * value } },
  );
  assert.equal(results.slice(0, 6), ["trap 71", "=15", "=28", "trap 71", "=3c", "trap 71"]);
});

test("imports of all types, and names that C does not know", async () => {
  const text = `(module
    (import "env" "mix-\\c3\\a9" (func $mix (param i32 i64 f32 f64) (result f64)))
    (func (export "run it!") (param i32) (result i32)
      (i32.trunc_sat_f64_s (call $mix (local.get 0) (i64.const -5)
        (f32.convert_i32_s (local.get 0)) (f64.const 0.25)))))`;
  await both(
    text,
    { "run it!": unary },
    each("run it!"),
    {
      hostCode: `double host_env_mix$2d$c3$a9(int32_t a, int64_t b, float c, double d) {
        return (double)a + (double)b + (double)c * 4 + d; }`,
    },
    { env: { "mix-é": (a: number, b: bigint, c: number, d: number) => a + Number(b) + c * 4 + d } },
  );
});

const GROWING = `(module (memory (export "memory") 1 3)
  (data $passive "passive bytes") (data (i32.const 65530) "end") (data (i32.const 100) "abc")
  (data (i32.const 101) "X") (data (i32.const 40000) "\\00\\00")
  (global $g (mut i64) (i64.const -7)) (global $k i32 (i32.const 40)) (global $c i32 (i32.const 41))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (param i32) (result i32) (memory.size))
  (func (export "read") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "global") (param i32) (result i32)
    (global.set $g (i64.add (global.get $g) (i64.extend_i32_s (local.get 0))))
    (i32.add (global.get $c) (i32.wrap_i64 (global.get $g))))
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init") (param i32 i32 i32)
    (memory.init $passive (local.get 0) (local.get 1) (local.get 2)))
  (func (export "drop") (param i32) (result i32) (data.drop $passive) (i32.const 0)))`;
const triple: Signature = { params: ["i32", "i32", "i32"] };
const GROWING_EXPORTS: Record<string, Signature> = {
  ...{ grow: unary, size: unary, read: unary, global: unary, drop: unary },
  ...{ copy: triple, fill: triple, init: triple },
};

test("bulk memory, globals, and memory that grows to its maximum", async () => {
  const bulk: Call[] = [
    [0n, 0n, 0n],
    [100n, 101n, 20n],
    [101n, 100n, 20n],
    [65536n, 0n, 0n],
    [65537n, 0n, 0n],
    [0n, 65537n, 0n],
    [65530n, 100n, 6n],
    [65530n, 100n, 7n],
    [0n, 65535n, 2n],
    [200n, 2n, 5n],
    [0xffffffffn, 0n, 1n],
    [1n, 0n, 0xffffffffn],
    [300n, 3n, 10n],
    [300n, 3n, 11n],
  ].flatMap((args) => ["copy", "fill", "init"].map((name) => ({ name, args })));
  const growth = [
    ["size", 0n],
    ["read", 65535n],
    ["read", 65536n],
    ["grow", 0n],
    ["grow", 1n],
    ["size", 0n],
    ["read", 131071n],
    ["read", 131072n],
    ["grow", 2n],
    ["grow", 1n],
    ["grow", 1n],
    ["grow", 0xffffffffn],
    ["read", 196607n],
    ["read", 196608n],
    ["global", 5n],
    ["global", 6n],
    ["drop", 0n],
  ].map(([name, value]) => ({ name: String(name), args: [BigInt(value ?? 0)] }));
  await both(GROWING, GROWING_EXPORTS, [...bulk, ...growth, ...bulk]);
});

test("a capacity below the declared pages bounds every access, and memory.size stays", async () => {
  const wasm = await assemble(GROWING.replaceAll("65530", "30000"));
  const run = (name: string, ...args: bigint[]): Call => ({ name, args });
  const calls = [
    ...[run("read", 32767n), run("read", 32768n), run("size", 0n), run("grow", 1n)],
    ...[run("grow", 0n), run("fill", 32760n, 1n, 8n), run("fill", 32760n, 1n, 9n)],
  ];
  const defines = ["WASM_MEMORY_CAPACITY=32768"];
  // Data at 40000 lies beyond: a capacity that is too small must not even compile.
  assert.throws(
    () => runNative(wasm, calls, GROWING_EXPORTS, { defines }),
    /WASM_MEMORY_CAPACITY is less than the app's static data/,
  );
  const fitting = await assemble(GROWING.replaceAll("65530", "30000").replace("40000", "400"));
  for (const target of ["host", "arm"] as const) {
    const { results } = runNative(fitting, calls, GROWING_EXPORTS, { defines, target });
    assert.equal(results, ["=0", "trap 67", "=1", "=ffffffff", "=1", "=", "trap 67"], target);
  }
});

test("runaway recursion traps, through direct and through indirect calls", async () => {
  const text = `(module (table 2 funcref) (elem (i32.const 0) $b)
    (func $a (export "a") (param i32) (result i32)
      (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
        (else (i32.add (i32.const 1)
          (call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))))
    (func $b (param i32) (result i32) (call $a (local.get 0)))
    (func $self (export "self") (param i32) (result i32)
      (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
        (else (i32.add (i32.const 1) (call $self (i32.sub (local.get 0) (i32.const 1))))))))`;
  const signatures = { a: unary, self: unary };
  const results = await both(text, signatures, [...each("a"), ...each("self"), ...each("a")]);
  assert.is(results.filter((result) => result === "trap 72").length, 3);
});

test("products and sums round twice, and what looks like nothing still quiets a NaN", async () => {
  const float = (name: string, code: string) =>
    `(func (export "${name}") (param i64 i64) (result i64)
      (local $a f64) (local $b f64) (local.set $a (f64.reinterpret_i64 (local.get 0)))
      (local.set $b (f64.reinterpret_i64 (local.get 1))) (i64.reinterpret_f64 ${code}))`;
  const [a, b] = ["(local.get $a)", "(local.get $b)"];
  const text = `(module
    ${float("fused", `(f64.add (f64.mul ${a} ${b}) (f64.const -1))`)}
    ${float("minus", `(f64.sub (f64.mul ${a} ${b}) ${a})`)}
    ${float("zero", `(f64.sub ${a} (f64.const 0))`)}
    ${float("one", `(f64.mul ${a} (f64.const 1))`)}
    ${float("there and back", `(f64.promote_f32 (f32.demote_f64 ${a}))`)}
    ${float("negative", `(f64.neg ${a})`)})`;
  const signature: Signature = { params: ["i64", "i64"], result: "i64" };
  const names = ["fused", "minus", "zero", "one", "there and back", "negative"];
  const signatures = Object.fromEntries(names.map((name) => [name, signature]));
  const finite = [0x3ff0000004000001n, 0x3ff0000000000001n, 0xc008000000000003n];
  const signalling = 0x7ff4000000000001n;
  // Which sign a NaN gets from a product is the processor's choice.
  const calls = names.flatMap((name) =>
    [...finite, ...(/fused|minus/.test(name) ? [] : [signalling])].flatMap((one) =>
      finite.map((other) => ({ name, args: [one, other] })),
    ),
  );
  const results = await both(text, signatures, calls);
  assert.ok(new Set(results).size > 15);
});

test("wasm_initialize begins anew, and runs the start function", async () => {
  const text = `(module (memory (export "memory") 1 1) (global $n (mut i32) (i32.const 5))
    (data (i32.const 8) "\\2a")
    (func $start (global.set $n (i32.add (global.get $n) (i32.load (i32.const 8)))))
    (start $start)
    (func (export "count") (param i32) (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (i32.store (i32.const 8) (global.get $n)) (global.get $n)))`;
  const wasm = await assemble(text);
  const calls = [...each("count").slice(0, 2), { name: "again", args: [] }, ...each("count")];
  const signatures = { count: unary, again: { params: [] } };
  const { results } = runNative(wasm, calls, signatures, {
    hostCode: "static void wasm_export_again(void) { wasm_initialize(); }",
  });
  assert.equal(results.slice(0, 5), ["=30", "=31", "=", "=30", "=31"]);
});

test.run();
