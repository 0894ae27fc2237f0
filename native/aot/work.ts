import type { Instruction } from "./body.ts";
import { invalid, unsupported } from "./errors.ts";
import type { LineMap, Place } from "./lines.ts";
import type { Module, ValueType, WasmFunction } from "./module.ts";
import { C_TYPES, constant, named, type Operand, UNKNOWN } from "./operands.ts";
import type { Writer } from "./writer.ts";

/** A block, loop, if or the function itself, as far as it is open. */
export interface Frame {
  readonly kind: "function" | "block" | "loop" | "if" | "else";
  readonly result: ValueType | undefined;
  /** Height of the operand stack below it. */
  readonly height: number;
  readonly label: string;
  /** C variable for the result, when there is one. */
  readonly resultName: string;
  /** The code before it runs, so its own may. */
  readonly entered: boolean;
  readonly written: ReadonlySet<number>;
  /** What was known on entry; see `bounds.ts`. */
  readonly mark: number;
  /** Of an if: keys of the locals that are written inside it. */
  readonly keys: ReadonlyMap<number, string>;
  /** Writes the label of a loop, which is known to be needed only later. */
  readonly writeLabel?: (text: string) => void;
  targeted: boolean;
  /** Of an else: the end of the first half is reached. */
  readonly joined: boolean;
  /** A jump went before: operands may be taken that are not there. */
  polymorphic: boolean;
}

/** What is the same for all functions of a module. */
export interface Plan {
  readonly module: Module;
  readonly recursive: ReadonlySet<number>;
  readonly inlined: ReadonlySet<number>;
  /** C name of each function. */
  readonly names: readonly string[];
  /** Number of each type; equal types have the same. */
  readonly typeNumbers: readonly number[];
  readonly tableEntries: number;
  readonly dataEnd: number;
  readonly lines: LineMap | undefined;
}

/** The state of translating one function. */
export interface Work {
  readonly plan: Plan;
  readonly target: WasmFunction;
  readonly locals: readonly ValueType[];
  readonly out: Writer;
  readonly stack: Operand[];
  readonly frames: Frame[];
  /** Key of the value in each local at present. */
  readonly keys: string[];
  /** Key of an address → bytes from there on that were found to be inside memory. */
  readonly known: Map<string, number>;
  /** What to undo in `known` when a branch of the code is left. */
  readonly undo: [key: string, former: number | undefined][];
  /** Locals that are read or written in code that runs. */
  readonly used: Set<number>;
  /** False in code that never runs: it is checked and not written. */
  live: boolean;
  names: number;
  current: Instruction;
}

const DEEPEST = 12;
const LONGEST_KEY = 160;
const MOST_OPERANDS = 1_000;

export function fresh(work: Work, prefix: string): string {
  return `${prefix}${work.names++}`;
}

/** Writes a statement at the place of the present instruction. */
export function put(work: Work, text: string): void {
  if (work.live) work.out.line(text, placeOf(work));
}

export function push(work: Work, operand: Operand): void {
  if (work.stack.length >= MOST_OPERANDS) throw unsupported("too many operands", work.current.at);
  const large = operand.depth > DEEPEST || operand.key.length > LONGEST_KEY;
  work.stack.push(large ? bind(work, operand) : operand);
}

export function frameOf(work: Work, depth = 0): Frame {
  const frame = work.frames.at(-1 - depth);
  if (!frame) throw invalid("a branch leads out of the function", work.current.at);
  return frame;
}

/** Takes the top operand, which has to be of this type. */
export function pop(work: Work, type: ValueType | "any" = "any"): Operand {
  const { height, polymorphic } = frameOf(work);
  if (work.stack.length <= height) {
    if (polymorphic) return type === "any" ? UNKNOWN : { ...UNKNOWN, type };
    throw invalid("an operand is missing", work.current.at);
  }
  const operand = work.stack.pop() ?? UNKNOWN;
  if (operand.type === "any") return type === "any" ? operand : { ...operand, type };
  if (type !== "any" && operand.type !== type) {
    throw invalid(`an operand is ${operand.type} in place of ${type}`, work.current.at);
  }
  return operand;
}

/** Writes the value into a C variable of its own, which never changes. */
export function bind(work: Work, operand: Operand, prefix = "t"): Operand {
  const type = operand.type === "any" ? "i32" : operand.type;
  const name = fresh(work, prefix);
  put(work, `const ${C_TYPES[type]} ${name} = ${withoutParentheses(operand.text)};`);
  const { constant: bits, sum, most } = operand;
  const key = operand.key.length > LONGEST_KEY ? name : operand.key;
  return {
    ...named(type, name),
    key,
    ...(bits === undefined ? {} : { constant: bits }),
    ...(sum ? { sum } : {}),
    ...(most === undefined ? {} : { most }),
  };
}

/** Runs C that reads what may change, now and once, and gives its value. */
export function statement(work: Work, type: ValueType, text: string): Operand {
  const name = fresh(work, "t");
  put(work, `const ${C_TYPES[type]} ${name} = ${text};`);
  return named(type, name);
}

/** A name or a constant for a value that the next statement needs several times. */
export function simple(work: Work, operand: Operand): Operand {
  return operand.depth === 0 ? operand : bind(work, operand);
}

/** Before a local changes: operands that still mean its former value take a copy. */
export function saveReaders(work: Work, changing: (local: number) => boolean): void {
  work.stack.forEach((operand, index) => {
    if (operand.locals.some(changing)) work.stack[index] = bind(work, operand);
  });
}

/** Only a pair that encloses the whole text may go. */
export function withoutParentheses(text: string): string {
  if (!text.startsWith("(") || !text.endsWith(")")) return text;
  let depth = 0;
  for (let index = 0; index < text.length - 1; index++) {
    if (text[index] === "(") depth++;
    if (text[index] === ")") depth--;
    if (depth === 0) return text;
  }
  return text.slice(1, -1);
}

export function getLocal(work: Work, index: number): Operand {
  const type = localType(work, index);
  const key = work.keys[index] ?? "";
  if (work.live) work.used.add(index);
  return { ...named(type, `l${index}`), key, locals: [index] };
}

export function localType(work: Work, index: number): ValueType {
  const type = work.locals[index];
  if (!type) throw invalid(`there is no local ${index}`, work.current.at);
  return type;
}

export function setLocal(work: Work, index: number, value: Operand): void {
  localType(work, index);
  saveReaders(work, (local) => local === index);
  if (value.text !== `l${index}`) put(work, `l${index} = ${withoutParentheses(value.text)};`);
  work.keys[index] = value.key;
  if (work.live) work.used.add(index);
}

/** Nothing is known any more of these locals: the code comes together from several places. */
export function forget(work: Work, locals: ReadonlySet<number>): void {
  for (const local of locals) {
    if (local < work.keys.length) work.keys[local] = fresh(work, "#");
  }
}

export function zero(type: ValueType): Operand {
  return constant(type, 0n);
}

/** What the map has before the function's own code belongs to another function. */
function placeOf(work: Work): Place | undefined {
  const place = work.plan.lines?.(work.current.at);
  return place && place.site >= (work.target.code?.from ?? 0) ? place : undefined;
}

/** The number that a trap here tells; see `Place.site`. */
export function siteOf(work: Work): number {
  return placeOf(work)?.site ?? work.current.at;
}

export function trapIf(work: Work, condition: string, kind: string): void {
  put(work, `if (WASM_UNLIKELY(${condition})) wasm_trap(WASM_TRAP_${kind}, ${siteOf(work)}u);`);
}
