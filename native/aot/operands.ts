import type { ValueType } from "./module.ts";
import type { Numeric } from "./numeric.ts";

/**
 * A value on the operand stack: C without side effects that cannot trap. What has side effects or may
 * trap was written as a statement before, so that order is right however late this text is used.
 */
export interface Operand {
  /** `any` comes from an empty stack behind a jump, in code that never runs. */
  readonly type: ValueType | "any";
  /** A name, a constant, or something in parentheses. */
  readonly text: string;
  /** Shorter C for a condition, when the value is 0 or 1. */
  readonly truth?: string;
  /** Equal keys mean equal values wherever both are known. */
  readonly key: string;
  /** Locals that the text reads. */
  readonly locals: readonly number[];
  readonly depth: number;
  /** Bits of a constant integer. */
  readonly constant?: bigint;
  /** The value, unsigned, is never more than this; absent when nothing is known. */
  readonly most?: number;
  /** The value is another one, by its key, plus a constant. */
  readonly sum?: { readonly key: string; readonly add: number };
}

export const C_TYPES: Readonly<Record<ValueType, string>> = {
  i32: "uint32_t",
  i64: "uint64_t",
  f32: "float",
  f64: "double",
};

/** Types at the border to hand-written C. */
export const HOST_TYPES: Readonly<Record<ValueType, string>> = {
  i32: "int32_t",
  i64: "int64_t",
  f32: "float",
  f64: "double",
};

export const UNKNOWN: Operand = { type: "any", text: "0", key: "any", locals: [], depth: 0 };

export function named(type: ValueType, name: string): Operand {
  return { type, text: name, key: name, locals: [], depth: 0 };
}

export function constant(type: ValueType, bits: bigint): Operand {
  const text = constantText(type, bits);
  const integer = type === "i32" || type === "i64";
  const plain = { type, text, key: text, locals: [], depth: 0 };
  if (!integer) return plain;
  const unsigned = BigInt.asUintN(type === "i32" ? 32 : 64, bits);
  return { ...plain, constant: unsigned, ...(type === "i32" ? { most: Number(unsigned) } : {}) };
}

/** Floats in decimal with all digits that tell them apart; what decimal cannot say as bits. */
export function constantText(type: ValueType, bits: bigint): string {
  if (type === "i32") return `${BigInt.asUintN(32, bits)}u`;
  if (type === "i64") return `${BigInt.asUintN(64, bits)}ull`;
  const view = new DataView(new ArrayBuffer(8));
  if (type === "f32") view.setUint32(0, Number(bits));
  else view.setBigUint64(0, bits);
  const value = type === "f32" ? view.getFloat32(0) : view.getFloat64(0);
  const suffix = type === "f32" ? "f" : "";
  if (!Number.isFinite(value))
    return `wasm_${type}(0x${bits.toString(16)}${type === "f32" ? "u" : "ull"})`;
  if (Object.is(value, -0)) return `(-0.0${suffix})`;
  const digits = /[.e]/.test(String(value)) ? String(value) : `${value}.0`;
  return value < 0 ? `(${digits}${suffix})` : `${digits}${suffix}`;
}

/** C for a condition. Compilers warn of products as conditions, so those are compared. */
export function truthOf(operand: Operand): string {
  return operand.truth ?? (operand.depth > 0 ? `${operand.text} != 0` : operand.text);
}

/** The result of an instruction whose traps have been excluded. */
export function compute(operation: Numeric, operands: readonly Operand[]): Operand {
  const fill = (part: (operand: Operand) => string) =>
    operation.code.replace(/\$(\d)/g, (_, index) => {
      const operand = operands[Number(index)];
      return operand ? part(operand) : "0";
    });
  const zeroTest = operation.name === "i32.eqz" && operands[0]?.truth;
  const isIndex = scalesMask(operation, operands);
  const textOf = (operand: Operand) =>
    isIndex && operand === operands[0] ? `wasm_index(${operand.text})` : operand.text;
  const code = zeroTest ? `!(${zeroTest})` : fill(textOf);
  const sum = sumOf(operation, operands);
  const most = mostOf(operation, operands);
  return {
    type: operation.result,
    text: operation.truth ? `((uint32_t)(${code}))` : `(${code})`,
    key: `(${operation.name} ${operands.map((operand) => operand.key).join(" ")})`,
    locals: localsOf(operands),
    depth: depthOf(operands),
    ...(operation.truth ? { truth: code } : {}),
    ...(sum ? { sum } : {}),
    ...(most === undefined ? {} : { most }),
  };
}

/** Whether it makes a masked value the offset of an element: `(x & 15) << 2`. */
function scalesMask({ name }: Numeric, [first, second]: readonly Operand[]): boolean {
  const scale = second?.constant;
  if (name !== "i32.shl" || scale === undefined || scale < 1n || scale > 3n) return false;
  return first?.key.startsWith("(i32.and ") ?? false;
}

const LARGEST = 0xffff_ffff;

/** How large a result can be; of masks, shifts and sums, which is what indexes of tables are made of. */
function mostOf(operation: Numeric, [first, second]: readonly Operand[]): number | undefined {
  const [one = LARGEST, other = LARGEST] = [first?.most, second?.most];
  const fixed = second?.constant === undefined ? undefined : Number(second.constant);
  const exact = (most: number) => (most < LARGEST ? most : undefined);
  switch (operation.name) {
    case "i32.and":
      return exact(Math.min(one, other));
    case "i32.add":
      return exact(one + other);
    case "i32.shl":
      return fixed === undefined ? undefined : exact(one * 2 ** (fixed & 31));
    case "i32.shr_u":
      return fixed === undefined ? undefined : exact(Math.floor(one / 2 ** (fixed & 31)));
    default:
      return operation.truth && operation.result === "i32" ? 1 : undefined;
  }
}

const MOST_ADDED = 1 << 20;

function sumOf(operation: Numeric, operands: readonly Operand[]): Operand["sum"] {
  const [base, offset] = operands;
  if (operation.name !== "i32.add" || !base || offset?.constant === undefined) return undefined;
  const add = Number(offset.constant) + (base.sum?.add ?? 0);
  return add <= MOST_ADDED ? { key: base.sum?.key ?? base.key, add } : undefined;
}

export function choose(condition: Operand, yes: Operand, no: Operand): Operand {
  const all = [condition, yes, no];
  return {
    type: yes.type === "any" ? no.type : yes.type,
    text: `(${truthOf(condition)} ? ${yes.text} : ${no.text})`,
    key: `(select ${all.map((operand) => operand.key).join(" ")})`,
    locals: localsOf(all),
    depth: depthOf(all),
  };
}

function localsOf(operands: readonly Operand[]): readonly number[] {
  const [first, ...others] = operands.map((operand) => operand.locals).filter((l) => l.length > 0);
  if (!first) return [];
  return others.length === 0 ? first : [...new Set([first, ...others].flat())];
}

function depthOf(operands: readonly Operand[]): number {
  return 1 + Math.max(0, ...operands.map((operand) => operand.depth));
}
