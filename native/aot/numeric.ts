import type { ValueType } from "./module.ts";

/** What may go wrong in an instruction; the translator puts the tests before it. */
export type NumericTrap = "divide" | "divide-signed" | "remainder-signed" | "truncate";

/** An instruction that takes and gives numbers only. */
export interface Numeric {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly result: ValueType;
  /** C, with `$0` and `$1` for the operands. i32 and i64 are `uint32_t` and `uint64_t`. */
  readonly code: string;
  /** The C is a truth value, an `int` that is 0 or 1. */
  readonly truth: boolean;
  readonly trap?: NumericTrap;
}

const LETTERS: Readonly<Record<string, ValueType>> = { i: "i32", l: "i64", f: "f32", d: "f64" };

/** Opcode (with its prefix byte as 0xfc00) → instruction. */
export const NUMERIC: ReadonlyMap<number, Numeric> = new Map([
  ...integerComparisons(0x45, "i32"),
  ...integerComparisons(0x50, "i64"),
  ...floatComparisons(0x5b, "f32"),
  ...floatComparisons(0x61, "f64"),
  ...integerArithmetic(0x67, "i32"),
  ...integerArithmetic(0x79, "i64"),
  ...floatArithmetic(0x8b, "f32"),
  ...floatArithmetic(0x99, "f64"),
  ...conversions(),
  ...saturating(),
]);

function row(
  op: number,
  name: string,
  signature: string,
  code: string,
  trap?: NumericTrap,
): [number, Numeric] {
  const [params = "", result = ""] = signature.split(":");
  const truth = result === "t";
  const types = [...params].map((letter) => LETTERS[letter] ?? "i32");
  const given = truth ? "i32" : (LETTERS[result] ?? "i32");
  return [op, { name, params: types, result: given, code, truth, ...(trap ? { trap } : {}) }];
}

function letterOf(type: ValueType): string {
  return { i32: "i", i64: "l", f32: "f", f64: "d" }[type];
}

function bitsOfType(type: ValueType): number {
  return Number(type.slice(1));
}

function integerComparisons(first: number, type: "i32" | "i64"): [number, Numeric][] {
  const x = letterOf(type);
  const signed = `(int${bitsOfType(type)}_t)`;
  const rows = [row(first, `${type}.eqz`, `${x}:t`, "!$0")];
  const names = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"];
  const signs = ["==", "!=", "<", "<", ">", ">", "<=", "<=", ">=", ">="];
  names.forEach((name, index) => {
    const cast = name.endsWith("_s") ? signed : "";
    const code = `${cast}$0 ${signs[index]} ${cast}$1`;
    rows.push(row(first + 1 + index, `${type}.${name}`, `${x}${x}:t`, code));
  });
  return rows;
}

function floatComparisons(first: number, type: "f32" | "f64"): [number, Numeric][] {
  const x = letterOf(type);
  const names = ["eq", "ne", "lt", "gt", "le", "ge"];
  const signs = ["==", "!=", "<", ">", "<=", ">="];
  return names.map((name, index) =>
    row(first + index, `${type}.${name}`, `${x}${x}:t`, `$0 ${signs[index]} $1`),
  );
}

function integerArithmetic(first: number, type: "i32" | "i64"): [number, Numeric][] {
  const bits = bitsOfType(type);
  const x = letterOf(type);
  const u = `(uint${bits}_t)`;
  const s = `(int${bits}_t)`;
  const mask = bits - 1;
  const rows: [name: string, code: string, trap?: NumericTrap][] = [
    ["clz", `wasm_clz${bits}($0)`],
    ["ctz", `wasm_ctz${bits}($0)`],
    ["popcnt", `${u}__builtin_popcount${bits === 64 ? "ll" : ""}($0)`],
    ["add", "$0 + $1"],
    ["sub", "$0 - $1"],
    ["mul", "$0 * $1"],
    ["div_s", `${u}(${s}$0 / ${s}$1)`, "divide-signed"],
    ["div_u", "$0 / $1", "divide"],
    ["rem_s", `${u}(${s}$0 % ${s}$1)`, "remainder-signed"],
    ["rem_u", "$0 % $1", "divide"],
    ["and", "$0 & $1"],
    ["or", "$0 | $1"],
    ["xor", "$0 ^ $1"],
    ["shl", `$0 << ($1 & ${mask})`],
    ["shr_s", `${u}(${s}$0 >> ($1 & ${mask}))`],
    ["shr_u", `$0 >> ($1 & ${mask})`],
    ["rotl", `wasm_rotl${bits}($0, $1)`],
    ["rotr", `wasm_rotr${bits}($0, $1)`],
  ];
  return rows.map(([name, code, trap], index) => {
    const params = index < 3 ? x : x + x;
    return row(first + index, `${type}.${name}`, `${params}:${x}`, code, trap);
  });
}

function floatArithmetic(first: number, type: "f32" | "f64"): [number, Numeric][] {
  const x = letterOf(type);
  const f = type === "f32" ? "f" : "";
  const rows: [name: string, code: string][] = [
    ["abs", `__builtin_fabs${f}($0)`],
    ["neg", "-$0"],
    ["ceil", `wasm_ceil_${type}($0)`],
    ["floor", `wasm_floor_${type}($0)`],
    ["trunc", `wasm_trunc_${type}($0)`],
    ["nearest", `wasm_nearbyint_${type}($0)`],
    ["sqrt", `__builtin_sqrt${f}($0)`],
    ["add", "$0 + $1"],
    ["sub", "$0 - $1"],
    ["mul", "$0 * $1"],
    ["div", "$0 / $1"],
    ["min", `wasm_min_${type}($0, $1)`],
    ["max", `wasm_max_${type}($0, $1)`],
    ["copysign", `__builtin_copysign${f}($0, $1)`],
  ];
  return rows.map(([name, code], index) =>
    row(first + index, `${type}.${name}`, `${index < 7 ? x : x + x}:${x}`, code),
  );
}

/** Casts that round are exact in C too; those to integers are tested for their range before. */
function conversions(): [number, Numeric][] {
  const truncate = (op: number, to: "i32" | "i64", from: "f32" | "f64") => {
    const bits = bitsOfType(to);
    const signature = `${letterOf(from)}:${letterOf(to)}`;
    const signed = `(uint${bits}_t)(int${bits}_t)$0`;
    return [
      row(op, `${to}.trunc_${from}_s`, signature, signed, "truncate"),
      row(op + 1, `${to}.trunc_${from}_u`, signature, `(uint${bits}_t)$0`, "truncate"),
    ];
  };
  return [
    row(0xa7, "i32.wrap_i64", "l:i", "(uint32_t)$0"),
    ...truncate(0xa8, "i32", "f32"),
    ...truncate(0xaa, "i32", "f64"),
    row(0xac, "i64.extend_i32_s", "i:l", "(uint64_t)(int64_t)(int32_t)$0"),
    row(0xad, "i64.extend_i32_u", "i:l", "(uint64_t)$0"),
    ...truncate(0xae, "i64", "f32"),
    ...truncate(0xb0, "i64", "f64"),
    row(0xb2, "f32.convert_i32_s", "i:f", "(float)(int32_t)$0"),
    row(0xb3, "f32.convert_i32_u", "i:f", "(float)$0"),
    row(0xb4, "f32.convert_i64_s", "l:f", "(float)(int64_t)$0"),
    row(0xb5, "f32.convert_i64_u", "l:f", "(float)$0"),
    row(0xb6, "f32.demote_f64", "d:f", "wasm_demote($0)"),
    row(0xb7, "f64.convert_i32_s", "i:d", "(double)(int32_t)$0"),
    row(0xb8, "f64.convert_i32_u", "i:d", "(double)$0"),
    row(0xb9, "f64.convert_i64_s", "l:d", "(double)(int64_t)$0"),
    row(0xba, "f64.convert_i64_u", "l:d", "(double)$0"),
    row(0xbb, "f64.promote_f32", "f:d", "(double)$0"),
    row(0xbc, "i32.reinterpret_f32", "f:i", "wasm_bits_f32($0)"),
    row(0xbd, "i64.reinterpret_f64", "d:l", "wasm_bits_f64($0)"),
    row(0xbe, "f32.reinterpret_i32", "i:f", "wasm_f32($0)"),
    row(0xbf, "f64.reinterpret_i64", "l:d", "wasm_f64($0)"),
    row(0xc0, "i32.extend8_s", "i:i", "(uint32_t)(int32_t)(int8_t)$0"),
    row(0xc1, "i32.extend16_s", "i:i", "(uint32_t)(int32_t)(int16_t)$0"),
    row(0xc2, "i64.extend8_s", "l:l", "(uint64_t)(int64_t)(int8_t)$0"),
    row(0xc3, "i64.extend16_s", "l:l", "(uint64_t)(int64_t)(int16_t)$0"),
    row(0xc4, "i64.extend32_s", "l:l", "(uint64_t)(int64_t)(int32_t)$0"),
  ];
}

function saturating(): [number, Numeric][] {
  return (["i32", "i64"] as const).flatMap((to, high) =>
    (["f32", "f64"] as const).flatMap((from, low) =>
      (["s", "u"] as const).map((sign, last) => {
        const name = `${to}.trunc_sat_${from}_${sign}`;
        const code = `wasm_saturate_${to}_${from}_${sign}($0)`;
        return row(
          0xfc00 + high * 4 + low * 2 + last,
          name,
          `${letterOf(from)}:${letterOf(to)}`,
          code,
        );
      }),
    ),
  );
}

/** The open or closed bounds between which a float has an integer of this kind. */
export function truncationRange(name: string): { readonly low: string; readonly high: string } {
  const [, bits = "", float = "", sign] = /^i(\d\d)\.trunc_(f\d\d)_(s|u)$/.exec(name) ?? [];
  const f = float === "f32" ? "f" : "";
  if (sign === "u") return { low: `> -1.0${f}`, high: `< 0x1p${bits}${f}` };
  const high = `< 0x1p${Number(bits) - 1}${f}`;
  // Only f64 has values between -2^31 - 1 and -2^31.
  if (bits === "32" && float === "f64") return { low: "> -2147483649.0", high };
  return { low: `>= -0x1p${Number(bits) - 1}${f}`, high };
}

/** A load or store: C type in memory, and what stands between it and the value. */
export interface Access {
  readonly name: string;
  readonly type: ValueType;
  readonly bytes: 1 | 2 | 4 | 8;
  /** Suffix of `wasm_load_` and `wasm_store_` in the prelude. */
  readonly cell: string;
  /** C cast from the cell to the value, or from the value to the cell. */
  readonly cast: string;
  readonly store: boolean;
}

const ACCESSES = [
  "i32.load:32 i64.load:64 f32.load:f32 f64.load:f64 i32.load8_s:s8 i32.load8_u:8",
  "i32.load16_s:s16 i32.load16_u:16 i64.load8_s:s8 i64.load8_u:8 i64.load16_s:s16",
  "i64.load16_u:16 i64.load32_s:s32 i64.load32_u:32 i32.store:32 i64.store:64 f32.store:f32",
  "f64.store:f64 i32.store8:8 i32.store16:16 i64.store8:8 i64.store16:16 i64.store32:32",
];

/** Opcode → memory instruction. */
export const ACCESS: ReadonlyMap<number, Access> = new Map(
  ACCESSES.join(" ")
    .split(" ")
    .map((text, index) => [0x28 + index, access(text)]),
);

function access(text: string): Access {
  const [name = "", cell = ""] = text.split(":");
  const type = name.slice(0, 3) as ValueType;
  const store = name.includes("store");
  const bytes = (Number(cell.replace(/\D/g, "")) / 8) as Access["bytes"];
  return { name, type, bytes, cell: cell.replace("s", ""), cast: castOf(cell, type, store), store };
}

function castOf(cell: string, type: ValueType, store: boolean): string {
  if (type.startsWith("f")) return "";
  const bits = type.slice(1);
  const width = cell.replace("s", "");
  if (store) return width === bits ? "" : `(uint${width}_t)`;
  const signed = cell.startsWith("s") ? `(int${bits}_t)(int${width}_t)` : "";
  return width === bits && !signed ? "" : `(uint${bits}_t)${signed}`;
}
