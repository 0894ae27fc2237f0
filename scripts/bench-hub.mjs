// Measures the local IoT Hub beside Debian's mosquitto, with the same certificates on the same
// machine: `npm run bench:hub`. A table for people, then one line of JSON.
import { fork, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";

/** The first warms the brokers up and does not count. */
const ROUNDS = 6;
/** Percent of mosquitto's messages a second that the hub has to carry. */
const GOAL = 70;
/** The first thousand devices also pay for code and heap that a busy Node takes once. */
const IDLE = [10, 1_010, 2_010];
const root = fileURLToPath(new URL("..", import.meta.url));
const output = join(root, "build/bench-hub");
const runner = join(root, "scripts/bench-hub-child.mjs");
const profile = process.argv.includes("--cpu-prof");
const hubOnly = process.argv.includes("--hub-only");
const results = [];

if (!hubOnly && spawnSync("mosquitto", ["-h"]).error) {
  console.log("mosquitto is missing, which the hub is measured against. Type this and run again:");
  console.log("  sudo apt-get install mosquitto");
  process.exit(1);
}
const work = mkdtempSync(join(tmpdir(), "spherule-bench-hub-"));
const file = join(work, "credentials.json");
const running = [];
try {
  await bundle({
    entryPoints: ["credentials", "server", "load"].map((name) =>
      join(root, `tests/bench/hub/${name}.ts`),
    ),
    outdir: output,
  });
  const { createBenchCredentials } = await import(join(output, "credentials.js"));
  const credentials = createBenchCredentials(Math.max(...IDLE));
  writeFileSync(file, JSON.stringify(credentials), { mode: 0o600 });
  const brokers = { hub: await startHub(join(work, "store")) };
  if (!hubOnly) brokers["hub in memory"] = await startHub("");
  if (!hubOnly) brokers.mosquitto = await startMosquitto(credentials);
  await memory(brokers.hub);
  await throughput(brokers);
  await brokers.hub.stop();
  await brokers["hub in memory"]?.stop();
} finally {
  for (const child of running) child.kill("SIGKILL");
  rmSync(work, { recursive: true, force: true });
}
print();

/** @param limit 0 for a figure without a goal */
function record(name, value, unit, limit, smallerIsBetter = true) {
  const goal = { limit, kept: smallerIsBetter ? value <= limit : value >= limit };
  results.push({ name, value, unit, ...(limit === 0 ? {} : goal) });
}

/** @param store its folder; empty for a store in memory */
async function startHub(store) {
  const options = ["--expose-gc", ...(profile ? ["--cpu-prof", `--cpu-prof-dir=${output}`] : [])];
  const child = fork(runner, ["hub", output, store, file], { execArgv: options });
  running.push(child);
  let id = 0;
  const waiting = new Map();
  const ready = new Promise((resolve) => waiting.set(0, resolve));
  child.on("message", (answer) => waiting.get(answer.id)(answer.result));
  const ask = (what) => {
    id += 1;
    child.send({ id, ask: what });
    return new Promise((resolve) => waiting.set(id, resolve));
  };
  const port = await ready;
  const stop = async () => {
    await ask("stop");
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.disconnect();
    await ended;
  };
  return { port, pid: child.pid, ask, stop };
}

/** As a user would set it up for devices with certificates; no message is kept, nobody subscribes. */
async function startMosquitto({ server, deviceRoot }) {
  const folder = join(work, "mosquitto");
  mkdirSync(folder);
  const port = await freePort();
  writeFileSync(join(folder, "server.crt"), server.cert);
  writeFileSync(join(folder, "server.key"), server.key);
  writeFileSync(join(folder, "devices.crt"), deviceRoot);
  const lines = [
    `listener ${port} 127.0.0.1`,
    `certfile ${join(folder, "server.crt")}`,
    `keyfile ${join(folder, "server.key")}`,
    `cafile ${join(folder, "devices.crt")}`,
    "require_certificate true",
    "use_identity_as_username true",
    "allow_anonymous false",
    "set_tcp_nodelay true",
    "persistence false",
    "log_dest none",
    ...(process.getuid?.() === 0 ? ["user root"] : []),
  ];
  writeFileSync(join(folder, "mosquitto.conf"), `${lines.join("\n")}\n`);
  const child = spawn("mosquitto", ["-c", join(folder, "mosquitto.conf")], { stdio: "inherit" });
  running.push(child);
  await new Promise((resolve) => setTimeout(resolve, 500));
  return { port, pid: child.pid };
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** What a thousand more connected and silent devices cost. */
async function memory(hub) {
  const figures = [];
  for (const count of IDLE) figures.push(await idle(hub, count));
  const [few, some, many] = figures;
  const each = (from, to, what) =>
    tenths((to[what] - from[what]) / (to.connections - from.connections) / 1024);
  record("memory (RSS) of an idle device", each(some, many, "rss"), "KB", 40);
  record("of it on the heap and in buffers", each(some, many, "heap"), "KB", 0);
  record("memory of one of the first thousand", each(few, some, "rss"), "KB", 0);
}

async function idle(hub, count) {
  const child = fork(runner, ["load", output, "holdIdle", file, hub.port, count]);
  running.push(child);
  await new Promise((resolve) => child.once("message", resolve));
  const figures = await hub.ask("memory");
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.disconnect();
  await gone;
  return figures;
}

async function throughput(brokers) {
  const names = Object.keys(brokers);
  const telemetry = await inTurns(names, async (name) => {
    const { port, pid } = brokers[name];
    const before = cpuSeconds(pid);
    const rate = await load("telemetryRate", port);
    return { rate, seconds: cpuSeconds(pid) - before };
  });
  const connects = await inTurns(names, async (name) => {
    return { rate: await load("connectRate", brokers[name].port) };
  });
  for (const name of names) {
    const each = (runs, what) => median(runs[name].map((run) => run[what]));
    record(`telemetry acknowledged by the ${name}`, Math.round(each(telemetry, "rate")), "1/s", 0);
    record(`CPU time for five seconds of it, ${name}`, tenths(each(telemetry, "seconds")), "s", 0);
    record(`connects to the ${name}`, Math.round(each(connects, "rate")), "1/s", 0);
  }
  if (hubOnly) return;
  for (const name of names.filter((each) => each !== "mosquitto")) {
    const goals = name === "hub" ? [GOAL, 100] : [0, 0];
    record(`telemetry: share of mosquitto, ${name}`, share(telemetry, name), "%", goals[0], false);
    record(`connects: share of mosquitto, ${name}`, share(connects, name), "%", goals[1], false);
  }
  const half = (name) => median(telemetry[name].map(({ rate }) => rate)) / 2;
  await acknowledgements(brokers, "half of the goal", (half("mosquitto") * GOAL) / 100);
  await acknowledgements({ hub: brokers.hub }, "half of its own load", half("hub"));
}

async function acknowledgements(brokers, what, rate) {
  const names = Object.keys(brokers);
  const times = await inTurns(names, (name) =>
    load("acknowledgementTimes", brokers[name].port, rate),
  );
  for (const name of names) {
    const each = (share) => tenths(median(times[name].map((run) => run[share])));
    record(`acknowledgement at ${what}, p50, ${name}`, each("p50"), "ms", 0);
    record(`acknowledgement at ${what}, p99, ${name}`, each("p99"), "ms", name === "hub" ? 50 : 0);
  }
}

/** In turn, so that a slower minute of the machine hits all. */
async function inTurns(names, measure) {
  const runs = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const run = await measure(name);
      if (round > 0) runs[name].push(run);
    }
  }
  return runs;
}

/** Percent; of each round by itself, since the machine is not the same in the next. */
function share(runs, name) {
  const rounds = runs[name].map(({ rate }, round) => rate / runs.mosquitto[round].rate);
  return Math.round(100 * median(rounds));
}

/** A process of its own, so that its garbage collector does not stop the broker. */
function load(name, port, ...more) {
  const child = fork(runner, ["load", output, name, file, port, ...more]);
  running.push(child);
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code}`)));
  });
}

/** User and system time that a process took; Linux only. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function tenths(value) {
  return Math.round(10 * value) / 10;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function print() {
  const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`;
  console.log(`\n${machine}\n`);
  for (const { name, value, unit, limit, kept } of results) {
    const promise = limit === undefined ? "" : `${kept ? "kept" : "NOT KEPT"} (${limit})`;
    console.log(`${name.padEnd(52)} ${String(value).padStart(8)} ${unit.padEnd(4)} ${promise}`);
  }
  console.log(`\n${JSON.stringify({ machine, results })}`);
}
