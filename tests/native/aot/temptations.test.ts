import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assemble, type Call, differences, runNative, runV8, type Signature } from "./support.ts";

const test = suite("aot: what a C compiler would like to simplify");

type Float = "f32" | "f64";

/**
 * Expressions over $x, $y and $z, `T` for the type: each is something else for some values when it is
 * computed by the rules of real numbers. After the official suite's float_exprs.
 */
const EXPRESSIONS: Readonly<Record<string, string>> = {
  "x + 0": "(T.add X (T.const 0))",
  "x + -0": "(T.add X (T.const -0))",
  "x - 0": "(T.sub X (T.const 0))",
  "x - -0": "(T.sub X (T.const -0))",
  "0 - x": "(T.sub (T.const 0) X)",
  "-0 - x": "(T.sub (T.const -0) X)",
  "x * 0": "(T.mul X (T.const 0))",
  "x * 1": "(T.mul X (T.const 1))",
  "x * -1": "(T.mul X (T.const -1))",
  "x / 1": "(T.div X (T.const 1))",
  "x / -1": "(T.div X (T.const -1))",
  "0 / x": "(T.div (T.const 0) X)",
  "x / 0": "(T.div X (T.const 0))",
  "x - x": "(T.sub X X)",
  "x / x": "(T.div X X)",
  "x + x": "(T.add X X)",
  "x / 3": "(T.div X (T.const 3))",
  "x / 8": "(T.div X (T.const 8))",
  "1 / (1 / x)": "(T.div (T.const 1) (T.div (T.const 1) X))",
  "(x + y) - y": "(T.sub (T.add X Y) Y)",
  "(x - y) + y": "(T.add (T.sub X Y) Y)",
  "(x * y) / y": "(T.div (T.mul X Y) Y)",
  "(x / y) * y": "(T.mul (T.div X Y) Y)",
  "-(x - y)": "(T.neg (T.sub X Y))",
  "0 - (x - y)": "(T.sub (T.const 0) (T.sub X Y))",
  "x + -y": "(T.add X (T.neg Y))",
  "-x * -y": "(T.mul (T.neg X) (T.neg Y))",
  "x * y + z": "(T.add (T.mul X Y) Z)",
  "x * y - z": "(T.sub (T.mul X Y) Z)",
  "z - x * y": "(T.sub Z (T.mul X Y))",
  "x * x + y * y": "(T.add (T.mul X X) (T.mul Y Y))",
  "x * y - y * x": "(T.sub (T.mul X Y) (T.mul Y X))",
  "(x + y) + z": "(T.add (T.add X Y) Z)",
  "x + (y + z)": "(T.add X (T.add Y Z))",
  "(x * y) * z": "(T.mul (T.mul X Y) Z)",
  "x * z + y * z": "(T.add (T.mul X Z) (T.mul Y Z))",
  "x / y / z": "(T.div (T.div X Y) Z)",
  "x / z + y / z": "(T.add (T.div X Z) (T.div Y Z))",
  "sqrt(x * x)": "(T.sqrt (T.mul X X))",
  "sqrt(x) * sqrt(y)": "(T.mul (T.sqrt X) (T.sqrt Y))",
  "sqrt(x) / sqrt(y)": "(T.div (T.sqrt X) (T.sqrt Y))",
  "1 / sqrt(x)": "(T.div (T.const 1) (T.sqrt X))",
  "abs(x) * abs(x)": "(T.mul (T.abs X) (T.abs X))",
  "min(x, x)": "(T.min X X)",
  "min(x, y) by comparing": "(select X Y (T.lt X Y))",
  "max(x, y) by comparing": "(select X Y (T.gt X Y))",
  "abs by comparing": "(select (T.neg X) X (T.lt X (T.const 0)))",
  "x if it is itself": "(select X (T.const 1) (T.eq X X))",
  "x if not below y": "(select X Y (i32.eqz (T.lt X Y)))",
  "x if at least y": "(select X Y (T.ge X Y))",
  "x == 0 ? 0 : x": "(select (T.const 0) X (T.eq X (T.const 0)))",
  "nearest by adding": "(T.sub (T.add X (T.const 0x1p52)) (T.const 0x1p52))",
  "through an integer": "(T.convert_i32_s (i32.trunc_sat_T_s X))",
  "through a long integer": "(T.convert_i64_u (i64.trunc_sat_T_u X))",
  "floor by trunc": "(T.sub (T.trunc X) (select (T.const 1) (T.const 0) (T.lt X (T.trunc X))))",
  "sign copied twice": "(T.copysign (T.copysign X Y) X)",
};

/** Both widths: rounding twice is not rounding once. */
const MIXED: Readonly<Record<string, string>> = {
  "sum in f64": "(f32.demote_f64 (f64.add (f64.promote_f32 X) (f64.promote_f32 Y)))",
  "product in f64, and a sum":
    "(f32.demote_f64 (f64.add (f64.mul (f64.promote_f32 X) (f64.promote_f32 Y)) (f64.promote_f32 Z)))",
  "there and back": "(f32.demote_f64 (f64.promote_f32 X))",
  "quotient in f64": "(f32.demote_f64 (f64.div (f64.promote_f32 X) (f64.promote_f32 Y)))",
  "square root in f64": "(f32.demote_f64 (f64.sqrt (f64.promote_f32 X)))",
};

const BITS = { f32: "i32", f64: "i64" } as const;
const VALUES: Readonly<Record<Float, readonly bigint[]>> = {
  f32: [
    ...[0n, 0x80000000n, 0x3f800000n, 0xbf800001n, 0x3f800001n, 0x40490fdbn, 0x00000001n],
    ...[0x807fffffn, 0x00800000n, 0x7f7fffffn, 0x7f800000n, 0xff800000n, 0x7fc00000n],
    ...[0x7fa00001n, 0x4b7fffffn, 0x33d6bf95n, 0xc2f6e979n],
  ],
  f64: [
    ...[0n, 1n << 63n, 0x3ff0000000000000n, 0xbff0000000000001n, 0x3ff0000000000001n],
    ...[0x400921fb54442d18n, 1n, 0x800fffffffffffffn, 0x0010000000000000n],
    ...[0x7fefffffffffffffn, 0x7ff0000000000000n, 0xfff0000000000000n, 0x7ff8000000000000n],
    ...[0x7ff4000000000001n, 0x433fffffffffffffn, 0x3e7ad7f29abcaf48n, 0xc05edd2f1a9fbe77n],
  ],
};

/** All quiet NaNs become one; one that still signals stays as it is, and is found. */
function settled(type: Float, expression: string): string {
  const bits = BITS[type];
  const quiet = type === "f32" ? "i32.const 0x7fc00000" : "i64.const 0x7ff8000000000000";
  return `(local.set $r (${bits}.reinterpret_${type} ${expression}))
    (select (${quiet}) (local.get $r)
      (${bits}.eq (${bits}.and (local.get $r) (${quiet})) (${quiet})))`;
}

function functionOf(name: string, type: Float, expression: string): string {
  const bits = BITS[type];
  const value = (local: string) => `(${type}.reinterpret_${bits} (local.get $${local}))`;
  const text = expression
    .replaceAll("T", type)
    .replace(/\b[XYZ]\b/g, (letter) => value(letter.toLowerCase()));
  const params = ["x", "y", "z"].map((local) => `(param $${local} ${bits})`).join(" ");
  return `(func (export "${name}") ${params} (result ${bits}) (local $r ${bits}) ${settled(type, text)})`;
}

test("floats are computed as they are written, on both processors", async () => {
  const kinds: readonly (readonly [Float, Readonly<Record<string, string>>])[] = [
    ["f32", { ...EXPRESSIONS, ...MIXED }],
    ["f64", EXPRESSIONS],
  ];
  const signatures: Record<string, Signature> = {};
  const functions: string[] = [];
  const calls: Call[] = [];
  for (const [type, expressions] of kinds) {
    const values = VALUES[type];
    for (const [what, expression] of Object.entries(expressions)) {
      const name = `${type}: ${what}`;
      const bits = BITS[type];
      signatures[name] = { params: [bits, bits, bits], result: bits };
      functions.push(functionOf(name, type, expression));
      values.forEach((x, index) => {
        for (const y of values) {
          calls.push({ name, args: [x, y, values[(index * 7 + 3) % values.length] ?? 0n] });
        }
      });
    }
  }
  const wasm = await assemble(`(module ${functions.join("\n")})`);
  const v8 = runV8(wasm, calls, signatures);
  for (const options of [{ flags: ["-O3"] }, { target: "arm" }] as const) {
    const native = runNative(wasm, calls, signatures, options);
    assert.equal(differences(calls, native, v8), [], JSON.stringify(options));
  }
});

test.run();
