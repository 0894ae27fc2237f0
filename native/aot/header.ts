import type { Parts } from "./emit.ts";
import { AotError } from "./errors.ts";
import { type FunctionType, type Module, sameType, type ValueType } from "./module.ts";
import { importName, mangle } from "./names.ts";
import { HOST_TYPES } from "./operands.ts";

/** The text of `app_wasm.h`: what the README of this room promises. */
export function emitHeader({ module, buildId, plan, memoryBytes }: Parts): string {
  return `/* Made by spherule aot. Do not edit: it is written anew with each build. */
#ifndef APP_WASM_H
#define APP_WASM_H

#include <stdint.h>

#ifndef WASM_MEMORY_CAPACITY
#define WASM_MEMORY_CAPACITY ${memoryBytes}
#endif
#ifndef WASM_STACK_BYTES
#define WASM_STACK_BYTES 16384
#endif
#define WASM_BUILD_ID "${buildId}"
#define WASM_DATA_END ${plan.dataEnd}

/* The values are the exit codes of docs/exit-codes.md. */
enum wasm_trap_kind {
  WASM_TRAP_UNREACHABLE = 64,
  WASM_TRAP_OUT_OF_MEMORY = 66,
  WASM_TRAP_OUT_OF_BOUNDS = 67,
  WASM_TRAP_DIVIDE_BY_ZERO = 68,
  WASM_TRAP_INTEGER_OVERFLOW = 69,
  WASM_TRAP_INVALID_CONVERSION = 70,
  WASM_TRAP_INDIRECT_CALL = 71,
  WASM_TRAP_STACK_EXHAUSTED = 72
};

/* ---- defined here ---- */
#pragma GCC visibility push(hidden)
extern uint8_t wasm_memory[WASM_MEMORY_CAPACITY];
extern const uint8_t wasm_build_id[32];
void wasm_initialize(void);
uint32_t wasm_memory_bytes(void);
void *wasm_range(uint32_t at, uint32_t length);
${exportsOf(module)}

/* ---- defined by the runtime ---- */
_Noreturn __attribute__((cold)) void wasm_trap(uint32_t kind, uint32_t site);
${importsOf(module)}
#pragma GCC visibility pop

#endif
`;
}

export function exportPrototype(name: string, type: FunctionType): string {
  return prototype(`wasm_export_${mangle(name)}`, type);
}

export function globalPrototype(name: string, type: ValueType): string {
  return `${HOST_TYPES[type]} wasm_global_${mangle(name)}(void)`;
}

function prototype(name: string, { params, result }: FunctionType): string {
  const list = params.map((type, index) => `${HOST_TYPES[type]} a${index}`).join(", ");
  return `${result ? HOST_TYPES[result] : "void"} ${name}(${list || "void"})`;
}

function exportsOf(module: Module): string {
  return module.exports
    .flatMap(({ name, kind, index }) => {
      const target = kind === "function" ? module.functions[index] : undefined;
      const global = kind === "global" ? module.globals[index] : undefined;
      if (target) return [`${exportPrototype(name, target.type)};`];
      return global ? [`${globalPrototype(name, global.type)};`] : [];
    })
    .join("\n");
}

/** One import may be declared twice, but not with two types or as two imports of one C name. */
function importsOf(module: Module): string {
  const seen = new Map<string, { readonly id: string; readonly type: FunctionType }>();
  for (const { imported, type } of module.functions) {
    if (!imported) continue;
    const name = importName(imported);
    const id = JSON.stringify([imported.module, imported.name]);
    const former = seen.get(name);
    if (former && (former.id !== id || !sameType(former.type, type))) throw collision(name);
    seen.set(name, { id, type });
  }
  return [...seen].map(([name, { type }]) => declaration(name, type)).join("\n");
}

function declaration(name: string, type: FunctionType): string {
  const isAbort =
    name === "host_env_abort" && type.params.join() === "i32,i32,i32,i32" && !type.result;
  if (!isAbort) return `${prototype(name, type)};`;
  const params = "int32_t message, int32_t file, int32_t line, int32_t column";
  return `_Noreturn __attribute__((cold)) void ${name}(${params});`;
}

function collision(name: string): AotError {
  return new AotError(
    "name-collision",
    `Two imports of the module would both be ${name} in C, or are one with two types.`,
    "Rename one of them, or its module.",
  );
}
