import { type Body, type Instruction, OP } from "./body.ts";
import { checkStack, translateAccess } from "./bounds.ts";
import { translateControl } from "./control.ts";
import { bitsOf } from "./decode.ts";
import { invalid } from "./errors.ts";
import type { FunctionType, Global, WasmFunction } from "./module.ts";
import { ACCESS, NUMERIC, type Numeric, truncationRange } from "./numeric.ts";
import { C_TYPES, choose, compute, constant, type Operand } from "./operands.ts";
import {
  getLocal,
  localType,
  type Plan,
  pop,
  push,
  put,
  setLocal,
  simple,
  siteOf,
  statement,
  trapIf,
  type Work,
  zero,
} from "./work.ts";
import { createWriter } from "./writer.ts";

/**
 * Checks one function and gives it as a C function.
 * @throws AotError wasm-invalid, wasm-unsupported
 */
export function translateFunction(plan: Plan, target: WasmFunction, body: Body): string {
  const work = begin(plan, target, body);
  for (const instruction of body.code) {
    work.current = instruction;
    if (!translateControl(work, instruction)) translateOther(work, instruction);
  }
  const own = body.locals.slice(target.type.params.length);
  const first = target.type.params.length;
  const declared = own.flatMap((type, index) =>
    work.used.has(first + index) ? [`${C_TYPES[type]} l${first + index} = 0;`] : [],
  );
  return [`${prototype(plan, target)} {`, ...declared, work.out.text(), "}"].join("\n");
}

export function prototype(plan: Plan, { type, index }: WasmFunction): string {
  const params = type.params.map((param, number) => `${C_TYPES[param]} l${number}`).join(", ");
  const result = type.result ? C_TYPES[type.result] : "void";
  const storage = plan.inlined.has(index) ? "WASM_INLINE" : "static";
  return `${storage} ${result} ${plan.names[index]}(${params || "void"})`;
}

function begin(plan: Plan, target: WasmFunction, body: Body): Work {
  const first = body.code[0];
  if (!first) throw invalid("a function has no code", target.code?.from ?? 0);
  const params = target.type.params.length;
  const work: Work = {
    plan,
    target,
    locals: body.locals,
    out: createWriter(),
    stack: [],
    frames: [],
    // Locals that are not parameters begin as 0.
    keys: body.locals.map((type, index) => (index < params ? `l${index}` : zero(type).key)),
    known: new Map(),
    undo: [],
    used: new Set(),
    live: true,
    names: 0,
    current: first,
  };
  work.frames.push({
    kind: "function",
    result: target.type.result,
    height: 0,
    label: "",
    resultName: "",
    entered: true,
    written: new Set(),
    mark: 0,
    keys: new Map(),
    targeted: false,
    joined: false,
    polymorphic: false,
  });
  return work;
}

type Handler = (work: Work, instruction: Instruction) => void;

const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [OP.nop, () => {}],
  [OP.drop, (work) => void pop(work)],
  [OP.select, translateSelect],
  [OP.localGet, (work, { index }) => push(work, getLocal(work, index))],
  [OP.localSet, (work, { index }) => setLocal(work, index, pop(work, localType(work, index)))],
  [OP.localTee, translateTee],
  [OP.globalGet, (work, { index }) => push(work, getGlobal(work, index))],
  [OP.globalSet, (work, { index }) => setGlobal(work, index)],
  [OP.call, (work, { index }) => translateCall(work, index)],
  [OP.callIndirect, (work, { index }) => translateIndirectCall(work, index)],
  [OP.i32Const, (work, { bits }) => push(work, constant("i32", bits))],
  [OP.i64Const, (work, { bits }) => push(work, constant("i64", bits))],
  [OP.f32Const, (work, { bits }) => push(work, constant("f32", bits))],
  [OP.f64Const, (work, { bits }) => push(work, constant("f64", bits))],
  [OP.dataDrop, translateDrop],
  [OP.memoryInit, translateInit],
  [OP.memorySize, (work) => push(withMemory(work), statement(work, "i32", "wasm_pages"))],
  [OP.memoryGrow, translateGrow],
  [OP.memoryCopy, (work) => translateBulk(work, "wasm_copy(")],
  [OP.memoryFill, (work) => translateBulk(work, "wasm_fill(")],
]);

function translateOther(work: Work, instruction: Instruction): void {
  const access = ACCESS.get(instruction.op);
  const numeric = NUMERIC.get(instruction.op);
  if (access) translateAccess(work, instruction, access);
  else if (numeric) translateNumeric(work, numeric);
  else HANDLERS.get(instruction.op)?.(work, instruction);
}

function translateTee(work: Work, { index }: Instruction): void {
  setLocal(work, index, pop(work, localType(work, index)));
  push(work, getLocal(work, index));
}

function translateSelect(work: Work): void {
  const condition = pop(work, "i32");
  const no = pop(work);
  const yes = pop(work, no.type);
  push(work, choose(condition, yes, no));
}

function globalAt(work: Work, index: number): Global {
  const global = work.plan.module.globals[index];
  if (!global) throw invalid(`there is no global ${index}`, work.current.at);
  return global;
}

function getGlobal(work: Work, index: number): Operand {
  const global = globalAt(work, index);
  if (!global.mutable) return constant(global.type, bitsOf(work.plan.module, global.initial));
  return statement(work, global.type, `g${index}`);
}

function setGlobal(work: Work, index: number): void {
  const global = globalAt(work, index);
  if (!global.mutable) throw invalid("a constant global is written", work.current.at);
  put(work, `g${index} = ${pop(work, global.type).text};`);
}

function translateNumeric(work: Work, operation: Numeric): void {
  const operands = operation.params.map(() => pop(work)).reverse();
  operands.forEach((operand, index) => {
    const wanted = operation.params[index];
    if (operand.type !== "any" && operand.type !== wanted) {
      throw invalid(`${operation.name} takes no ${operand.type}`, work.current.at);
    }
  });
  push(work, operation.trap ? guarded(work, operation, operands) : compute(operation, operands));
}

/** Tests what the instruction cannot do, so that its result can be computed whenever. */
function guarded(work: Work, operation: Numeric, operands: readonly Operand[]): Operand {
  const [first, second] = operands.map((operand) => simple(work, operand));
  if (!first) return operands[0] ?? zero(operation.result);
  if (!second) {
    const { low, high } = truncationRange(operation.name);
    const inside = `${first.text} ${low} && ${first.text} ${high}`;
    trapIf(work, `!(${inside})`, "INVALID_CONVERSION");
    return compute(operation, [first]);
  }
  const bits = operation.result.slice(1);
  const minusOne = BigInt.asUintN(Number(bits), -1n);
  if (!second.constant) trapIf(work, `${second.text} == 0`, "DIVIDE_BY_ZERO");
  const maybeMinusOne = second.constant === undefined || second.constant === minusOne;
  const isMinusOne = `${second.text} == (uint${bits}_t)-1`;
  const result = compute(operation, [first, second]);
  if (!maybeMinusOne || operation.trap === "divide") return result;
  if (operation.trap === "divide-signed") {
    const smallest = `${first.text} == (uint${bits}_t)INT${bits}_MIN`;
    trapIf(work, `${isMinusOne} && ${smallest}`, "INTEGER_OVERFLOW");
    return result;
  }
  return { ...result, text: `(${isMinusOne} ? 0 : ${result.text})` };
}

function translateCall(work: Work, index: number): void {
  const target = work.plan.module.functions[index];
  if (!target) throw invalid(`there is no function ${index}`, work.current.at);
  if (work.plan.recursive.has(index)) checkStack(work);
  callWith(work, target.type, work.plan.names[index] ?? "");
}

function callWith(work: Work, type: FunctionType, callee: string, first?: Operand): void {
  const values = [...type.params].reverse().map((param) => pop(work, param));
  const all = [...(first ? [first] : []), ...values.reverse()];
  const call = `${callee}(${all.map((value) => value.text).join(", ")})`;
  if (type.result) push(work, statement(work, type.result, call));
  else put(work, `${call};`);
}

function translateIndirectCall(work: Work, index: number): void {
  const { module, tableEntries, typeNumbers } = work.plan;
  const type = module.types[index];
  if (!type) throw invalid(`there is no type ${index}`, work.current.at);
  if (module.table === undefined) throw invalid("there is no table", work.current.at);
  const entry = simple(work, pop(work, "i32"));
  checkStack(work);
  const wrong = `${entry.text} >= ${tableEntries}u || wasm_table[${entry.text}] != ${typeNumbers[index]}`;
  trapIf(work, wrong, "INDIRECT_CALL");
  callWith(work, type, `wasm_indirect_${typeNumbers[index]}`, entry);
}

function withMemory(work: Work): Work {
  if (!work.plan.module.memory) throw invalid("there is no memory", work.current.at);
  return work;
}

function requireSegment(work: Work, index: number): void {
  const { data, dataCount } = work.plan.module;
  if (dataCount === undefined) throw invalid("no data count section", work.current.at);
  if (!data[index]) throw invalid(`there is no data segment ${index}`, work.current.at);
}

function translateDrop(work: Work, { index }: Instruction): void {
  requireSegment(work, index);
  put(work, `wasm_segment_bytes[${index}] = 0;`);
}

function translateInit(work: Work, { index }: Instruction): void {
  requireSegment(work, index);
  translateBulk(work, `wasm_init(${index}, `);
}

function translateGrow(work: Work): void {
  const pages = pop(withMemory(work), "i32");
  push(work, statement(work, "i32", `wasm_grow(${pages.text})`));
}

/** Three numbers: where to, what or where from, how many bytes. */
function translateBulk(work: Work, call: string): void {
  const [length, from, to] = [pop(withMemory(work), "i32"), pop(work, "i32"), pop(work, "i32")];
  put(work, `${call}${to.text}, ${from.text}, ${length.text}, ${siteOf(work)}u);`);
}
