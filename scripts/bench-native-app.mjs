// What `bench-native.mjs` measures of the whole app: telemetry cycles on a device of nothing.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Bytes of linear memory for the million cycles. */
const SMALL_MEMORY = 24 * 1024;
const CYCLES = 1_000_000;
/** qemu takes about a minute for a million. */
const ARM_CYCLES = 100_000;
const FEW = 100;
const MANY = 1100;

/** @returns rows for the table */
export async function measureApp(tools) {
  const { work, root, compileApp, translate } = tools;
  const project = join(work, "project");
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  cpSync(join(root, "assembly"), join(project, "assembly"), { recursive: true });
  const config = JSON.parse(readFileSync(join(root, "asconfig.json"), "utf8"));
  config.options.lowMemoryLimit = SMALL_MEMORY;
  writeFileSync(join(project, "asconfig.json"), JSON.stringify(config));
  const { wasm } = await compileApp({ projectFolder: project, target: "release" });
  const { source, header } = translate(wasm);
  const ours = folder(tools, "app", { "app_wasm.c": source, "app_wasm.h": header });
  const stock = stockFolder(tools, wasm);
  const programs = compileAll(tools, ours, stock);
  return [...instructions(tools, programs), await soak(wasm, programs), staticBytes(tools, ours)];
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
  const capacity = `-DWASM_MEMORY_CAPACITY=${SMALL_MEMORY}`;
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

/** A million cycles give the same sums everywhere, in memory that cannot grow. */
async function soak(wasm, programs) {
  const expected = runV8(wasm, [ARM_CYCLES, CYCLES]);
  const args = [String(ARM_CYCLES), String(CYCLES)];
  const output = (command, list) =>
    execFileSync(command, list, { encoding: "utf8" }).trim().split("\n");
  const host = output(programs.host, args);
  const arm = output("qemu-arm", [programs.arm, args[0]]);
  const same = host.join() === expected.join() && arm.join() === expected.slice(0, 1).join();
  if (!same) throw new Error(`sums differ: V8 ${expected}, x86-64 ${host}, ARM ${arm}`);
  return {
    name: `cycles in ${SMALL_MEMORY / 1024} KiB, sum ${expected[1]} in V8 and x86-64 (ARM: ${ARM_CYCLES})`,
    value: CYCLES,
    unit: "",
  };
}

/** The device of app.c again, for V8. */
function runV8(wasm, stops) {
  const state = { hash: 2166136261, now: 1767225600000, timer: 0, pending: -1, handles: 0 };
  const storage = new Uint8Array(8192);
  let stored = 0;
  let exports;
  const bytes = (at, length) => new Uint8Array(exports.memory.buffer, at, length);
  const take = (at, length) => {
    for (const byte of bytes(at, length)) state.hash = Math.imul(state.hash ^ byte, 16777619);
    return 0;
  };
  const none = () => -2;
  const imports = {
    env: {
      abort: (...args) => {
        throw new Error(`abort ${args}`);
      },
    },
    gpio: {
      openInput: () => ++state.handles,
      openOutput: () => ++state.handles,
      watch: () => 0,
      write: () => 0,
    },
    iothub: {
      messageBody: none,
      messageProperties: none,
      open: take,
      send(id, body, length, bag, bagLength) {
        state.pending = id;
        take(body, length);
        return take(bag, bagLength);
      },
    },
    log: { write: (_level, text, length) => take(text, length) },
    methods: { name: none, payload: none, reply: () => 0 },
    storage: {
      capacity: () => storage.length,
      read(offset, at, length) {
        const count = Math.min(length, Math.max(0, stored - offset));
        bytes(at, count).set(storage.subarray(offset, offset + count));
        return count;
      },
      write(offset, at, length) {
        storage.set(bytes(at, length), offset);
        stored = Math.max(stored, offset + length);
        return length;
      },
    },
    timers: {
      now: () => BigInt(state.now),
      start(id, _delay, period) {
        if (period > 0) state.timer = id;
        return 0;
      },
      stop: () => 0,
    },
    twin: { desired: none, report: (_id, json, length) => take(json, length) },
  };
  ({ exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), imports));
  const settle = () => {
    while (state.pending >= 0) {
      const id = state.pending;
      state.pending = -1;
      exports.onEvent(3, id, 0);
      exports.collect();
    }
  };
  exports.start();
  exports.collect();
  exports.onEvent(2, 0, 6);
  exports.collect();
  settle();
  let cycle = 0;
  return stops.map((stop) => {
    for (; cycle < stop; cycle++) {
      state.now += 5000;
      exports.onTimer(state.timer);
      exports.collect();
      settle();
    }
    return String(state.hash >>> 0);
  });
}

/** RAM that the translated code takes beside linear memory, as the device's program has it. */
function staticBytes({ arm: [command, ...target], run, meaning, speed, work }, ours) {
  const object = join(work, "app_wasm.o");
  const options = ["-std=gnu11", "-w", "-fPIE", ...meaning, ...speed, "-c", `-I${ours}`];
  run(command, [...target, ...options, join(ours, "app_wasm.c"), "-o", object]);
  const text = run("arm-linux-gnueabihf-size", ["-A", object]);
  const linear = 49_152;
  const bytes = [...text.matchAll(/^\.(?:data|bss)\S* +(\d+)/gm)]
    .map(([, size]) => Number(size))
    .reduce((sum, size) => sum + size, -linear);
  return { name: "static RAM of the code beside memory", value: bytes, unit: "bytes", limit: 1024 };
}
