import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ACCESS, NUMERIC } from "../../../native/aot/numeric.ts";
import { assemble, type Call, differences, runNative, runV8, type Signature } from "./support.ts";

const test = suite("aot: every instruction on numbers and memory");

type Float = "f32" | "f64";
const F32 = [
  0n,
  0x80000000n,
  0x3f800000n,
  0xbf800000n,
  0x3f000000n,
  0xbf000000n,
  0x3fc00000n,
  0x40200000n,
  0x00000001n,
  0x007fffffn,
  0x00800000n,
  0x7f7fffffn,
  0x7f800000n,
  0xff800000n,
  0x7fc00000n,
  0xffc00000n,
  0x7fa00000n,
  0xff800001n,
  0x4effffffn,
  0x4f000000n,
  0xcf000000n,
  0xcf000001n,
  0x4f7fffffn,
  0x4f800000n,
  0x5effffffn,
  0x5f000000n,
  0xdf000000n,
  0xdf000001n,
  0x5f7fffffn,
  0x5f800000n,
  0xbf7fffffn,
  0x4b000001n,
  0xc0490fdbn,
  0x3dcccccdn,
];
const F64 = [
  0n,
  1n << 63n,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x3fe0000000000000n,
  0xbfe0000000000000n,
  0x3ff8000000000000n,
  0x4004000000000000n,
  1n,
  0x000fffffffffffffn,
  0x0010000000000000n,
  0x7fefffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff4000000000000n,
  0xfff0000000000001n,
  0x41dfffffffc00000n,
  0x41dfffffffe00000n,
  0x41e0000000000000n,
  0xc1e0000000000000n,
  0xc1e0000000100000n,
  0xc1e0000000200000n,
  0x41efffffffe00000n,
  0x41efffffffffffffn,
  0x41f0000000000000n,
  0x43dfffffffffffffn,
  0x43e0000000000000n,
  0xc3e0000000000000n,
  0xc3e0000000000001n,
  0x43efffffffffffffn,
  0x43f0000000000000n,
  0xbfefffffffffffffn,
  0x47efffffe0000000n,
  0x47effffff0000000n,
  0x3690000000000000n,
  0x4330000000000001n,
  0x3fb999999999999an,
  0xc00921fb54442d18n,
];
const I32 = [
  0n,
  1n,
  2n,
  5n,
  31n,
  32n,
  33n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x12345678n,
  0x7fffffffn,
  0x80000000n,
  0x80000001n,
  0xfffffffen,
  0xffffffffn,
  0x01000001n,
];
const I64 = [
  ...I32,
  63n,
  64n,
  65n,
  1n << 32n,
  (1n << 53n) + 1n,
  0x7fffffffffffffffn,
  1n << 63n,
  (1n << 63n) + 1n,
  (1n << 64n) - 1n,
  (1n << 64n) - 2n,
  0x123456789abcdef0n,
  0x7fffff4000000001n,
  0x8000004000000001n,
  0xffffffff80000000n,
];
const VALUES = { i32: I32, i64: I64, f32: F32, f64: F64 };
const BITS = { i32: "i32", i64: "i64", f32: "i32", f64: "i64" } as const;

/** A NaN that was computed may have any payload, but is quiet: all become one. */
function settle(type: Float, text: string): string {
  const quiet = type === "f32" ? "i32.const 0x7fc00000" : "i64.const 0x7ff8000000000000";
  const bits = type === "f32" ? "i32" : "i64";
  return `${text} ${bits}.reinterpret_${type} local.set $r
    local.get $r ${quiet} ${bits}.and ${quiet} ${bits}.eq
    if (result ${bits}) ${quiet} else local.get $r end`;
}

const EXACT = /abs|neg|copysign|reinterpret/;

test("numbers: results, NaN and traps are those of V8", async () => {
  const signatures: Record<string, Signature> = {};
  const functions: string[] = [];
  const calls: Call[] = [];
  for (const { name, params, result } of NUMERIC.values()) {
    signatures[name] = { params: params.map((type) => BITS[type]), result: BITS[result] };
    const header = params.map((type) => `(param ${BITS[type]})`).join(" ");
    const given = params.map((type, index) =>
      type.startsWith("f")
        ? `local.get ${index} ${type}.reinterpret_${BITS[type]}`
        : `local.get ${index}`,
    );
    const computed = `${given.join(" ")} ${name}`;
    const isFloat = result === "f32" || result === "f64";
    const exact = isFloat ? `${computed} ${BITS[result]}.reinterpret_${result}` : computed;
    const body = isFloat && !EXACT.test(name) ? settle(result, computed) : exact;
    functions.push(
      `(func (export "${name}") ${header} (result ${BITS[result]}) (local $r ${BITS[result]}) ${body})`,
    );
    const [first = [], second] = params.map((type) => VALUES[type]);
    for (const a of first) {
      for (const b of second ?? [0n]) calls.push({ name, args: second ? [a, b] : [a] });
    }
  }
  assert.is(functions.length, 136);
  const wasm = await assemble(`(module ${functions.join("\n")})`);
  const native = runNative(wasm, calls, signatures);
  assert.equal(differences(calls, native, runV8(wasm, calls, signatures)), []);
  assert.ok(native.results.filter((result) => result.startsWith("trap")).length > 100);
});

test("constant operands give the same as variable ones", async () => {
  const signatures: Record<string, Signature> = {};
  const functions: string[] = [];
  for (const { name, params, result } of NUMERIC.values()) {
    const isInteger = [...params, result].every((type) => type.startsWith("i"));
    const [first, second] = params;
    if (!isInteger || !first || !second) continue;
    for (const [index, value] of VALUES[second].entries()) {
      const export_ = `${name} ${index}`;
      signatures[export_] = { params: [first as "i32" | "i64"], result: result as "i32" | "i64" };
      functions.push(`(func (export "${export_}") (param ${first}) (result ${result})
        local.get 0 ${second}.const ${value} ${name})`);
    }
  }
  const calls = Object.entries(signatures).flatMap(([name, { params }]) =>
    VALUES[params[0] ?? "i32"].map((value) => ({ name, args: [value] })),
  );
  const wasm = await assemble(`(module ${functions.join("\n")})`);
  assert.equal(
    differences(calls, runNative(wasm, calls, signatures), runV8(wasm, calls, signatures)),
    [],
  );
});

test("loads and stores: every width, at every edge of memory", async () => {
  const signatures: Record<string, Signature> = {};
  const functions: string[] = [];
  const calls: Call[] = [];
  const addresses = [0n, 1n, 7n, 65520n, 65527n, 65528n, 65529n, 65532n, 65533n, 65534n, 65535n];
  const wild = [65536n, 0x7fffffffn, 0x80000000n, 0xfffffff0n, 0xfffffff8n, 0xffffffffn];
  for (const { name, type, store } of ACCESS.values()) {
    for (const offset of [0, 1, 3, 8, 65528, 65536, 0x7fffffff, 0xffffffff]) {
      const export_ = `${name}+${offset}`;
      const bits = BITS[type];
      const into = type.startsWith("f") ? `${type}.reinterpret_${bits}` : "";
      const from = type.startsWith("f") ? `${bits}.reinterpret_${type}` : "";
      signatures[export_] = store ? { params: ["i32", bits] } : { params: ["i32"], result: bits };
      functions.push(
        store
          ? `(func (export "${export_}") (param i32 ${bits}) local.get 0 local.get 1 ${into} ${name} offset=${offset})`
          : `(func (export "${export_}") (param i32) (result ${bits}) local.get 0 ${name} offset=${offset} ${from})`,
      );
      for (const [index, at] of [...addresses, ...wild].entries()) {
        const value = VALUES[type][(index * 7 + offset) % VALUES[type].length] ?? 0n;
        calls.push({ name: export_, args: store ? [at, value] : [at] });
      }
    }
  }
  const wasm = await assemble(
    `(module (memory (export "memory") 1 1) (data (i32.const 0) "\\ff\\80\\7f\\01 some bytes")
      ${functions.join("\n")})`,
  );
  // Stores first change what the loads then read, so twice.
  const twice = [...calls, ...calls];
  const options = { defines: ["WASM_MEMORY_CAPACITY=65536"] };
  assert.equal(
    differences(twice, runNative(wasm, twice, signatures, options), runV8(wasm, twice, signatures)),
    [],
  );
});

test.run();
