import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import wabt from "wabt";
import { exitStatusOf } from "../../../host-sim/device/wasm/report.ts";
import {
  AOT_C_FLAGS,
  AOT_SPEED_FLAGS,
  type Translation,
  translate,
} from "../../../native/aot/index.ts";

/** Text format to binary, with names. */
export async function assemble(text: string): Promise<Uint8Array> {
  const module = (await wabt()).parseWat("test.wat", text, { bulk_memory: true });
  return module.toBinary({ write_debug_names: true }).buffer;
}

/** One call of an export: arguments as bits, a result as bits or the exit code of a trap. */
export interface Call {
  readonly name: string;
  readonly args: readonly bigint[];
}

type Type = "i32" | "i64";

/** What tests export: integers only, because floats lose bits on their way through JavaScript. */
export interface Signature {
  readonly params: readonly Type[];
  readonly result?: Type;
}

export type Target = "host" | "arm";

const COMPILERS = {
  host: { command: "gcc", flags: ["-O1"], run: [] },
  arm: {
    command: "arm-linux-gnueabihf-gcc",
    flags: [
      ...["-mcpu=cortex-a7", "-mthumb", "-mfloat-abi=hard", "-mfpu=neon-vfpv4", "-static"],
      ...AOT_SPEED_FLAGS,
    ],
    run: ["qemu-arm"],
  },
} as const;

export interface NativeOptions {
  /** C that defines the imports. */
  readonly hostCode?: string;
  readonly defines?: readonly string[];
  readonly flags?: readonly string[];
  readonly sourceMap?: string;
  /** `arm`: with the cross compiler, under qemu-arm, as fast code for the device is made. */
  readonly target?: Target;
  /** Prints the sites of traps too, as `trap 67@123`. */
  readonly sites?: boolean;
}

export interface Outcome {
  /** `=hex`, `trap N`, or `=` without a result; one for each call. */
  readonly results: readonly string[];
  /** Sum over the accessible memory at the end. */
  readonly memory: string;
}

/** Runs the calls in V8, one after the other on one instance. */
export function runV8(
  wasm: Uint8Array,
  calls: readonly Call[],
  signatures: Readonly<Record<string, Signature>>,
  imports: Record<string, Record<string, unknown>> = {},
): Outcome {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), imports);
  const results = calls.map(({ name, args }) => {
    const signature = signatures[name];
    const run = instance.exports[name];
    if (typeof run !== "function" || !signature) throw new Error(`there is no export ${name}`);
    const values = args.map((bits, index) =>
      signature.params[index] === "i64" ? BigInt.asIntN(64, bits) : Number(BigInt.asIntN(32, bits)),
    );
    try {
      return showResult(run(...values), signature.result);
    } catch (error) {
      return `trap ${exitStatusOf(error, {}).code}`;
    }
  });
  const memory = instance.exports.memory as WebAssembly.Memory | undefined;
  return { results, memory: fletcher(new Uint8Array(memory?.buffer ?? [])) };
}

function showResult(value: unknown, type: Type | undefined): string {
  if (type === undefined) return "=";
  const bits =
    type === "i64" ? BigInt.asUintN(64, value as bigint) : BigInt((value as number) >>> 0);
  return `=${bits.toString(16)}`;
}

/** The same sum as in the harness; zeros change it too. */
function fletcher(bytes: Uint8Array): string {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return `${a}.${b}`;
}

/** Translates, compiles with the system's gcc, runs the calls. */
export function runNative(
  wasm: Uint8Array,
  calls: readonly Call[],
  signatures: Readonly<Record<string, Signature>>,
  options: NativeOptions = {},
): Outcome {
  const folder = mkdtempSync(join(tmpdir(), "spherule-aot-"));
  try {
    const translation = translate(wasm, { sourceMap: options.sourceMap });
    writeFileSync(join(folder, "main.c"), harness(calls, signatures, options));
    compile(folder, translation, options);
    const [program = "", ...args] = commandOf(options.target ?? "host", join(folder, "main"));
    const { stdout, status, signal } = spawnSync(program, args, {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    if (status !== 0) throw new Error(`the program ended with ${status ?? signal}: ${stdout}`);
    const lines = stdout.trimEnd().split("\n");
    return { memory: lines.pop() ?? "", results: lines };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** How a program that was compiled for the target is run here. */
export const commandOf = (target: Target, program: string): string[] => [
  ...COMPILERS[target].run,
  program,
];

/** Compiles the translation with the folder's `main.c` to its `main`. */
export function compile(folder: string, translation: Translation, options: NativeOptions): void {
  writeFileSync(join(folder, "app_wasm.c"), translation.source);
  writeFileSync(join(folder, "app_wasm.h"), translation.header);
  const compiler = COMPILERS[options.target ?? "host"];
  const args = [
    ...["-std=c11", ...compiler.flags, "-Wall", "-Wextra", "-Werror", ...AOT_C_FLAGS],
    ...(options.flags ?? []),
    ...(options.defines ?? []).map((define) => `-D${define}`),
    ...["app_wasm.c", "main.c", "-lm", "-o", "main"],
  ];
  const { status, stderr, error } = spawnSync(compiler.command, args, {
    cwd: folder,
    encoding: "utf8",
  });
  if (status !== 0)
    throw new Error(`${compiler.command}: ${error?.message ?? stderr.slice(0, 4000)}`);
}

function harness(
  calls: readonly Call[],
  signatures: Readonly<Record<string, Signature>>,
  options: NativeOptions,
): string {
  const names = Object.keys(signatures);
  const thunks = names.map((name, index) => {
    const { params, result } = signatures[name] ?? { params: [] };
    const values = params.map((type, at) => `(${type === "i64" ? "int64_t" : "int32_t"})a[${at}]`);
    const call = `wasm_export_${mangled(name)}(${values.join(", ")})`;
    const cast = result === "i64" ? "(uint64_t)" : "(uint32_t)";
    const text = result ? `*r = ${cast}${call}; return 1;` : `${call}; (void)r; return 0;`;
    return `__attribute__((unused)) static int thunk${index}(const uint64_t *a, uint64_t *r) { (void)a; ${text} }`;
  });
  const rows = calls.map(({ name, args }) => {
    const list = args.map((bits) => `${BigInt.asUintN(64, bits)}ull`).join(", ");
    return `  {thunk${names.indexOf(name)}, {${list || "0"}}},`;
  });
  const where = options.sites ? '"trap %u@%u\\n", kind, site' : '"trap %u\\n", kind';
  return `#include "app_wasm.h"
#include <setjmp.h>
#include <stdio.h>
static jmp_buf out;
void wasm_trap(uint32_t kind, uint32_t site) {
  (void)site;
  printf(${where});
  longjmp(out, 1);
}
${options.hostCode ?? ""}
${thunks.join("\n")}
static const struct { int (*run)(const uint64_t *, uint64_t *); uint64_t args[8]; } calls[] = {
${rows.join("\n")}
};
int main(void) {
  static volatile unsigned i;
  if (setjmp(out)) return 1;
  wasm_initialize();
  for (i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    uint64_t r = 0;
    if (setjmp(out)) continue;
    if (calls[i].run(calls[i].args, &r)) printf("=%llx\\n", (unsigned long long)r);
    else puts("=");
  }
  uint32_t a = 1, b = 0;
  const uint8_t *memory = wasm_range(0, 0);
  for (uint32_t at = 0; at < wasm_memory_bytes(); at++) {
    a = (a + memory[at]) % 65521;
    b = (b + a) % 65521;
  }
  printf("%u.%u\\n", a, b);
  return 0;
}
`;
}

/** Said again here, so that a change of the contract is noticed. */
function mangled(name: string): string {
  return name.replace(/[^A-Za-z0-9_]/g, (c) => `$${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Runs both; answers the calls whose results differ, as text. */
export function differences(calls: readonly Call[], one: Outcome, other: Outcome): string[] {
  const differing = calls.flatMap(({ name, args }, index) => {
    const [a, b] = [one.results[index], other.results[index]];
    return a === b ? [] : [`${name}(${args.map((bits) => `0x${bits.toString(16)}`)}): ${a}, ${b}`];
  });
  return one.memory === other.memory ? differing : [...differing, "memory differs"];
}
