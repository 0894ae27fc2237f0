// Many devices for some minutes: `npm run soak:hub -- --minutes 10 --devices 1000`. What the hub
// acknowledged has to be there in the end, after its process was killed, and in order.
import { fork } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.mjs";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    devices: { type: "string", default: "1000" },
  },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const output = join(root, "build/soak-hub");
const work = mkdtempSync(join(tmpdir(), "spherule-soak-hub-"));
let child;
try {
  await bundle({
    entryPoints: ["soak-process", "server"].map((name) => join(root, `tests/bench/hub/${name}.ts`)),
    outdir: output,
  });
  const { prepareSoak, runSoak } = await import(join(output, "soak-process.js"));
  const prepared = prepareSoak(Number(values.devices));
  const file = join(work, "credentials.json");
  writeFileSync(file, JSON.stringify(prepared.credentials), { mode: 0o600 });
  const store = join(work, "store");
  child = fork(join(root, "scripts/bench-hub-child.mjs"), ["hub", output, store, file]);
  const counts = await runSoak(child, store, prepared, Number(values.minutes) * 60_000);
  for (const [name, value] of Object.entries(counts)) {
    if (name !== "problems") console.log(`${name.padEnd(24)} ${String(value).padStart(9)}`);
  }
  for (const problem of counts.problems.slice(0, 20)) console.log(problem);
  console.log(`${counts.problems.length} problems`);
  console.log(`\n${JSON.stringify({ ...values, ...counts })}`);
  process.exitCode = counts.problems.length > 0 ? 1 : 0;
} finally {
  child?.kill("SIGKILL");
  rmSync(work, { recursive: true, force: true });
}
