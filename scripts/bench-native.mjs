// Counts the ARM instructions of translated kernels against the same by hand in C, under qemu-arm:
// `npm run bench:native`. A table for people, then one line of JSON. The count is exact, no time.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { measureApp } from "./bench-native-app.mjs";
import { measureProgram } from "./bench-native-program.mjs";
import { bundle } from "./bundle.mjs";
import { ensureSystemPackages } from "./system-packages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const work = join(root, "build/bench-native");
const sources = join(root, "tests/bench/native");
const LIBRARY = [
  "native/aot/index.ts",
  "host-sim/compiler/compile.ts",
  "host-sim/lab/native-build.ts",
  "tests/bench/native/soak.ts",
  "tests/native-runtime/scripted-os.ts",
];
const COMPILER = "arm-linux-gnueabihf-gcc";
const TARGET = "-mcpu=cortex-a7 -mthumb -mfloat-abi=hard -mfpu=neon-vfpv4".split(" ");
const MOST_MEAN = 2.2;
const MOST = 4.5;
/** Name → how often in the shorter and in the longer run; the difference is free of start-up. */
const KERNELS = {
  fib: [2, 4],
  crc32: [4, 24],
  sha256: [2, 6],
  matmul: [2, 12],
  doubles: [10, 110],
  base64: [4, 24],
  jsonscan: [10, 110],
  jsontree: [10, 60],
  telemetry: [10, 1034],
  median: [10, 2010],
};

const missing = ensureSystemPackages();
if (missing) {
  console.log(missing);
  process.exit(1);
}
mkdirSync(work, { recursive: true });
const library = await loadLibrary();
const { AOT_C_FLAGS, AOT_SPEED_FLAGS } = library;
await translateKernels(library);
compileAll([...AOT_C_FLAGS, ...AOT_SPEED_FLAGS]);
const results = Object.keys(KERNELS).map(measure);
const app = await measureApp({
  ...{ ...library, root, work, sources, run, count },
  ...{ arm: [COMPILER, ...TARGET], meaning: AOT_C_FLAGS, speed: AOT_SPEED_FLAGS },
});
const program = await measureProgram({ ...library, root, work });
print();

async function loadLibrary() {
  await bundle({
    entryPoints: LIBRARY.map((file) => join(root, file)),
    outdir: join(work, "js"),
    flat: true,
  });
  const load = (name) => import(pathToFileURL(join(work, "js", name)).href);
  const names = LIBRARY.map((file) => basename(file).replace(/ts$/, "js"));
  return Object.assign({}, ...(await Promise.all(names.map(load))));
}

async function translateKernels({ translate, compileApp }) {
  const entry = "tests/fixtures/assembly/kernels.ts";
  const { wasm } = await compileApp({ projectFolder: root, entry, target: "release" });
  const { source, header } = translate(wasm);
  writeFileSync(join(work, "app_wasm.c"), source);
  writeFileSync(join(work, "app_wasm.h"), header);
}

function compileAll(wasmFlags) {
  const common = [...TARGET, "-std=gnu11", "-O2", "-static", `-I${work}`, `-I${sources}`];
  const main = join(sources, "main.c");
  run(COMPILER, [...common, main, join(sources, "kernels.c"), "-lm", "-o", join(work, "native")]);
  run(COMPILER, [
    ...[...common, ...wasmFlags, "-DUSE_WASM", main, join(work, "app_wasm.c")],
    ...["-lm", "-o", join(work, "wasm")],
  ]);
  const plugin = join(work, "count.so");
  run("gcc", ["-O2", "-shared", "-fPIC", join(sources, "count.c"), "-o", plugin]);
}

function measure(name) {
  const native = perIteration("native", name);
  const wasm = perIteration("wasm", name);
  if (native.sum !== wasm.sum) {
    throw new Error(`${name} gives ${wasm.sum} in place of ${native.sum}: nothing was measured`);
  }
  const ratio = wasm.instructions / native.instructions;
  return { name, native: native.instructions, wasm: wasm.instructions, ratio };
}

function perIteration(program, name) {
  const [few, many] = KERNELS[name].map((times) =>
    count(join(work, program), [name, String(times)]),
  );
  const [from, to] = KERNELS[name];
  return {
    instructions: Math.round((many.instructions - few.instructions) / (to - from)),
    sum: many.output,
  };
}

/** Runs an ARM program and counts its instructions. */
function count(program, args) {
  const out = join(work, "count.txt");
  const plugin = `${join(work, "count.so")},out=${out}`;
  const output = run("qemu-arm", ["-plugin", plugin, program, ...args])
    .trim()
    .split("\n")
    .at(-1);
  return { output, instructions: Number(readFileSync(out, "utf8")) };
}

function run(command, args) {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

function print() {
  const mean = Math.exp(
    results.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / results.length,
  );
  const most = Math.max(...results.map(({ ratio }) => ratio));
  console.log(`${"kernel".padEnd(12)} ${"C".padStart(9)} ${"wasm".padStart(9)}  ratio`);
  for (const { name, native, wasm, ratio } of results) {
    const numbers = `${String(native).padStart(9)} ${String(wasm).padStart(9)}`;
    console.log(`${name.padEnd(12)} ${numbers} ${ratio.toFixed(2).padStart(6)}`);
  }
  const verdict = (kept, limit) => `${kept ? "kept" : "NOT KEPT"} (${limit})`;
  console.log(`geometric mean ${mean.toFixed(2)} ${verdict(mean <= MOST_MEAN, MOST_MEAN)}`);
  console.log(`largest ratio  ${most.toFixed(2)} ${verdict(most <= MOST, MOST)}`);
  console.log();
  for (const { name, value, unit, limit, least } of [...app, ...program]) {
    const number = Number.isInteger(value) ? String(value) : value.toFixed(3);
    const atMost = limit === undefined ? "" : `  ${verdict(value <= limit, `at most ${limit}`)}`;
    const atLeast = least === undefined ? "" : `  ${verdict(value >= least, `at least ${least}`)}`;
    console.log(`${name.padEnd(66)} ${number.padStart(8)} ${unit}${atMost}${atLeast}`);
  }
  console.log(`\n${JSON.stringify({ mean, most, results, app, program })}`);
}
