// What `bench-native.mjs` measures of the program that is packed or run: its start, its size, its memory.
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const STARTS = 25;
const MOST_START_MS = 50;
const MOST_PRIVATE_BYTES = 110 * 1024;
const LARGEST_PACKAGE = 200_000;
const MOST_RUNTIME_LINES = 2_500;
const HELLO = 2;

/** @returns rows for the table */
export async function measureProgram(tools) {
  const figures = sizes();
  const row = (name, value, unit, limit) => ({ name, value, unit, limit });
  const starts = await startTimes(tools);
  return [
    row(
      `start to first host call, x86-64, median of ${STARTS} (slowest ${starts.at(-1).toFixed(1)})`,
      starts[Math.floor(STARTS / 2)],
      "ms",
      MOST_START_MS,
    ),
    row("private pages of the app on ARM", figures.privatePages, "bytes", MOST_PRIVATE_BYTES),
    row("image package with ARM program and wasm", figures.package, "bytes", LARGEST_PACKAGE),
    row("native/runtime", runtimeLines(tools.root), "lines", MOST_RUNTIME_LINES),
  ];
}

function sizes() {
  const script = fileURLToPath(new URL("size.mjs", import.meta.url));
  const text = execFileSync(process.execPath, [script, "--json"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(text.trim().split("\n").at(-1));
}

function runtimeLines(root) {
  const folder = join(root, "native/runtime");
  const files = readdirSync(folder).filter((file) => /\.[ch]$/.test(file));
  return files.reduce(
    (sum, file) => sum + readFileSync(join(folder, file), "utf8").split("\n").length - 1,
    0,
  );
}

/**
 * From the moment before the process is made until the first frame of the app that is no greeting has come
 * to the operating system: loader, libraries, runtime, the app's start function and the way here are in it.
 * @returns milliseconds, sorted
 */
async function startTimes({ root, buildForBody, startScriptedOs, honest }) {
  const { native } = await buildForBody("native", root, "release");
  const times = [];
  // One more: the first brings the files into memory.
  for (let start = 0; start <= STARTS; start++) {
    times.push(await startOnce(native, startScriptedOs, honest));
  }
  return times.slice(1).sort((a, b) => a - b);
}

async function startOnce({ file, libraries }, startScriptedOs, honest) {
  let arrived;
  const first = new Promise((resolve) => {
    arrived = resolve;
  });
  const os = await startScriptedOs((frame, isFirst) => {
    if (frame.kind !== HELLO) arrived(performance.now());
    return honest(join(os.folder, "mutable"))(frame, isFirst);
  });
  const before = performance.now();
  const child = spawn(file, ["--Hostname", "hub.example"], {
    env: { SPHERULE_OS_SOCKET: os.path, LD_LIBRARY_PATH: libraries },
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const gone = ended.then(() => {
    throw new Error("The app ended before its first host call.");
  });
  const time = (await Promise.race([first, gone])) - before;
  child.kill("SIGKILL");
  await gone.catch(() => {});
  await os.stop();
  return time;
}
