import fc from "fast-check";

/**
 * Random functions in the text format. They end: a loop counts a local of its own down. Each function
 * takes (i32, i64) and gives i64; `$l0…` are i32, `$m0…` i64, `$x…` f32, `$y…` f64.
 */
type Type = "i32" | "i64" | "f32" | "f64";
const LOCALS: Readonly<Record<Type, readonly string[]>> = {
  i32: ["$p", "$l0", "$l1", "$l2"],
  i64: ["$q", "$m0", "$m1"],
  f32: ["$x0", "$x1"],
  f64: ["$y0", "$y1"],
};
const GLOBALS: Readonly<Record<Type, string>> = { i32: "$gi", i64: "$gl", f32: "$gx", f64: "$gy" };

interface Choice {
  /** A number below `bound`. */
  next(bound: number): number;
}

/** What fast-check drew, read as choices; when it is used up, the least of each. */
function createChoice(drawn: readonly number[]): Choice {
  let at = 0;
  return { next: (bound) => (drawn[at++] ?? 0) % bound };
}

const BINARY: Readonly<Record<Type, readonly string[]>> = {
  i32: "add sub mul and or xor shl shr_s shr_u rotl rotr eq ne lt_s lt_u gt_s ge_u le_s div_s div_u rem_s rem_u".split(
    " ",
  ),
  i64: "add sub mul and or xor shl shr_s shr_u rotl rotr div_s div_u rem_s rem_u".split(" "),
  // Not copysign: it shows the sign of a NaN, which processors choose.
  f32: "add sub mul div min max".split(" "),
  f64: "add sub mul div min max".split(" "),
};
const UNARY: Readonly<Record<Type, readonly [op: string, from: Type][]>> = {
  i32: [
    ["i32.eqz", "i32"],
    ["i32.clz", "i32"],
    ["i32.ctz", "i32"],
    ["i32.popcnt", "i32"],
    ["i32.wrap_i64", "i64"],
    ["i64.eqz", "i64"],
    ["i32.extend8_s", "i32"],
    ["i32.trunc_sat_f64_s", "f64"],
    ["i32.trunc_sat_f32_u", "f32"],
    ["i32.trunc_f64_s", "f64"],
  ],
  i64: [
    ["i64.extend_i32_s", "i32"],
    ["i64.extend_i32_u", "i32"],
    ["i64.clz", "i64"],
    ["i64.extend16_s", "i64"],
    ["i64.trunc_sat_f64_u", "f64"],
    ["i64.popcnt", "i64"],
  ],
  f32: [
    ["f32.convert_i32_s", "i32"],
    ["f32.convert_i64_u", "i64"],
    ["f32.demote_f64", "f64"],
    ["f32.sqrt", "f32"],
    ["f32.abs", "f32"],
    ["f32.floor", "f32"],
  ],
  f64: [
    ["f64.convert_i64_s", "i64"],
    ["f64.promote_f32", "f32"],
    ["f64.neg", "f64"],
    ["f64.nearest", "f64"],
    ["f64.trunc", "f64"],
    ["f64.convert_i32_u", "i32"],
  ],
};
const LOADS: Readonly<Record<Type, readonly string[]>> = {
  i32: ["i32.load", "i32.load8_s", "i32.load16_u"],
  i64: ["i64.load", "i64.load32_s", "i64.load8_u"],
  f32: ["f32.load"],
  f64: ["f64.load"],
};
const STORES: Readonly<Record<Type, readonly string[]>> = {
  i32: ["i32.store", "i32.store8", "i32.store16"],
  i64: ["i64.store", "i64.store32"],
  f32: ["f32.store"],
  f64: ["f64.store"],
};
const TYPES: readonly Type[] = ["i32", "i64", "f32", "f64"];
const CONSTANTS = ["0", "1", "-1", "2", "7", "255", "65535", "-2147483648", "2147483647", "1000"];

interface Scope {
  readonly choice: Choice;
  /** Index of the function: it calls earlier ones only, so that all end. */
  readonly index: number;
  /** Open blocks that give an i32, for branches with a value. */
  readonly blocks: readonly string[];
  readonly loops: number;
  depth: number;
  names: { count: number };
}

function pick<T>({ choice }: Scope, list: readonly T[]): T {
  return list[choice.next(list.length)] as T;
}

function deeper(scope: Scope): Scope {
  return { ...scope, depth: scope.depth + 1 };
}

function address(scope: Scope): string {
  const mask = pick(scope, ["0xff", "0xffff", "0x1ffff", "0xfffffff8"]);
  return `(i32.and ${expression(deeper(scope), "i32")} (i32.const ${mask}))`;
}

function offset(scope: Scope): string {
  return pick(scope, ["", "offset=4", "offset=8", "offset=12", "offset=65530"]);
}

function leaf(scope: Scope, type: Type): string {
  const kind = scope.choice.next(5);
  if (kind === 0) return `(${type}.const ${pick(scope, CONSTANTS)})`;
  if (kind === 1) return `(global.get ${GLOBALS[type]})`;
  return `(local.get ${pick(scope, LOCALS[type])})`;
}

function expression(scope: Scope, type: Type): string {
  if (scope.depth > 5) return leaf(scope, type);
  const inner = deeper(scope);
  const make = (of: Type) => expression(inner, of);
  switch (scope.choice.next(12)) {
    case 0:
    case 1:
      return leaf(scope, type);
    case 2:
    case 3:
    case 4:
      return `(${type}.${pick(scope, BINARY[type])} ${make(type)} ${make(type)})`;
    case 5: {
      const [op, from] = pick(scope, UNARY[type]);
      return `(${op} ${make(from)})`;
    }
    case 6:
      return `(${pick(scope, LOADS[type])} ${offset(scope)} ${address(scope)})`;
    case 7:
      return `(local.tee ${pick(scope, LOCALS[type])} ${make(type)})`;
    case 8:
      return `(select ${make(type)} ${make(type)} ${make("i32")})`;
    case 9:
      return `(if (result ${type}) ${make("i32")}
        (then ${statements(inner, 2)} ${make(type)}) (else ${statements(inner, 1)} ${make(type)}))`;
    case 10:
      return type === "i64" && scope.index > 0
        ? `(call $f${scope.choice.next(scope.index)} ${make("i32")} ${make("i64")})`
        : leaf(scope, type);
    default:
      return type === "i32" ? valuedBlock(scope) : leaf(scope, type);
  }
}

function valuedBlock(scope: Scope): string {
  const name = `$b${scope.names.count++}`;
  const inner = { ...deeper(scope), blocks: [...scope.blocks, name] };
  const [value, condition, end] = [0, 0, 0].map(() => expression(inner, "i32"));
  return `(block ${name} (result i32) ${statements(inner, 2)}
    (drop (br_if ${pick(inner, inner.blocks)} ${value} ${condition})) ${end})`;
}

function statements(scope: Scope, count: number): string {
  return Array.from({ length: count }, () => statement(scope)).join("\n");
}

function statement(scope: Scope): string {
  const inner = deeper(scope);
  const type = pick(scope, TYPES);
  const value = () => expression(inner, type);
  switch (scope.depth > 4 ? scope.choice.next(4) : scope.choice.next(9)) {
    case 0:
    case 1:
      return `(local.set ${pick(scope, LOCALS[type])} ${value()})`;
    case 2:
      return `(global.set ${GLOBALS[type]} ${value()})`;
    case 3:
    case 4:
      return `(${pick(scope, STORES[type])} ${offset(scope)} ${address(scope)} ${settled(type, value())})`;
    case 5:
      return `(if ${expression(inner, "i32")} (then ${statements(inner, 2)}) (else ${statements(inner, 1)}))`;
    case 6:
      return loop(scope);
    case 7:
      return table(scope);
    default:
      return `(drop ${value()})`;
  }
}

/** The bits of a NaN are the processor's choice, so memory gets one NaN only. */
function settled(type: Type, value: string): string {
  return type.startsWith("f") ? `(call $settle_${type} ${value})` : value;
}

function loop(scope: Scope): string {
  if (scope.loops >= 2) return "(nop)";
  const counter = `$c${scope.loops}`;
  const name = `$loop${scope.names.count++}`;
  const inner = { ...deeper(scope), loops: scope.loops + 1 };
  return `(local.set ${counter} (i32.const 3)) (loop ${name} ${statements(inner, 2)}
    (br_if ${name} (local.tee ${counter} (i32.sub (local.get ${counter}) (i32.const 1)))))`;
}

function table(scope: Scope): string {
  const [a, b] = [`$s${scope.names.count++}`, `$s${scope.names.count++}`];
  const inner = deeper(scope);
  return `(block ${a} (block ${b} (br_table ${b} ${a} ${b} ${expression(inner, "i32")}))
    ${statements(inner, 2)})`;
}

const LOCAL_LIST = `(local $l0 i32) (local $l1 i32) (local $l2 i32) (local $c0 i32) (local $c1 i32)
  (local $m0 i64) (local $m1 i64) (local $x0 f32) (local $x1 f32) (local $y0 f64) (local $y1 f64)`;

function functionText(index: number, drawn: readonly number[]): string {
  const names = { count: 0 };
  const scope: Scope = {
    ...{ choice: createChoice(drawn), index, blocks: [], loops: 0, depth: 0, names },
  };
  return `(func $f${index} (export "f${index}") (param $p i32) (param $q i64) (result i64) ${LOCAL_LIST}
    ${statements(scope, 4)}
    ${expression(scope, "i64")})`;
}

function settleFunction(type: "f32" | "f64"): string {
  return `(func $settle_${type} (param ${type}) (result ${type})
    (select (local.get 0) (${type}.const nan) (${type}.eq (local.get 0) (local.get 0))))`;
}

/** A module of `count` random functions; the same seed gives the same. */
export function randomModule(seed: number, count: number): string {
  const drawn = fc.sample(fc.array(fc.nat(5039), { minLength: 60, maxLength: 250 }), {
    seed,
    numRuns: count,
  });
  return `(module (memory (export "memory") 1 1)
    (data (i32.const 0) "\\01\\02\\03\\04\\05\\06\\07\\08\\f9\\fa\\fb\\fc\\fd\\fe\\ff\\00random")
    (global $gi (mut i32) (i32.const 3)) (global $gl (mut i64) (i64.const -3))
    (global $gx (mut f32) (f32.const 0.5)) (global $gy (mut f64) (f64.const -1.5))
    ${(["f32", "f64"] as const).map(settleFunction).join("\n")}
    ${drawn.map((choices, index) => functionText(index, choices)).join("\n")})`;
}
