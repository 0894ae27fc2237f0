// How large the app's ARM program is, on flash and in RAM: `npm run size`. A table with the difference
// to docs/size.json; `npm run size -- --keep` writes that file anew, `--json` prints the figures only.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundle } from "./bundle.mjs";
import { ensureSystemPackages } from "./system-packages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const work = join(root, "build/size");
const keptFile = join(root, "docs/size.json");
const spherule = join(root, "bin/spherule.mjs");
const built = join(root, "build/native/lab-arm-lab-release");
const MEASURE = "--measure";
/** Section of the program → row of the table. */
const SECTIONS = { ".text": "text", ".rodata": "rodata", ".data": "data", ".bss": "bss" };
/** The stack that qemu-arm gives a guest. */
const GUEST_STACK = 8 * 1024 * 1024;
const FULL_STACK = [GUEST_STACK - 65_536, GUEST_STACK + 65_536];

if (process.argv[2] === MEASURE) await measureInside();
else await main();

async function main() {
  const missing = ensureSystemPackages();
  if (missing) {
    console.log(missing);
    process.exit(1);
  }
  rmSync(join(work, "state"), { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const project = ["--project", root, "--state", join(work, "state")];
  const packed = JSON.parse(run("package", ...project, "--with-binary", "--output", "json"));
  const file = join(process.cwd(), packed.file);
  const program = join(built, "package/bin/app");
  const figures = {
    ...sectionsOf(program),
    translatedRam: translatedRam(),
    program: statSync(program).size,
    package: statSync(file).size,
    ...(await memoryOf(file, project)),
  };
  if (process.argv.includes("--json")) console.log(JSON.stringify(figures));
  else print(figures);
  if (process.argv.includes("--keep")) {
    writeFileSync(keptFile, `${JSON.stringify(figures, undefined, 2)}\n`);
  }
}

function run(...args) {
  return execFileSync(process.execPath, [spherule, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
}

function sectionsOf(program) {
  const text = execFileSync("arm-linux-gnueabihf-size", ["-A", program], { encoding: "utf8" });
  const rows = text.split("\n").map((line) => line.trim().split(/\s+/));
  return Object.fromEntries(
    Object.entries(SECTIONS).map(([section, name]) => {
      const found = rows.find(([first]) => first === section);
      return [name, Number(found?.[1] ?? 0)];
    }),
  );
}

/** What the translated code keeps in RAM beside the linear memory. */
function translatedRam() {
  const object = join(built, "CMakeFiles/spherule_app.dir/generated/app_wasm.c.o");
  const sizes = execFileSync("arm-linux-gnueabihf-size", ["-A", object], { encoding: "utf8" });
  const names = execFileSync("arm-linux-gnueabihf-nm", ["-S", object], { encoding: "utf8" });
  const memory = Number.parseInt(/^\S+ (\S+) B wasm_memory$/m.exec(names)?.[1], 16);
  return [...sizes.matchAll(/^\.(?:data|bss)\S* +(\d+)/gm)]
    .map(([, bytes]) => Number(bytes))
    .reduce((sum, bytes) => sum + bytes, -memory);
}

/** Runs the package in the body arm and looks at its process once it has sent telemetry. */
async function memoryOf(file, project) {
  await bundle({
    entryPoints: [join(root, "host-sim/device/native/memory.ts")],
    outdir: join(work, "js"),
    flat: true,
  });
  const lab = ["exec", ...project, "--body", "arm", "--image-package", file, "--"];
  const self = [process.execPath, fileURLToPath(import.meta.url), MEASURE];
  const lines = run(...lab, ...self)
    .trim()
    .split("\n");
  return JSON.parse(lines.at(-1));
}

async function measureInside() {
  run("telemetry", "--count", "2", "--timeout", "120");
  const { guestOf, parseSmaps, privateBytes } = await import(
    pathToFileURL(join(work, "js/memory.js")).href
  );
  const { processId, file } = findProgram();
  const mappings = parseSmaps(readFileSync(`/proc/${processId}/smaps`, "utf8"));
  const stack = guestOf(mappings, file).find(({ start, end, file: name }) => {
    const length = end - start;
    return name === "" && length > FULL_STACK[0] && length < FULL_STACK[1];
  });
  const privatePages = privateBytes(processId, { file, libraries: "", emulator: () => [] });
  if (!stack || privatePages === 0) throw new Error("The process of the app cannot be measured.");
  console.log(JSON.stringify({ privatePages, stack: stack.anonymous }));
}

/** The app's process: the one whose program the lab has unpacked. */
function findProgram() {
  const text = execFileSync("ps", ["-ww", "-eo", "pid,args"], { encoding: "utf8" });
  const folder = join(root, "build/native/lab-arm-lab-libraries/programs");
  for (const line of text.split("\n")) {
    const found = /^\s*(\d+) .*qemu-arm.* (\/\S+\/app)(?: |$)/.exec(line);
    if (found?.[2].startsWith(folder)) return { processId: Number(found[1]), file: found[2] };
  }
  throw new Error("The app does not run under qemu-arm.");
}

function print(figures) {
  const kept = existsSync(keptFile) ? JSON.parse(readFileSync(keptFile, "utf8")) : {};
  const signed = (value) => (value > 0 ? `+${value}` : String(value));
  console.log(
    `${"bytes".padEnd(14)}${"now".padStart(9)}${"kept".padStart(9)}${"change".padStart(9)}`,
  );
  for (const [name, now] of Object.entries(figures)) {
    const before = kept[name];
    const change = before === undefined ? "new" : signed(now - before);
    const cells = [now, before ?? "-", change].map((cell) => String(cell).padStart(9));
    console.log(`${name.padEnd(14)}${cells.join("")}`);
  }
}
