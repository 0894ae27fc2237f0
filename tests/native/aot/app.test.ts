// deadline: 180 s
import {
  encodedMap,
  encodedMappings,
  originalPositionFor,
  TraceMap,
} from "@jridgewell/trace-mapping";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CompiledApp, compileApp } from "../../../host-sim/compiler/compile.ts";
import { exitStatusOf } from "../../../host-sim/device/wasm/report.ts";
import { packageFolder } from "../../../host-sim/paths.ts";
import { translate } from "../../../native/aot/index.ts";
import { compileFixture, stubImports } from "../../assembly/support.ts";
import { assemble, type Call, runNative, type Signature } from "./support.ts";

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
      return name === "now" || name === "monotonic" ? NOW : answer(name);
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
      return `trap ${exitStatusOf(error, {}).code}`;
    }
  });
  return { trace, results };
}

/** A handle from what opens, and no error from all others. */
function answer(name: string): number {
  return name.startsWith("open") ? 3 : 0;
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
      return `${before}${type} ${name}(${params}) { ${print} ${ending(name, type)} }`;
    },
  );
  return `static uint32_t sum(void) {
  uint32_t value = 1;
  for (uint32_t at = 0; at < ${CAPACITY}; at++) value = value * 31 + wasm_memory[at];
  return value;
}
${functions.join("\n")}`;
}

function ending(name: string, type = ""): string {
  if (name === "host_env_abort") return 'puts("trap 65"); longjmp(out, 1);';
  if (type === "void") return "";
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

/** The fixture's first argument says how it fails. */
function failNative(app: CompiledApp, fault: string): { kind: string; place: string } {
  const [, imports = ""] = translate(app.wasm).header.split("defined by the runtime");
  const argument = `static int32_t argument(int32_t at, int32_t capacity) {
    static const char text[] = "${fault}";
    void *place = wasm_range((uint32_t)at, (uint32_t)capacity);
    if (place && capacity >= (int32_t)sizeof text - 1) __builtin_memcpy(place, text, sizeof text - 1);
    return sizeof text - 1;
  }`;
  const code = hostCode(imports).replace(
    /(host_application_argument\(.*?\) \{).*/,
    "$1 return a0 == 0 ? argument(a1, a2) : 0; }",
  );
  const options = { hostCode: `${argument}\n${code}`, sourceMap: app.sourceMap, sites: true };
  const { results } = runNative(app.wasm, [call("start")], SIGNATURES, options);
  const [, kind = "", site] = /^trap (\d+)@?(\d+)?$/.exec(results.at(-1) ?? "") ?? [];
  return { kind, place: placeOf(app, Number(site ?? 0)) };
}

function placeOf(app: CompiledApp, column: number): string {
  const { source, line } = originalPositionFor(new TraceMap(app.sourceMap), { line: 1, column });
  return `${source}:${line}`;
}

/** Where V8 was when it trapped. */
function failV8(app: CompiledApp, fault: string): { kind: string; place: string } {
  const module = new WebAssembly.Module(app.wasm);
  const bytes = Buffer.from(fault);
  let memory: WebAssembly.Memory | undefined;
  const imports = stubImports(module, {
    application: {
      argument: (_index: number, at: number, capacity: number) => {
        if (capacity >= bytes.length) new Uint8Array(memory?.buffer ?? []).set(bytes, at);
        return bytes.length;
      },
    },
  });
  const instance = new WebAssembly.Instance(module, imports);
  memory = instance.exports.memory as WebAssembly.Memory;
  try {
    (instance.exports.start as () => void)();
  } catch (error) {
    const { code, report } = exitStatusOf(error, { sourceMap: app.sourceMap });
    const [, place = ""] = /\((.*:\d+):\d+\)/.exec(report[1] ?? "") ?? [];
    return { kind: String(code), place };
  }
  throw new Error(`the fault ${fault} did not happen`);
}

test("faults have the kinds of docs/exit-codes.md, and their sites name V8's lines", async () => {
  // Optimised, binaryen sees through some of the faults.
  const app = await compileFixture("faults", "debug");
  const expected = { unreachable: 64, memory: 66, bounds: 67, divide: 68, overflow: 69 };
  for (const [fault, kind] of Object.entries({ ...expected, indirect: 71 })) {
    const native = failNative(app, fault);
    assert.equal(native, failV8(app, fault), fault);
    assert.is(native.kind, String(kind), fault);
  }
  // V8 names the entry of the function that finds no room, and C the call into it.
  const { kind, place } = failNative(app, "stack");
  assert.is(kind, "72");
  assert.match(place, /^tests\/fixtures\/assembly\/faults\.ts:\d+$/);
});

test("with a source map, debuggers see the app's sources", async () => {
  const app = await compileFixture("faults", "release");
  const { source } = translate(app.wasm, { sourceMap: app.sourceMap });
  assert.match(source, /^#line \d+ "tests\/fixtures\/assembly\/faults\.ts"$/m);
});

test("code that no line has made takes no place of the function before it", async () => {
  const wasm = await assemble(`(module (func (export "first") (unreachable))
    (func (export "second") (unreachable)))`);
  const [first = -1, second = -1] = [0, 1].map((index) => {
    const calls = [call(index === 0 ? "first" : "second")];
    const signatures = { first: { params: [] }, second: { params: [] } };
    const { results } = runNative(wasm, calls, signatures, { sites: true });
    return Number(/@(\d+)/.exec(results[0] ?? "")?.[1]);
  });
  assert.ok(0 < first && first < second, `${first} ${second}`);
  const map = new TraceMap({
    ...{ version: 3, sources: ["own.ts"], names: [], mappings: [[[first, 0, 6, 0]]] },
  });
  const sourceMap = JSON.stringify({ ...encodedMap(map), mappings: encodedMappings(map) });
  const { source } = translate(wasm, { sourceMap });
  assert.equal(source.match(/#line \d+ "own.ts"/g), ['#line 7 "own.ts"']);
  assert.match(source, `wasm_trap(WASM_TRAP_UNREACHABLE, ${second}u)`);
});

test("a segment of the map without a source ends the line before it", async () => {
  const wasm = await assemble(`(module (import "env" "say" (func $say (param i32)))
    (func (export "run") (call $say (i32.const 1)) (call $say (i32.const 2)) (unreachable)))`);
  const code = Buffer.from(wasm).indexOf(Buffer.from([0x41, 1]));
  // Four bytes for each call: the first is of line 7, the second of none, the trap of line 9.
  const mappings = [[[code, 0, 6, 0], [code + 4], [code + 8, 0, 8, 0]]] as const;
  const map = { version: 3, sources: ["own.ts"], names: [], mappings } as const;
  const sourceMap = JSON.stringify({
    ...map,
    mappings: encodedMappings(new TraceMap(map as never)),
  });
  const { source } = translate(wasm, { sourceMap });
  const [, body = ""] = /#line 7 "own.ts"\n([\s\S]*?)\n\}\n/.exec(source) ?? [];
  const lines = body.split("\n").filter((line) => /#line|w0_|wasm_trap/.test(line));
  assert.match(lines[0] ?? "", "(1u)");
  assert.is(lines[1], '#line 1 "(?)"');
  assert.match(lines[2] ?? "", "(2u)");
  assert.is(lines[3], '#line 9 "own.ts"');
  assert.match(lines[4] ?? "", `wasm_trap(WASM_TRAP_UNREACHABLE, ${code + 8}u)`);
});

test("the same input gives the same text, and the build id is its hash", async () => {
  const app = await compileFixture("faults", "release");
  const one = translate(app.wasm, { sourceMap: app.sourceMap });
  assert.equal(translate(Uint8Array.from(app.wasm), { sourceMap: app.sourceMap }), one);
  assert.match(one.header, `#define WASM_BUILD_ID "${one.buildId}"`);
});

test.run();
