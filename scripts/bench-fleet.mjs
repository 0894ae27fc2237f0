// Measures updates of a fleet over the air: `npm run bench:fleet [-- --devices N --interruptions N
// --seed N]`. A table for people, then one line of JSON; ends with 1 when something was lost.
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const number = { type: "string" };
const { values } = parseArgs({
  options: { devices: number, interruptions: number, seed: number },
});
const devices = Number(values.devices ?? 100);
const interruptions = Number(values.interruptions ?? 50);
const seed = Number(values.seed ?? Date.now() % 1_000_000);

await import("./build-host.mjs");
await bundle({
  entryPoints: [join(root, "tests/bench/fleet.ts")],
  outdir: join(root, "build/bench"),
  outbase: join(root, "tests/bench"),
});
const { fleetFigures } = await import(join(root, "build/bench/fleet.js"));
const perVersion = Math.max(1, Math.ceil(interruptions / 5));
const figures = await fleetFigures({
  ...{ devices, interruptions, perVersion, seed },
  report: (text) => console.error(text),
});
const { before, after } = figures.tally;
const rows = [
  ["start to telemetry of all", figures.start, "ms", 0],
  ["deployment to telemetry of the new version of all", figures.update, "ms", 60_000],
  ["five more updates with losses of power", figures.interrupted, "ms", 0],
  ["losses before the new version was installed", before, "", 0],
  ["losses after", after, "", 0],
  ["messages that the hub got", figures.messages, "", 0],
  ["peak memory of the process", figures.peakMemory, "MB", 0],
];
const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`;
console.log(`\n${machine}\n${devices} devices, ${interruptions} losses of power, seed ${seed}\n`);
for (const [name, value, unit, limit] of rows) {
  const promise = limit === 0 ? "" : `${value <= limit ? "kept" : "NOT KEPT"} (${limit})`;
  console.log(`${name.padEnd(50)} ${String(value).padStart(8)} ${unit.padEnd(3)} ${promise}`);
}
const lost = figures.gaps.length === 0 ? "nothing" : `\n${figures.gaps.join("\n")}`;
console.log(`${"lost".padEnd(50)} ${lost}`);
console.log(`\n${JSON.stringify({ machine, devices, interruptions, seed, ...figures })}`);
process.exitCode = figures.gaps.length > 0 || figures.update > 60_000 ? 1 : 0;
