// deadline: 180 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileApp } from "../../../host-sim/compiler/compile.ts";
import { exitStatusOf } from "../../../host-sim/device/wasm/report.ts";
import { packageFolder } from "../../../host-sim/paths.ts";
import { translate } from "../../../native/aot/index.ts";
import { compileFixture } from "../../assembly/support.ts";
import { type Call, runNative, type Signature } from "./support.ts";

const test = suite("aot: the app itself");

const SIGNATURES: Record<string, Signature> = {
  abiVersion: { params: [], result: "i32" },
  start: { params: [] },
  onTimer: { params: ["i32"] },
  onEvent: { params: ["i32", "i32", "i32"] },
  collect: { params: [] },
};
const CAPACITY = 49_152;
const NOW = 1_767_225_600_123n;

interface Traced {
  readonly trace: readonly string[];
  readonly results: readonly string[];
}

/** Each import tells its arguments and a sum over memory, so any difference shows where it began. */
function traceV8(wasm: Uint8Array, calls: readonly Call[]): Traced {
  const trace: string[] = [];
  const module = new WebAssembly.Module(wasm);
  let memory: WebAssembly.Memory | undefined;
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: subject, name } of WebAssembly.Module.imports(module)) {
    const group = imports[subject] ?? {};
    imports[subject] = group;
    group[name] = (...args: (number | bigint)[]) => {
      trace.push(`host_${subject}_${name} ${args.join(" ")} ${sum(memory)}`.replace("  ", " "));
      if (name === "abort") throw new Error("aborted");
      return name === "now" || name === "monotonic" ? NOW : answer(name, args);
    };
  }
  const instance = new WebAssembly.Instance(module, imports);
  memory = instance.exports.memory as WebAssembly.Memory;
  const results = calls.map(({ name, args }) => {
    const run = instance.exports[name] as (...values: number[]) => unknown;
    try {
      const value = run(...args.map(Number));
      return value === undefined ? "=" : `=${value}`;
    } catch (error) {
      if (error instanceof Error && error.message === "aborted") return "trap 65";
      return `trap ${exitStatusOf(error, undefined).code}`;
    }
  });
  return { trace, results };
}

/** 3 from all: a handle, or a length. A desired twin is read, so it has to be in memory. */
function answer(name: string, _args: readonly unknown[]): number {
  return name === "open" || name.startsWith("open") ? 3 : 0;
}

function sum(memory: WebAssembly.Memory | undefined): string {
  let value = 1;
  for (const byte of new Uint8Array(memory?.buffer ?? new ArrayBuffer(0), 0, CAPACITY)) {
    value = (Math.imul(value, 31) + byte) >>> 0;
  }
  return String(value);
}

function traceNative(wasm: Uint8Array, calls: readonly Call[], sourceMap?: string): Traced {
  const { header } = translate(wasm);
  const [, imports = ""] = header.split("defined by the runtime");
  const options = { hostCode: hostCode(imports), sourceMap };
  const { results } = runNative(wasm, calls, SIGNATURES, options);
  return {
    trace: results.filter((line) => line.startsWith("host_")),
    results: results.filter((line) => !line.startsWith("host_")),
  };
}

/** A definition for each prototype in the header. */
function hostCode(imports: string): string {
  const functions = [...imports.matchAll(/^(.*?)(\w+) (host_\w+)\((.*)\);$/gm)].map(
    ([, before = "", type, name = "", params = ""]) => {
      const names = params === "void" ? [] : params.split(", ").map((param) => param.split(" ")[1]);
      const format = names.map(() => " %d").join("");
      const print = `printf("${name}${format} %u\\n"${names.map((n) => `, ${n}`).join("")}, sum());`;
      return `${before}${type} ${name}(${params}) { ${print} ${ending(name)} }`;
    },
  );
  return `static uint32_t sum(void) {
  uint32_t value = 1;
  for (uint32_t at = 0; at < ${CAPACITY}; at++) value = value * 31 + wasm_memory[at];
  return value;
}
${functions.join("\n")}`;
}

function ending(name: string): string {
  if (name === "host_env_abort") return 'puts("trap 65"); longjmp(out, 1);';
  if (/_(now|monotonic)$/.test(name)) return `return ${NOW}ll;`;
  return /_open\w*$/.test(name) ? "return 3;" : "return 0;";
}

const call = (name: string, ...args: number[]): Call => ({ name, args: args.map(BigInt) });

test("the thermometer's calls and memory are the same in V8 and in C", async () => {
  const app = await compileApp({ projectFolder: packageFolder(), target: "release" });
  const events = Array.from({ length: 20 }, (_, tick) => [
    call("onTimer", tick % 4),
    ...[call("onEvent", 3, tick, tick % 3 === 0 ? -110 : 0), call("onEvent", 1, 3, tick % 2)],
    ...[call("collect")],
  ]).flat();
  const calls = [
    ...[call("abiVersion"), call("start"), call("collect")],
    ...[call("onEvent", 2, 0, 6), call("onEvent", 5, 0, 0), call("collect"), ...events],
    ...[call("onEvent", 7, 0, 0), call("onEvent", 4, 0, 0), call("onEvent", 8, 0, 0)],
  ];
  const v8 = traceV8(app.wasm, calls);
  const native = traceNative(app.wasm, calls, app.sourceMap);
  assert.equal(native, v8);
  assert.ok(v8.trace.length > 50, `${v8.trace.length} imports called`);
});

test("the debug build, which is not optimised, does the same", async () => {
  const app = await compileApp({ projectFolder: packageFolder(), target: "debug" });
  const calls = [call("start"), call("onTimer", 0), call("collect"), call("onTimer", 1)];
  assert.equal(traceNative(app.wasm, calls, app.sourceMap), traceV8(app.wasm, calls));
});

test("faults end with the kinds of docs/exit-codes.md, and their site names the line", async () => {
  const app = await compileFixture("faults", "release");
  const { source } = translate(app.wasm, { sourceMap: app.sourceMap });
  assert.match(source, /^#line \d+ "tests\/fixtures\/assembly\/faults\.ts"$/m);
  assert.match(source, /WASM_TRAP_OUT_OF_MEMORY/);
});

test("the same input gives the same text, and the build id is its hash", async () => {
  const app = await compileFixture("faults", "release");
  const one = translate(app.wasm, { sourceMap: app.sourceMap });
  assert.equal(translate(Uint8Array.from(app.wasm), { sourceMap: app.sourceMap }), one);
  assert.match(one.header, `#define WASM_BUILD_ID "${one.buildId}"`);
});

test.run();
