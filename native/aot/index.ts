import { decodeModule } from "./decode.ts";
import { emitSource, prepare, type TranslateOptions } from "./emit.ts";
import { emitHeader } from "./header.ts";

export type { TranslateOptions } from "./emit.ts";
export { AotError } from "./errors.ts";

/** Compiler flags that the generated code needs to mean the same as the wasm; see the README. */
export const AOT_C_FLAGS: readonly string[] = [
  "-ffp-contract=off",
  "-fsignaling-nans",
  "-fno-optimize-sibling-calls",
  "-fno-strict-aliasing",
  "-fno-math-errno",
];

/** What pays on a Cortex-A7 with gcc, measured by `npm run bench:native`; none of it is needed. */
export const AOT_SPEED_FLAGS: readonly string[] = [
  "-O2",
  "-funswitch-loops",
  "-fsplit-loops",
  "-fpeel-loops",
  "-funroll-loops",
  "--param=max-unroll-times=4",
  "-fno-schedule-insns",
];

export interface Translation {
  /** Text of `app_wasm.c`. */
  readonly source: string;
  /** Text of `app_wasm.h`. */
  readonly header: string;
  /** SHA-256 of the wasm, 64 hex digits. */
  readonly buildId: string;
  /** Functions with code, and those among them that test the stack. */
  readonly functions: { readonly all: number; readonly recursive: number };
  /** End of the static data in linear memory, bytes. */
  readonly dataEnd: number;
}

/**
 * Translates a WebAssembly module to C. The same input gives the same text.
 * @throws AotError wasm-invalid, wasm-unsupported, wasm-too-large, name-collision,
 *   source-map-invalid, memory-invalid, memory-too-small
 */
export function translate(wasm: Uint8Array, options: TranslateOptions = {}): Translation {
  const parts = prepare(decodeModule(wasm), options);
  const { plan, bodies, buildId } = parts;
  return {
    source: emitSource(parts),
    header: emitHeader(parts),
    buildId,
    functions: { all: bodies.size, recursive: plan.recursive.size },
    dataEnd: plan.dataEnd,
  };
}
