import { type Instruction, OP } from "./body.ts";
import { rememberMark, undoTo } from "./bounds.ts";
import { invalid } from "./errors.ts";
import type { ValueType } from "./module.ts";
import { C_TYPES, named, type Operand, truthOf } from "./operands.ts";
import {
  type Frame,
  forget,
  frameOf,
  fresh,
  pop,
  push,
  put,
  saveReaders,
  simple,
  siteOf,
  type Work,
  withoutParentheses,
} from "./work.ts";

/** Translates an instruction that decides what runs next; answers false for all others. */
export function translateControl(work: Work, instruction: Instruction): boolean {
  switch (instruction.op) {
    case OP.unreachable:
      put(work, `wasm_trap(${unreachableKind(work)}, ${siteOf(work)}u);`);
      stop(work);
      return true;
    case OP.block:
    case OP.loop:
    case OP.if:
      open(work, instruction);
      return true;
    case OP.else:
      turn(work);
      return true;
    case OP.end:
      close(work);
      return true;
    case OP.br:
      branch(work, instruction.index);
      return true;
    case OP.brIf:
      branchIf(work, instruction.index);
      return true;
    case OP.brTable:
      branchTable(work, instruction.targets);
      return true;
    case OP.return:
      branch(work, work.frames.length - 1);
      return true;
    default:
      return false;
  }
}

/** AssemblyScript's allocator has no other way to say that memory is full. */
const ALLOCATOR = /^~lib\/rt\/tlsf\//;

function unreachableKind({ target }: Work): string {
  return ALLOCATOR.test(target.name) ? "WASM_TRAP_OUT_OF_MEMORY" : "WASM_TRAP_UNREACHABLE";
}

/** What follows up to the end of the block never runs. */
function stop(work: Work): void {
  const frame = frameOf(work);
  work.stack.length = frame.height;
  frame.polymorphic = true;
  work.live = false;
}

const KINDS = { [OP.block]: "block", [OP.loop]: "loop", [OP.if]: "if" } as const;

function open(work: Work, { op, result, written }: Instruction): void {
  const kind = KINDS[op as keyof typeof KINDS];
  const condition = kind === "if" ? pop(work, "i32") : undefined;
  // What is read later and written inside needs a copy from before.
  saveReaders(work, (local) => written.has(local));
  const resultName = result ? fresh(work, "r") : "";
  if (result) put(work, `${C_TYPES[result]} ${resultName};`);
  const keys = new Map<number, string>();
  if (kind === "if") for (const local of written) keys.set(local, work.keys[local] ?? "");
  const label = fresh(work, "L");
  let writeLabel: Frame["writeLabel"];
  if (kind === "loop") {
    forget(work, written);
    if (work.live) writeLabel = work.out.reserve();
  }
  if (condition) put(work, `if (${withoutParentheses(truthOf(condition))}) {`);
  work.frames.push({
    kind,
    result,
    height: work.stack.length,
    label,
    resultName,
    entered: work.live,
    written,
    mark: rememberMark(work),
    keys,
    writeLabel,
    targeted: false,
    joined: false,
    polymorphic: false,
  });
}

/** Takes the result that a block leaves; nothing else may be on its stack. */
function takeResult(work: Work, frame: Frame): Operand | undefined {
  const value = frame.result && pop(work, frame.result);
  if (work.stack.length !== frame.height) {
    throw invalid("a block leaves too many operands", work.current.at);
  }
  return value;
}

function turn(work: Work): void {
  const frame = frameOf(work);
  const value = takeResult(work, frame);
  if (value) put(work, `${frame.resultName} = ${withoutParentheses(value.text)};`);
  const joined = work.live;
  work.live = frame.entered;
  put(work, "} else {");
  undoTo(work, frame.mark);
  for (const [local, key] of frame.keys) if (local < work.keys.length) work.keys[local] = key;
  work.frames[work.frames.length - 1] = { ...frame, kind: "else", polymorphic: false, joined };
}

function close(work: Work): void {
  const frame = frameOf(work);
  const value = takeResult(work, frame);
  work.frames.pop();
  if (frame.kind === "function") {
    put(work, value ? `return ${withoutParentheses(value.text)};` : "return;");
    return;
  }
  if (frame.kind === "if" && frame.result) {
    throw invalid("an if with a result has no else", work.current.at);
  }
  if (value) put(work, `${frame.resultName} = ${withoutParentheses(value.text)};`);
  if (frame.kind === "loop") closeLoop(frame);
  else closeForward(work, frame);
  if (frame.result) push(work, named(frame.result, frame.resultName));
}

function closeLoop(frame: Frame): void {
  if (frame.targeted) frame.writeLabel?.(`${frame.label}:;`);
}

function closeForward(work: Work, frame: Frame): void {
  const conditional = frame.kind === "if" || frame.kind === "else";
  const several = frame.targeted || conditional;
  work.live ||= frame.entered && (frame.targeted || frame.joined || frame.kind === "if");
  if (!frame.entered) return;
  if (conditional) work.out.line("}");
  if (frame.targeted) work.out.line(`${frame.label}:;`);
  if (!several) return;
  undoTo(work, frame.mark);
  forget(work, frame.written);
}

/** The type of operand that a branch to this frame carries. */
function carried(frame: Frame): ValueType | undefined {
  return frame.kind === "loop" ? undefined : frame.result;
}

function jumpText(work: Work, frame: Frame, value: Operand | undefined): string {
  if (frame.kind === "function") {
    return value ? `return ${withoutParentheses(value.text)};` : "return;";
  }
  if (work.live) frame.targeted = true;
  const assign = value ? `${frame.resultName} = ${withoutParentheses(value.text)}; ` : "";
  return `${assign}goto ${frame.label};`;
}

function branch(work: Work, depth: number): void {
  const frame = frameOf(work, depth);
  const type = carried(frame);
  const value = type && pop(work, type);
  put(work, jumpText(work, frame, value));
  stop(work);
}

function branchIf(work: Work, depth: number): void {
  const condition = pop(work, "i32");
  const frame = frameOf(work, depth);
  const type = carried(frame);
  const popped = type && pop(work, type);
  const value = popped && simple(work, popped);
  const jump = jumpText(work, frame, value);
  put(work, `if (${withoutParentheses(truthOf(condition))}) { ${jump} }`);
  if (value) push(work, value);
}

function branchTable(work: Work, targets: readonly number[]): void {
  const index = pop(work, "i32");
  const other = targets.length - 1;
  const last = frameOf(work, targets[other]);
  const type = carried(last);
  const popped = type && pop(work, type);
  const value = popped && simple(work, popped);
  put(work, `switch (${withoutParentheses(index.text)}) {`);
  for (let number = 0; number < other; number++) {
    const target = targets[number] ?? 0;
    const frame = frameOf(work, target);
    if (carried(frame) !== type) throw invalid("branch targets differ", work.current.at);
    if (target === targets[other]) continue;
    const shared = number + 1 < other && targets[number + 1] === target;
    put(work, `case ${number}:${shared ? "" : ` ${jumpText(work, frame, value)}`}`);
  }
  put(work, `default: ${jumpText(work, last, value)} }`);
  stop(work);
}
