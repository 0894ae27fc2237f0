import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CompiledApp } from "../../host-sim/compiler/compile.ts";
import type { AppImage, NativeProgram } from "../../host-sim/device/app.ts";
import { TRAP_NAMES } from "../../host-sim/device/places.ts";
import { compileFixture } from "../assembly/support.ts";
import { CAPABILITIES, manifest, startDevice } from "../device/support.ts";
import { HUB_NAME } from "../hub/support.ts";
import { assemble } from "../native/aot/support.ts";
import { ended, linesOf, liveThrough, traceOf } from "./scenario.ts";
import { buildApp, buildFolder, NO_MAP, traceCalls } from "./support.ts";
import { tracingV8 } from "./trace-v8.ts";

const test = suite("the same in V8, as a program here and as one for the device's ABI");

const BODIES = { native: "linux-release", arm: "arm-lab" } as const;
type Body = keyof typeof BODIES;

/** No compiler of ours makes it: AssemblyScript's conversions saturate. */
const CONVERSION = `(module (memory (export "memory") 1 1)
  (global $nan (mut f64) (f64.const nan))
  (func (export "start") (drop (i32.trunc_f64_s (global.get $nan))))
  (func (export "onTimer") (param i32)) (func (export "onEvent") (param i32 i32 i32))
  (func (export "collect")) (func (export "abiVersion") (result i32) (i32.const 1)))`;

interface Fixture {
  readonly app: CompiledApp | { readonly wasm: Uint8Array; readonly sourceMap: string };
  readonly programs: Readonly<Record<Body, NativeProgram>>;
}

async function prepare(name: string, given?: CompiledApp): Promise<Fixture> {
  const app = given ?? (await compileFixture(name));
  const build = (body: Body) =>
    buildApp({
      ...{ folder: buildFolder(`same-${body}`), preset: BODIES[body] },
      ...{ name, app, manifest: manifest() },
    });
  return { app, programs: { native: await build("native"), arm: await build("arm") } };
}

for (const [body, preset] of Object.entries(BODIES)) {
  traceCalls(buildFolder(`same-${body}`), preset);
}
const foreign = async (text: string) =>
  ({ wasm: await assemble(text), sourceMap: NO_MAP }) as CompiledApp;
const trace = await prepare("trace");
const faults = await prepare("faults");
const edges = await prepare("edges");
const conversion = await prepare("conversion", await foreign(CONVERSION));
const newer = await prepare(
  "newer",
  await foreign(CONVERSION.replace("i32.const 1)", "i32.const 2)")),
);

const imageOf = ({ app, programs }: Fixture, args: string[], body?: Body): AppImage => ({
  manifest: manifest(args, CAPABILITIES),
  ...app,
  ...(body ? { native: programs[body] } : {}),
});

test("one life: the same calls with the same numbers and memory, and the same outside", async () => {
  const v8 = await tracingV8((calls) =>
    liveThrough(
      (args) => imageOf(trace, args),
      () => calls,
    ),
  );
  const expected = { ...v8.result, trace: v8.trace };
  assert.ok(expected.trace.length > 200, `${expected.trace.length} lines`);
  for (const body of ["native", "arm"] as const) {
    const seen = await liveThrough((args) => imageOf(trace, args, body), traceOf);
    assert.equal(differing(seen.trace, expected.trace), [], body);
    assert.equal(seen, expected, body);
  }
});

test("an app of a newer host ABI is not started, in any body, and that is said", async () => {
  for (const body of [undefined, "native", "arm"] as const) {
    const { code, report } = await fail(imageOf(newer, [], body));
    assert.is(code, 80, body);
    assert.match(report, /exit code 80: it needs (host ABI 2|a newer host ABI)/, body);
  }
});

test("the collection runs after each export that came back, and never inside one", async () => {
  const { trace: calls } = await tracingV8((seen) =>
    liveThrough(
      (args) => imageOf(trace, args),
      () => seen,
    ),
  );
  const open: string[] = [];
  const order: string[] = [];
  for (const line of calls) {
    const [name = ""] = line.split(" ");
    if (name === "=") order.push(open.pop() ?? "nothing");
    else if (name === "trap" || name === "host_env_abort") open.length = 0;
    else {
      if (name === "collect") assert.equal(open, [], line);
      open.push(name);
    }
  }
  const exports = order.filter((name) => !name.startsWith("host_"));
  assert.ok(exports.length > 40, `${exports.length} calls`);
  exports.forEach((name, index) => {
    if (name !== "collect")
      assert.is(exports[index + 1], "collect", `after call ${index}, ${name}`);
  });
});

/** The lines from the first one that differs, few enough to read. */
function differing(one: readonly string[], other: readonly string[]) {
  const first = Array.from({ length: Math.max(one.length, other.length) }).findIndex(
    (_, index) => one[index] !== other[index],
  );
  return first < 0 ? [] : [one.slice(first, first + 12), other.slice(first, first + 12)];
}

/** How the app comes to its end: its calls, its log, its exit code. */
async function fail(image: AppImage) {
  const device = await startDevice();
  await device.os.install(image);
  const code = await ended(device);
  await device.os.stopApp();
  const report = device.log().find((line) => line.startsWith("the app ended")) ?? "";
  const calls = traceOf(device);
  await device.stop();
  return { code, report, calls };
}

/** Arguments at the edge of what is allowed, before there is a connection and over one. */
async function atTheEdge(image: AppImage) {
  const device = await startDevice({ withHub: true });
  await device.os.install(image);
  await ended(device);
  await device.os.stopApp();
  const seen = { lines: linesOf(device), trace: traceOf(device) };
  await device.stop();
  return seen;
}

for (const last of ["exit", "throw"] as const) {
  test(`imports answer the same at the edge of what they take, and ${last} ends the same`, async () => {
    const args = ["--Hostname", HUB_NAME, ...(last === "throw" ? [last] : [])];
    const v8 = await tracingV8(() => atTheEdge(imageOf(edges, args)));
    const { lines } = v8.result;
    const again = lines.filter((line) => line.endsWith(" -11"));
    assert.equal(again, [], "nothing that may never work is to be tried again");
    for (const line of ["send 64 properties 0", "send 65 properties -90", "send no UTF-8 -22"]) {
      assert.ok(lines.includes(`info ${line}`), line);
    }
    for (const body of ["native", "arm"] as const) {
      const seen = await atTheEdge(imageOf(edges, args, body));
      assert.equal(seen.lines, lines, body);
      assert.equal(differing(seen.trace, v8.trace), [], body);
    }
  });
}

/** What the report calls it; an abort has a text of its own. */
const WORDS: Readonly<Record<number, string>> = {
  ...Object.fromEntries(TRAP_NAMES),
  65: "",
};

const SOURCE = "tests/fixtures/assembly/faults.ts";
const sourceLines = readFileSync(SOURCE, "utf8").split("\n");

/** The line of the fixture with this text. */
const lineWith = (text: string) =>
  `${SOURCE}:${sourceLines.findIndex((line) => line.includes(text)) + 1}`;

/** Where a fault is reported: the innermost place of the app's own. */
function placeOf(fault: string): string {
  if (fault === "memory") return lineWith("weight: StaticArray<u8> = new");
  if (fault === "stack") return lineWith("return level + deep");
  return lineWith(`fault === "${fault}"`);
}

for (const [fault, code] of [
  ["unreachable", 64],
  ["throw", 65],
  ["index", 65],
  ["memory", 66],
  ["bounds", 67],
  ["divide", 68],
  ["overflow", 69],
  ["conversion", 70],
  ["indirect", 71],
  ["stack", 72],
  ["exit", 5],
  ["pin", 65],
  ["twice", 65],
] as const) {
  test(`${fault}: the same calls up to exit code ${code}, and the place`, async () => {
    const fixture = fault === "conversion" ? conversion : faults;
    const v8 = await tracingV8(() => fail(imageOf(fixture, [fault])));
    assert.is(v8.result.code, code);
    // The module that no compiler of ours makes has no sources, and an exit no place.
    const placed = fixture === faults && !["exit", "pin", "twice"].includes(fault);
    if (placed) assert.match(v8.result.report, `${WORDS[code]} at ${placeOf(fault)}:`);
    for (const body of ["native", "arm"] as const) {
      const seen = await fail(imageOf(fixture, [fault], body));
      assert.equal(seen.calls, v8.trace, body);
      assert.is(seen.code, code, body);
      if (placed) assert.match(seen.report, `${WORDS[code]} at ${placeOf(fault)}`, body);
    }
  });
}

test.run();
