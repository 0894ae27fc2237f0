import { littleEndian, readValueType, valueTypeOf } from "./decode.ts";
import { invalid, unsupported } from "./errors.ts";
import type { Module, ValueType, WasmFunction } from "./module.ts";
import { ACCESS, NUMERIC } from "./numeric.ts";
import { createReader, type Reader } from "./reader.ts";

/** One instruction of a function. What its numbers mean depends on the opcode. */
export interface Instruction {
  /** Opcode; those behind the prefix byte 0xfc have it as 0xfc00. */
  readonly op: number;
  /** Byte offset in the file, as V8 and the source map count. */
  readonly at: number;
  /** Index of a local, global, function, type, label or segment; offset of a memory access. */
  readonly index: number;
  /** Bits of a constant. */
  readonly bits: bigint;
  /** Targets of `br_table`, the default last. */
  readonly targets: readonly number[];
  /** Result of a block. */
  readonly result: ValueType | undefined;
  /** Of a block: locals that are written inside it. */
  readonly written: ReadonlySet<number>;
}

export interface Body {
  readonly locals: readonly ValueType[];
  readonly code: readonly Instruction[];
}

const MOST_LOCALS = 50_000;
const MOST_TARGETS = 65_520;
const MOST_NESTED = 1_000;
const NONE: readonly number[] = [];
const NOTHING: ReadonlySet<number> = new Set();

export const OP = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  drop: 0x1a,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  memoryInit: 0xfc08,
  dataDrop: 0xfc09,
  memoryCopy: 0xfc0a,
  memoryFill: 0xfc0b,
} as const;

/** Names of what is refused, for the message. */
const REFUSED: Readonly<Record<number, string>> = {
  6: "exceptions (try)",
  8: "exceptions (throw)",
  9: "exceptions (rethrow)",
  10: "exceptions (throw_ref)",
  18: "tail calls (return_call)",
  19: "tail calls (return_call_indirect)",
  20: "typed function references (call_ref)",
  21: "typed function references (return_call_ref)",
  28: "reference types (typed select)",
  31: "exceptions (try_table)",
  37: "reference types (table.get)",
  38: "reference types (table.set)",
  208: "reference types (ref.null)",
  209: "reference types (ref.is_null)",
  210: "reference types (ref.func)",
  251: "garbage collection",
  253: "128-bit vectors",
  254: "threads and atomic operations",
  64524: "tables that change (table.init)",
  64525: "tables that change (elem.drop)",
  64526: "tables that change (table.copy)",
  64527: "tables that change (table.grow)",
  64528: "tables that change (table.size)",
  64529: "tables that change (table.fill)",
};

interface OpenBlock {
  readonly written: Set<number>;
  readonly isIf: boolean;
}

/** Reads the code of one function. @throws AotError wasm-invalid, wasm-unsupported */
export function decodeBody(module: Module, target: WasmFunction): Body {
  const { code: place, type } = target;
  if (!place) throw invalid("an imported function has no code", 0);
  const reader = createReader(module.bytes, place.from, place.end);
  const locals = [...type.params, ...readLocals(reader)];
  const code: Instruction[] = [];
  const open: OpenBlock[] = [{ written: new Set(), isIf: false }];
  while (open.length > 0) {
    const instruction = readInstruction(reader, open);
    if (open.length > MOST_NESTED) throw unsupported("blocks nested too deeply", instruction.at);
    code.push(instruction);
  }
  if (reader.at !== reader.end) throw invalid("a function has bytes left over", reader.at);
  return { locals, code };
}

function readLocals(reader: Reader): ValueType[] {
  const locals: ValueType[] = [];
  for (let left = reader.count("groups of locals", MOST_LOCALS); left > 0; left--) {
    const at = reader.at;
    const count = reader.u32();
    if (locals.length + count > MOST_LOCALS) throw unsupported("too many locals", at);
    const type = readValueType(reader);
    for (let index = 0; index < count; index++) locals.push(type);
  }
  return locals;
}

function readInstruction(reader: Reader, open: OpenBlock[]): Instruction {
  const at = reader.at;
  const first = reader.byte();
  const op = first === 0xfc ? 0xfc00 + Math.min(reader.u32(), 0xff) : first;
  const plain = { op, at, index: 0, bits: 0n, targets: NONE, result: undefined, written: NOTHING };
  switch (op) {
    case OP.block:
    case OP.loop:
    case OP.if: {
      const written = new Set<number>();
      open.push({ written, isIf: op === OP.if });
      return { ...plain, result: readBlockType(reader), written };
    }
    case OP.else:
      if (!open.at(-1)?.isIf) throw invalid("an else has no if", at);
      open.push({ written: open.pop()?.written ?? new Set(), isIf: false });
      return plain;
    case OP.end:
      closeBlock(open);
      return plain;
    case OP.localSet:
    case OP.localTee: {
      const index = reader.u32();
      open.at(-1)?.written.add(index);
      return { ...plain, index };
    }
    default:
      return { ...plain, ...readImmediates(reader, op, at) };
  }
}

function closeBlock(open: OpenBlock[]): void {
  const inner = open.pop();
  const outer = open.at(-1);
  if (inner && outer) for (const local of inner.written) outer.written.add(local);
}

function readBlockType(reader: Reader): ValueType | undefined {
  const at = reader.at;
  const code = reader.byte();
  if (code === 0x40) return undefined;
  // A type has its two highest bits 01: the negative numbers of one byte.
  if ((code & 0xc0) !== 0x40) throw unsupported("blocks with parameters or several results", at);
  return valueTypeOf(code, at);
}

type Immediates = Partial<Pick<Instruction, "index" | "bits" | "targets">>;

function readImmediates(reader: Reader, op: number, at: number): Immediates {
  switch (op) {
    case OP.unreachable:
    case OP.nop:
    case OP.return:
    case OP.drop:
    case OP.select:
      return {};
    case OP.br:
    case OP.brIf:
    case OP.call:
    case OP.localGet:
    case OP.globalGet:
    case OP.globalSet:
    case OP.dataDrop:
      return { index: reader.u32() };
    case OP.brTable:
      return { targets: readTargets(reader) };
    case OP.callIndirect:
      return { index: readWithZero(reader, "an indirect call through another table") };
    case OP.memoryInit:
      return { index: readWithZero(reader, "another memory") };
    case OP.memorySize:
    case OP.memoryGrow:
    case OP.memoryFill:
      requireZero(reader, "another memory");
      return {};
    case OP.memoryCopy:
      requireZero(reader, "another memory");
      requireZero(reader, "another memory");
      return {};
    case OP.i32Const:
      return { bits: BigInt.asUintN(32, BigInt(reader.i32())) };
    case OP.i64Const:
      return { bits: BigInt.asUintN(64, reader.i64()) };
    case OP.f32Const:
      return { bits: littleEndian(reader.bytes(4)) };
    case OP.f64Const:
      return { bits: littleEndian(reader.bytes(8)) };
    default:
      return readOperator(reader, op, at);
  }
}

function readOperator(reader: Reader, op: number, at: number): Immediates {
  if (NUMERIC.has(op)) return {};
  const access = ACCESS.get(op);
  if (!access) throw unsupported(REFUSED[op] ?? `opcode 0x${op.toString(16)}`, at);
  const flags = reader.u32();
  if (flags >= 32) throw unsupported("several memories or 64-bit memory", at);
  if (2 ** flags > access.bytes) throw invalid("an alignment is larger than the access", at);
  return { index: reader.u32() };
}

function readTargets(reader: Reader): number[] {
  const count = reader.count("branch targets", MOST_TARGETS);
  return Array.from({ length: count + 1 }, () => reader.u32());
}

function readWithZero(reader: Reader, what: string): number {
  const index = reader.u32();
  requireZero(reader, what);
  return index;
}

function requireZero(reader: Reader, what: string): void {
  const at = reader.at;
  if (reader.byte() !== 0) throw unsupported(what, at);
}
