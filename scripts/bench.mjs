// Measures what the project promises: `npm run bench`. A table for people, then one line of JSON.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const program = join(root, "bin/spherule.mjs");
const work = mkdtempSync(join(tmpdir(), "spherule-bench-"));
const results = [];

try {
  await import("./build-host.mjs");
  await bundle({
    entryPoints: ["throughput", "image-package", "device-rest", "thirty-days"].map((name) =>
      join(root, `tests/bench/${name}.ts`),
    ),
    outdir: join(root, "build/bench"),
    outbase: join(root, "tests/bench"),
  });
  await startTimes();
  await size();
  await imagePackages();
  await device();
  await throughput();
} finally {
  rmSync(work, { recursive: true, force: true });
}
print();

function record(name, value, unit, limit, smallerIsBetter = true) {
  const kept = smallerIsBetter ? value <= limit : value >= limit;
  results.push({ name, value, unit, limit, kept });
}

/** A project that was built and claimed before, as on any day but the first. */
async function startTimes() {
  const project = join(work, "project");
  for (const name of ["assembly", "asconfig.json", "app_manifest.json"]) {
    cpSync(join(root, name), join(project, name), { recursive: true });
  }
  await (await start(project)).stop();
  const times = [];
  for (let run = 0; run < 5; run++) {
    const lab = await start(project);
    times.push(lab.milliseconds);
    await lab.stop();
  }
  record("built state to first telemetry at the hub", median(times), "ms", 2000);

  const lab = await start(project);
  const source = join(project, "assembly/app/main.ts");
  const original = readFileSync(source, "utf8");
  const saves = [];
  for (let run = 0; run < 6; run++) {
    const saved = performance.now();
    writeFileSync(source, original.replace("thermometer started", `edition ${run}`));
    await lab.shows(`app        edition ${run}`);
    saves.push(performance.now() - saved);
  }
  // The first save loads the compiler; it is told apart.
  record("first save to new code running", Math.round(saves[0]), "ms", 5000);
  record("save to new code running", median(saves.slice(1)), "ms", 1000);
  record("peak memory of start", peakMemory(lab.pid), "MB", 250);
  // It is there while one edits, and goes after a minute.
  record("peak memory of the compiler's own process", peakMemory(childOf(lab.pid)), "MB", 0);
  await lab.stop();
}

async function start(project) {
  const started = performance.now();
  const child = spawn(process.execPath, [program, "start"], {
    cwd: project,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  let wake = () => {};
  child.stdout.on("data", (chunk) => {
    text += chunk;
    wake();
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  const shows = async (words) => {
    while (!text.includes(words)) {
      if (child.exitCode !== null) throw new Error(`start ended: ${text}`);
      await new Promise((resolve) => {
        wake = resolve;
      });
    }
  };
  await shows("telemetry  {");
  const milliseconds = Math.round(performance.now() - started);
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { pid: child.pid, milliseconds, shows, stop };
}

async function size() {
  await run([program, "build", "--output", "none"]);
  const bytes = readFileSync(join(root, "build/app/release/app.wasm")).length;
  record("wasm of the thermometer, release build", bytes, "bytes", 40_960);
}

async function imagePackages() {
  const { imagePackageTimes } = await import(join(root, "build/bench/image-package.js"));
  const { pack, inspect, toCloud, fromCloud } = imagePackageTimes();
  record("pack and sign a package of 500 KB", Math.round(pack), "ms", 100);
  record("read, verify and inspect it", Math.round(inspect), "ms", 100);
  record("compress it as the Security Service does", Math.round(toCloud), "ms", 0);
  record("decompress it", Math.round(fromCloud), "ms", 0);
}

async function device() {
  const { deviceRestTimes } = await import(join(root, "build/bench/device-rest.js"));
  const { read, sideload } = await deviceRestTimes();
  record("read of the device's REST API", tenths(read), "ms", 5);
  record("sideload of 200 KB until the new app runs", tenths(sideload), "ms", 500);
  const { thirtyDays } = await import(join(root, "build/bench/thirty-days.js"));
  record(
    "thirty virtual days of device, hub and service",
    tenths((await thirtyDays()) / 1000),
    "s",
    30,
  );
}

async function throughput() {
  const bench = join(root, "build/bench/throughput.js");
  const measured = { throughApp: [], throughBareClient: [] };
  // In turn, so that a slower minute of the machine hits both.
  for (let round = 0; round < 3; round++) {
    for (const name of Object.keys(measured)) {
      const state = join(work, `${name}-${round}`);
      const code = `import(${JSON.stringify(bench)}).then(async (m) => console.log(await m.${name}(${JSON.stringify(state)})))`;
      measured[name].push(Number(await run(["-e", code])));
    }
  }
  const app = median(measured.throughApp);
  const bare = median(measured.throughBareClient);
  record("telemetry acknowledged through the app", app, "1/s", 0, false);
  record("telemetry acknowledged, bare mqtt client", bare, "1/s", 0, false);
  record("share of the bare client", Math.round((100 * app) / bare), "%", 80, false);
}

function run(args) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("close", (code) => (code === 0 ? resolve(text) : reject(new Error(`exit ${code}`))));
  });
}

function childOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0];
}

function peakMemory(pid) {
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(kilobytes) / 1024);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 2)]);
}

function print() {
  const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`;
  console.log(`\n${machine}\n`);
  for (const { name, value, unit, limit, kept } of results) {
    const promise = limit === 0 ? "" : `${kept ? "kept" : "NOT KEPT"} (${limit})`;
    console.log(`${name.padEnd(44)} ${String(value).padStart(8)} ${unit.padEnd(6)} ${promise}`);
  }
  console.log(`\n${JSON.stringify({ machine, results })}`);
}

function tenths(value) {
  return Math.round(value * 10) / 10;
}
