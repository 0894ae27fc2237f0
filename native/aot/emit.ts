import { createHash } from "node:crypto";
import { type Body, decodeBody, OP } from "./body.ts";
import { analyseCalls } from "./call-graph.ts";
import { type Blob, byteList, bytesNeeded, dataEnd, mergeData } from "./data.ts";
import { bitsOf } from "./decode.ts";
import { AotError } from "./errors.ts";
import { prototype, translateFunction } from "./function.ts";
import { exportPrototype, globalPrototype } from "./header.ts";
import { type LineMap, readLineMap } from "./lines.ts";
import { type DataSegment, type Module, PAGE_BYTES, type WasmFunction } from "./module.ts";
import { importName, internalName } from "./names.ts";
import { C_TYPES, constantText, HOST_TYPES } from "./operands.ts";
import { PRELUDE, SEGMENTS } from "./prelude.ts";
import { table } from "./table.ts";
import type { Plan } from "./work.ts";

/** Of the linear memory, for the largest accesses of the compiled code. */
const ALIGNMENT = 16;

export interface Parts {
  readonly module: Module;
  readonly buildId: string;
  /** The linear memory, where the compiler is not told another one. */
  readonly memoryBytes: number;
  readonly blobs: readonly Blob[];
  readonly plan: Plan;
  readonly bodies: ReadonlyMap<number, Body>;
}

export interface TranslateOptions {
  /** Source map version 3 in JSON, generated columns as byte offsets; without it no `#line`. */
  readonly sourceMap?: string;
  /** Linear memory, a multiple of 16; what the module declares at the start when absent. */
  readonly memoryBytes?: number;
}

/** Everything that is found out before a line of C is written. */
export function prepare(module: Module, { sourceMap, memoryBytes }: TranslateOptions): Parts {
  const capacity = memoryCapacity(module, memoryBytes);
  const bodies = new Map<number, Body>();
  for (const target of module.functions) {
    if (target.code) bodies.set(target.index, decodeBody(module, target));
  }
  const blobs = mergeData(module);
  const lines: LineMap | undefined = sourceMap === undefined ? undefined : readLineMap(sourceMap);
  const plan: Plan = {
    module,
    lines,
    ...analyseCalls(module, bodies),
    names: module.functions.map(internalName),
    typeNumbers: numberTypes(module),
    tableEntries: module.table ?? 0,
    dataEnd: dataEnd(module),
  };
  const buildId = createHash("sha256").update(module.bytes).digest("hex");
  return { module, buildId, memoryBytes: capacity, blobs, plan, bodies };
}

/** @throws AotError memory-too-small, memory-invalid */
function memoryCapacity(module: Module, wanted: number | undefined): number {
  // An array of C has at least one element.
  const declared = Math.max((module.memory?.initial ?? 0) * PAGE_BYTES, ALIGNMENT);
  if (wanted === undefined) return declared;
  if (!Number.isInteger(wanted) || wanted <= 0 || wanted % ALIGNMENT !== 0) {
    throw new AotError(
      "memory-invalid",
      `A linear memory cannot have ${wanted} bytes.`,
      `Give a multiple of ${ALIGNMENT}.`,
    );
  }
  const needed = bytesNeeded(module);
  if (wanted >= needed) return wanted;
  throw new AotError(
    "memory-too-small",
    `The app's static data and stack need ${needed} bytes, its linear memory has ${wanted}.`,
    "Raise lowMemoryLimit in asconfig.json, or take it away.",
  );
}

/** Equal types get the number of the first; 0 is an empty entry of the table. */
function numberTypes({ types }: Module): number[] {
  const first = new Map<string, number>();
  return types.map((type, index) => {
    const key = `${type.params}:${type.result}`;
    const known = first.get(key) ?? index + 1;
    first.set(key, known);
    return known;
  });
}

/** The text of `app_wasm.c`. */
export function emitSource(parts: Parts): string {
  const { module, bodies, plan } = parts;
  const sections = [
    '#include "app_wasm.h"\n\n#include <stddef.h>\n#include <string.h>',
    prelude(parts),
    ...(usesSegments(bodies) ? [segments(module), SEGMENTS.trim()] : []),
    globals(module),
    module.functions
      .filter(({ index }) => bodies.has(index))
      .map((f) => `${prototype(plan, f)};`)
      .join("\n"),
    module.functions
      .filter(({ imported }) => imported)
      .map((f) => importWrapper(plan, f))
      .join("\n"),
    table(module, plan),
    ...functions(parts),
    data(parts),
    exported(module, plan),
    buildId(parts),
    initialize(parts),
  ];
  return withOwnLines(sections.filter((section) => section !== ""));
}

/** Behind a function with `#line` the compiler counts in this file again. */
function withOwnLines(sections: readonly string[]): string {
  let count = 0;
  let text = "";
  let foreign = false;
  for (const section of sections) {
    const block = foreign ? `#line ${count + 2} "app_wasm.c"\n${section}\n\n` : `${section}\n\n`;
    foreign = section.includes("\n#line ");
    text += block;
    count += block.split("\n").length - 1;
  }
  return text;
}

function prelude({ module, bodies }: Parts): string {
  const grows = [...bodies.values()].some(({ code }) =>
    code.some(({ op }) => op === OP.memoryGrow),
  );
  return PRELUDE.trim()
    .replace("{pages}", String(module.memory?.initial ?? 0))
    .replace("{maximum}", String(module.memory?.maximum ?? 0))
    .replace("{grows}", grows ? "1" : "0");
}

function usesSegments(bodies: ReadonlyMap<number, Body>): boolean {
  const ops: readonly number[] = [OP.memoryInit, OP.dataDrop];
  return [...bodies.values()].some(({ code }) => code.some(({ op }) => ops.includes(op)));
}

/** Active segments are empty for `memory.init`, so only the passive ones keep their bytes here. */
function segments(module: Module): string {
  const isKept = ({ offset, bytes }: DataSegment) => !offset && bytes.length > 0;
  const arrays = module.data.flatMap((segment, index) =>
    isKept(segment)
      ? [`static const uint8_t wasm_segment_${index}[] = ${byteList(segment.bytes)};`]
      : [],
  );
  const names = module.data.map((segment, index) =>
    isKept(segment) ? `wasm_segment_${index}` : "NULL",
  );
  return [
    ...arrays,
    `static const uint8_t *const wasm_segments[] = {${names.join(", ")}};`,
    `static uint32_t wasm_segment_bytes[${module.data.length}];`,
  ].join("\n");
}

function globals(module: Module): string {
  return module.globals
    .map(({ type, mutable }, index) => (mutable ? `static ${C_TYPES[type]} g${index};` : ""))
    .filter((line) => line !== "")
    .join("\n");
}

/** Imports take and give signed integers; inside, all integers are unsigned. */
function importWrapper(plan: Plan, target: WasmFunction): string {
  const { imported, type } = target;
  if (!imported) return "";
  const values = type.params.map((_, number) => `l${number}`).join(", ");
  const call = `${importName(imported)}(${values});`;
  const cast = type.result ? `return (${C_TYPES[type.result]})` : "";
  return `${prototype(plan, target)} { ${cast}${call} }`;
}

function functions({ module, plan, bodies }: Parts): string[] {
  return module.functions.flatMap((target) => {
    const body = bodies.get(target.index);
    return body ? [translateFunction(plan, target, body)] : [];
  });
}

function data({ blobs }: Parts): string {
  return blobs
    .map(({ bytes }, index) => `static const uint8_t wasm_data_${index}[] = ${byteList(bytes)};`)
    .join("\n");
}

function exported(module: Module, plan: Plan): string {
  const lines = module.exports.flatMap(({ name, kind, index }) => {
    if (kind === "function") return [exportedFunction(module, plan, name, index)];
    if (kind === "global") return [exportedGlobal(module, name, index)];
    return [];
  });
  return lines.join("\n");
}

function exportedFunction(module: Module, plan: Plan, name: string, index: number): string {
  const target = module.functions[index];
  if (!target) return "";
  const values = target.type.params.map((_, number) => `a${number}`).join(", ");
  const { result } = target.type;
  const cast = result ? `return (${HOST_TYPES[result]})` : "";
  return `${exportPrototype(name, target.type)} { ${cast}${plan.names[index]}(${values}); }`;
}

function exportedGlobal(module: Module, name: string, index: number): string {
  const global = module.globals[index];
  if (!global) return "";
  const { type, mutable, initial } = global;
  const value = mutable ? `g${index}` : constantText(type, bitsOf(module, initial));
  return `${globalPrototype(name, type)} { return (${HOST_TYPES[type]})${value}; }`;
}

function buildId({ buildId: id }: Parts): string {
  const bytes = id.match(/../g)?.map((byte) => `0x${byte}`) ?? [];
  return `const uint8_t wasm_build_id[32] = {${bytes.join(",")}};`;
}

function initialize({ module, blobs, bodies, plan }: Parts): string {
  const sizes = usesSegments(bodies)
    ? module.data.flatMap(({ offset, bytes }, index) => [
        `wasm_segment_bytes[${index}] = ${offset ? 0 : bytes.length};`,
      ])
    : [];
  const values = module.globals.flatMap(({ type, mutable, initial }, index) =>
    mutable ? [`g${index} = ${constantText(type, bitsOf(module, initial))};`] : [],
  );
  const copies = blobs.map(
    ({ at, bytes }, index) => `memcpy(wasm_memory + ${at}, wasm_data_${index}, ${bytes.length});`,
  );
  const lines = [
    // A program begins with zeros, and without a limit: pages that are not written need no RAM.
    "if (wasm_stack_limit != 0) memset(wasm_memory, 0, sizeof wasm_memory);",
    ...copies,
    ...values,
    ...sizes,
    "wasm_stack_limit = wasm_stack_pointer() - WASM_STACK_BYTES;",
    ...(module.start === undefined ? [] : [`${plan.names[module.start]}();`]),
  ];
  return [
    "void wasm_initialize(void) {",
    "#if WASM_GROWS",
    "  wasm_pages = WASM_INITIAL_PAGES;",
    "  wasm_bytes = WASM_INITIAL_BYTES;",
    "#endif",
    ...lines.map((line) => `  ${line}`),
    "}",
  ].join("\n");
}
