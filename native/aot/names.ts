import { AotError } from "./errors.ts";
import type { Module } from "./module.ts";
import type { Reader } from "./reader.ts";

const FUNCTION_NAMES = 1;
const GLOBAL_NAMES = 7;

/** Takes the names of functions and globals; a damaged section means nothing and is left out. */
export function readNames(module: Module, section: Reader): void {
  try {
    while (section.at < section.end) {
      const kind = section.byte();
      const part = section.part(section.u32());
      if (kind !== FUNCTION_NAMES && kind !== GLOBAL_NAMES) continue;
      const named: readonly { name: string }[] =
        kind === FUNCTION_NAMES ? module.functions : module.globals;
      for (let left = part.count("names", 100_000); left > 0; left--) {
        const target = named[part.u32()];
        const name = part.name();
        if (target) target.name = name;
      }
    }
  } catch (error) {
    if (!(error instanceof AotError)) throw error;
  }
}

/** Letters, digits and `_` stay, other bytes become `$` and two hex digits: never the same twice. */
export function mangle(name: string): string {
  return [...new TextEncoder().encode(name)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /\w/.test(character) ? character : `$${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
}

/** The C name of a function inside the generated file: the index makes it unique, the rest tells. */
export function internalName(target: { readonly index: number; readonly name: string }): string {
  const readable = target.name.replace(/\W+/g, "_").replace(/^_|_$/g, "").slice(-60);
  return readable ? `w${target.index}_${readable}` : `w${target.index}`;
}

/** The C name of an import. */
export function importName(imported: { module: string; name: string }): string {
  return `host_${mangle(imported.module)}_${mangle(imported.name)}`;
}
