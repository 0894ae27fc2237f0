// Makes C that tells every call across the host ABI, with the sum of the app's memory before and
// after: `host-trace.mjs app_wasm.h host_trace.c host_trace.options`. The options are the linker's.
import { readFileSync, writeFileSync } from "node:fs";

const [headerFile, sourceFile, optionsFile] = process.argv.slice(2);
if (!headerFile || !sourceFile || !optionsFile) {
  console.error("Usage: node scripts/host-trace.mjs app_wasm.h host_trace.c host_trace.options");
  process.exit(1);
}
/** Not an event: how often a body asks is its own affair. */
const SILENT = /_abiVersion$/;
/** What these answer is never the same twice. */
const TIMES = /_(now|monotonic)$/;

const functions = [
  ...readFileSync(headerFile, "utf8").matchAll(
    /^(_Noreturn )?(?:__attribute__\S+ )?(\w+) ((?:host|wasm_export)_[\w$]+|wasm_trap)\((.*)\);$/gm,
  ),
]
  .map(([, leaves, type, name, list]) => ({
    leaves: leaves !== undefined,
    type,
    name,
    params: list === "void" ? [] : list.split(", ").map((param) => param.split(" ")),
  }))
  .filter(({ name }) => !SILENT.test(name));

writeFileSync(sourceFile, [opening(), ...functions.map(wrapper)].join("\n"));
writeFileSync(optionsFile, functions.map(({ name }) => `-Wl,--wrap=${name}\n`).join(""));

function opening() {
  return `#include "app_wasm.h"
#include <applibs/log.h>
static uint32_t sum(void) {
  uint32_t value = 1;
  for (uint32_t at = 0; at < WASM_MEMORY_CAPACITY; at++) value = value * 31 + wasm_memory[at];
  return value;
}`;
}

function wrapper({ leaves, type, name, params }) {
  const list = params.map((param) => param.join(" ")).join(", ") || "void";
  // Of a trap the kind only: its place is told elsewhere, and V8 has no number for it.
  const told = params.map(([, value]) => value).slice(0, name === "wasm_trap" ? 1 : undefined);
  const call = `__real_${name}(${params.map(([, value]) => value).join(", ")})`;
  const result = type === "void" ? "" : `${type} result = `;
  const shown = type === "void" || TIMES.test(name) ? [] : ["result"];
  const after = leaves
    ? []
    : [say(`=${shown.map(() => " %lld").join("")}`, shown), ...(result ? ["return result;"] : [])];
  const word = name.replace(/^wasm_(export_)?/, "");
  return `${leaves ? "_Noreturn " : ""}${type} __real_${name}(${list});
${leaves ? "_Noreturn " : ""}${type} __wrap_${name}(${list});
${leaves ? "_Noreturn " : ""}${type} __wrap_${name}(${list})
{
  ${[say(word + told.map(() => " %lld").join(""), told), `${result}${call};`, ...after].join("\n  ")}
}`;
}

function say(format, values) {
  const list = values.map((value) => `(long long)${value}, `).join("");
  return `Log_Debug("[debug] ~ ${format} @%u\\n", ${list}(unsigned)sum());`;
}
