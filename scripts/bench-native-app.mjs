// What `bench-native.mjs` measures of the whole app: telemetry cycles on a device of nothing.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** qemu takes a minute or two for them. */
const CYCLES = 1_000_000;
const FEW = 100;
const MANY = 1100;

/** @returns rows for the table */
export async function measureApp(tools) {
  const { work, root, compileSmallApp, translate } = tools;
  const wasm = await compileSmallApp(root, join(work, "project"));
  const { source, header } = translate(wasm);
  const ours = folder(tools, "app", { "app_wasm.c": source, "app_wasm.h": header });
  const stock = stockFolder(tools, wasm);
  const programs = compileAll(tools, ours, stock);
  return [
    ...instructions(tools, programs),
    await soak(tools, wasm, programs),
    staticBytes(tools, ours),
  ];
}

function folder({ work }, name, files) {
  const path = join(work, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

/** wasm2c's output as it is, and functions that hand its imports to those of app.c. */
function stockFolder(tools, wasm) {
  const path = folder(tools, "stock", { "app.wasm": wasm });
  const wasm2c = join(tools.root, "node_modules/wabt/bin/wasm2c");
  const files = ["-n", "app", "-o", join(path, "stock.c")];
  tools.run(process.execPath, [wasm2c, join(path, "app.wasm"), ...files]);
  const header = readFileSync(join(path, "stock.h"), "utf8");
  const imports = [...header.matchAll(/^(void|u32|u64) (w2c_(\w+))\((struct w2c_\w+\*.*)\);$/gm)]
    .filter(([, , name]) => !name.startsWith("w2c_app_"))
    .map(([, type, name, host, list]) => {
      const types = list.split(", ").slice(1);
      const params = types.map((param, index) => `, ${param} a${index}`).join("");
      const values = types.map((_, index) => `a${index}`).join(", ");
      const [module] = list.split(", ");
      const back = type === "void" ? "" : "return ";
      const hostTypes = types.map((param) => param.replace(/^u/, "s")).join(", ") || "void";
      return `${type.replace(/^u/, "s")} host_${host}(${hostTypes});
${type} ${name}(${module} m${params}) { (void)m; ${back}host_${host}(${values}); }`;
    });
  const nothing = [...header.matchAll(/^struct w2c_\w+;/gm)].map(() => "NULL").join(", ");
  writeFileSync(
    join(path, "adapt.c"),
    `#include "app_wasm.h"\n${imports.join("\n")}
void wasm_initialize(void) { wasm2c_app_instantiate(&stock_app, ${nothing}); }\n`,
  );
  return path;
}

function compileAll(tools, ours, stock) {
  const { sources, run, arm, meaning, speed, work } = tools;
  const main = join(sources, "app.c");
  const capacity = `-DWASM_MEMORY_CAPACITY=${tools.SMALL_MEMORY}`;
  const program = (name, [command, ...args]) => {
    const file = join(work, name);
    run(command, ["-std=gnu11", "-O2", "-w", ...args, "-lm", "-o", file]);
    return file;
  };
  const own = [...meaning, ...speed, capacity, `-I${ours}`, main, join(ours, "app_wasm.c")];
  const foreign = ["stock.c", "adapt.c"].map((file) => join(stock, file));
  return {
    host: program("app-host", ["gcc", ...own]),
    arm: program("app-arm", [...arm, "-static", ...own]),
    stock: program("app-stock", [
      ...[...arm, "-static", ...meaning, `-I${stock}`, `-I${join(sources, "stock")}`, main],
      ...[...foreign, join(sources, "stock/wasm-rt.c")],
    ]),
  };
}

/** Instructions of one cycle with its collection, against the stock translation of the same module. */
function instructions({ count }, programs) {
  const [ours, stock] = [programs.arm, programs.stock].map((program) => {
    const few = count(program, [String(FEW)]);
    const many = count(program, [String(FEW), String(MANY)]);
    return { sum: many.output, cycle: (many.instructions - few.instructions) / (MANY - FEW) };
  });
  if (ours.sum !== stock.sum) throw new Error(`wasm2c's app sends something else: ${stock.sum}`);
  return [
    { name: "telemetry cycle, ARM", value: Math.round(ours.cycle), unit: "instructions" },
    { name: "the same with stock wasm2c", value: Math.round(stock.cycle), unit: "instructions" },
    { name: "ratio of the two", value: ours.cycle / stock.cycle, unit: "", limit: 0.36 },
  ];
}

/** A million cycles give the same sum everywhere, in memory that cannot grow. */
async function soak({ runSoakInV8, SMALL_MEMORY }, wasm, programs) {
  const [expected] = runSoakInV8(wasm, [CYCLES]);
  const output = (command, list) => execFileSync(command, list, { encoding: "utf8" }).trim();
  const host = output(programs.host, [String(CYCLES)]);
  const arm = output("qemu-arm", [programs.arm, String(CYCLES)]);
  const same = host === expected && arm === expected;
  return {
    name: `cycles in ${SMALL_MEMORY / 1024} KiB; sums of V8, x86-64 and ARM are ${expected}`,
    value: same ? CYCLES : 0,
    unit: same ? "" : `but x86-64 has ${host}, ARM ${arm}`,
    least: CYCLES,
  };
}

/** RAM that the translated code takes beside linear memory, as the device's program has it. */
function staticBytes({ arm: [command, ...target], run, meaning, speed, work }, ours) {
  const object = join(work, "app_wasm.o");
  const linear = 49_152;
  const memory = `-DWASM_MEMORY_CAPACITY=${linear}`;
  const options = ["-std=gnu11", "-w", "-fPIE", memory, ...meaning, ...speed, "-c", `-I${ours}`];
  run(command, [...target, ...options, join(ours, "app_wasm.c"), "-o", object]);
  const text = run("arm-linux-gnueabihf-size", ["-A", object]);
  const bytes = [...text.matchAll(/^\.(?:data|bss)\S* +(\d+)/gm)]
    .map(([, size]) => Number(size))
    .reduce((sum, size) => sum + size, -linear);
  return { name: "static RAM of the code beside memory", value: bytes, unit: "bytes", limit: 1024 };
}
