import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TRAP_NAMES } from "../../host-sim/device/places.ts";
import { translate } from "../../native/aot/index.ts";
import { assemble } from "../native/aot/support.ts";

const test = suite("exit codes: once given, never given again");

/** Names in C → code; whoever changes one breaks what people have noted. */
const CODES: Readonly<Record<string, number>> = {
  RT_EXIT_STOPPED: 0,
  WASM_TRAP_UNREACHABLE: 64,
  RT_EXIT_ABORT: 65,
  WASM_TRAP_OUT_OF_MEMORY: 66,
  WASM_TRAP_OUT_OF_BOUNDS: 67,
  WASM_TRAP_DIVIDE_BY_ZERO: 68,
  WASM_TRAP_INTEGER_OVERFLOW: 69,
  WASM_TRAP_INVALID_CONVERSION: 70,
  WASM_TRAP_INDIRECT_CALL: 71,
  WASM_TRAP_STACK_EXHAUSTED: 72,
  RT_EXIT_NEWER_ABI: 80,
  RT_EXIT_EVENT_LOOP: 81,
  RT_EXIT_TIMER: 82,
  RT_EXIT_NETWORK_STATE: 83,
  RT_EXIT_ASSERTION: 84,
};

const codesIn = (text: string) =>
  [...text.matchAll(/((?:RT_EXIT|WASM_TRAP)_\w+) = (\d+)/g)].map(
    ([, name = "", code]) => [name, Number(code)] as const,
  );

test("runtime and translated code have these and no others", async () => {
  const { header } = translate(await assemble("(module)"));
  const runtime = readFileSync("native/runtime/runtime.h", "utf8");
  const given = [...codesIn(header), ...codesIn(runtime)].sort(([, a], [, b]) => a - b);
  assert.equal(Object.fromEntries(given), CODES);
  assert.is(new Set(Object.values(CODES)).size, given.length, "no two share a code");
});

test("each has its line in docs/exit-codes.md, and each trap its words", () => {
  const page = readFileSync("docs/exit-codes.md", "utf8");
  for (const [name, code] of Object.entries(CODES)) {
    assert.match(page, `\n| ${code} | `);
    assert.is(TRAP_NAMES.has(code), name.startsWith("WASM_TRAP"), name);
  }
});

test.run();
