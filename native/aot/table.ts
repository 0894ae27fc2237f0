import { bitsOf } from "./decode.ts";
import { type FunctionType, type Module, sameType } from "./module.ts";
import { C_TYPES } from "./operands.ts";
import type { Plan } from "./work.ts";

/**
 * The table: the number of the type of each entry, and for each type a function that calls the one
 * of an entry. A table of addresses would be relocated at start, and so take RAM on the device.
 */
export function table(module: Module, plan: Plan): string {
  if (module.table === undefined) return "";
  const entries = entriesOf(module);
  const types = entries.map((index) => typeNumberOf(module, plan, index));
  const width = module.types.length < 256 ? 8 : 32;
  const list = types.length > 0 ? types.join(",") : "0";
  const callers = new Map(plan.typeNumbers.map((number, index) => [number, module.types[index]]));
  return [
    `static const uint${width}_t wasm_table[] = {${list}};`,
    ...[...callers].map(([number, type]) =>
      type ? caller(plan, type, number, entries, types) : "",
    ),
  ].join("\n");
}

function entriesOf(module: Module): (number | undefined)[] {
  const entries: (number | undefined)[] = Array.from({ length: module.table ?? 0 });
  for (const { offset, functions } of module.elements) {
    const first = Number(BigInt.asUintN(32, bitsOf(module, offset)));
    functions.forEach((index, position) => {
      entries[first + position] = index;
    });
  }
  return entries;
}

/** 0 for an empty entry. */
function typeNumberOf(module: Module, plan: Plan, index: number | undefined): number {
  const target = index === undefined ? undefined : module.functions[index];
  if (!target) return 0;
  const type = module.types.findIndex((candidate) => sameType(candidate, target.type));
  return plan.typeNumbers[type] ?? 0;
}

/** Whoever calls it has compared the entry's type. */
function caller(
  plan: Plan,
  type: FunctionType,
  number: number,
  entries: readonly (number | undefined)[],
  types: readonly number[],
): string {
  const params = type.params.map((param, index) => `, ${C_TYPES[param]} a${index}`).join("");
  const values = type.params.map((_, index) => `a${index}`).join(", ");
  const result = type.result ? C_TYPES[type.result] : "void";
  const cases = entries.flatMap((target, entry) => {
    if (types[entry] !== number) return [];
    const call = `${plan.names[target ?? 0]}(${values});`;
    return [`    case ${entry}: ${type.result ? `return ${call}` : `${call} return;`}`];
  });
  return [
    `static ${result} wasm_indirect_${number}(uint32_t entry${params}) {`,
    "  switch (entry) {",
    ...cases,
    "    default: __builtin_unreachable();",
    "  }",
    "}",
  ].join("\n");
}
