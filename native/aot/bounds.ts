import type { Instruction } from "./body.ts";
import { invalid } from "./errors.ts";
import type { Access } from "./numeric.ts";
import type { Operand } from "./operands.ts";
import { pop, push, put, simple, siteOf, statement, trapIf, type Work } from "./work.ts";

/**
 * A test passed on one value holds for this value for good, because memory never shrinks. So what is
 * known lasts as long as the code that tested must have run before; `undoTo` ends that.
 */
export function rememberMark(work: Work): number {
  return work.undo.length;
}

export function undoTo(work: Work, mark: number): void {
  while (work.undo.length > mark) {
    const [key, former] = work.undo.pop() ?? ["", undefined];
    if (former === undefined) work.known.delete(key);
    else work.known.set(key, former);
  }
}

function learn(work: Work, key: string, end: number): void {
  if (!work.live) return;
  const former = work.known.get(key);
  if (former !== undefined && former >= end) return;
  work.undo.push([key, former]);
  work.known.set(key, end);
}

/** Whether `end` bytes from this address on are known to be inside. */
function isKnown(work: Work, { key, sum }: Operand, end: number): boolean {
  if ((work.known.get(key) ?? -1) >= end) return true;
  return sum !== undefined && (work.known.get(sum.key) ?? -1) >= end + sum.add;
}

const MOST_OFFSET = 0xffff_ffff;

/** Writes the test that `end` bytes from `address` on are inside memory, unless that is certain. */
function check(work: Work, address: Operand, end: number): void {
  if (address.constant !== undefined) {
    const last = Number(address.constant) + end;
    if (last > work.plan.dataEnd) trapIf(work, `WASM_BEYOND(${last}ull)`, "OUT_OF_BOUNDS");
    return;
  }
  if (address.most !== undefined && address.most + end <= work.plan.dataEnd) return;
  if (isKnown(work, address, end)) return;
  const text = end > MOST_OFFSET ? "1" : `WASM_OUTSIDE(${address.text}, ${end}u)`;
  trapIf(work, text, "OUT_OF_BOUNDS");
  learn(work, address.key, end);
}

const STACK = "stack";

/**
 * Before a call within a cycle of the call graph: the frame that calls has to fit, what it calls tests
 * again. Where a function returns without such a call, it needs no test.
 */
export function checkStack(work: Work): void {
  if (!work.plan.recursive.has(work.target.index) || work.known.has(STACK)) return;
  put(work, `WASM_CHECK_STACK(${siteOf(work)}u);`);
  learn(work, STACK, 0);
}

/** What is loaded without a sign. */
const MOST_LOADED: Readonly<Record<string, number>> = { 8: 0xff, 16: 0xffff };
const signed = ({ cast }: Access) => /\(int/.test(cast);

export function translateAccess(work: Work, instruction: Instruction, access: Access): void {
  if (!work.plan.module.memory) throw invalid("there is no memory", instruction.at);
  const value = access.store ? pop(work, access.type) : undefined;
  const address = simple(work, pop(work, "i32"));
  check(work, address, instruction.index + access.bytes);
  const place = `WASM_AT(${address.text}, ${instruction.index}u)`;
  if (value) {
    const cast = access.cast ? `${access.cast}${value.text}` : value.text;
    put(work, `wasm_store_${access.cell}(${place}, ${cast});`);
    return;
  }
  const loaded = statement(work, access.type, `${access.cast}wasm_load_${access.cell}(${place})`);
  const most = access.type === "i32" ? MOST_LOADED[access.cell] : undefined;
  push(work, most === undefined || signed(access) ? loaded : { ...loaded, most });
}
