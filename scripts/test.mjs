// Runs the tests: `node scripts/test.mjs [WORD…]` takes only the files whose path has one of the
// words. Each file is a process of its own with a deadline; the last line is `N passed, N failed`.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";
import { ensureSystemPackages } from "./system-packages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const PARALLEL = 2;
const DEADLINE_SECONDS = 120;
/** A file that has reported must end by itself within this time; what holds it is named. */
const GRACE_MS = 5_000;

const words = process.argv.slice(2);
const files = (await findTests(join(root, "tests"))).filter(
  (file) => words.length === 0 || words.some((word) => relative(root, file).includes(word)),
);
if (files.length === 0) {
  console.log(`No test file has ${words.join(" or ")} in its path. Look under tests/.`);
  console.log("0 passed, 1 failed");
  process.exit(1);
}

const missing = words.length === 0 ? ensureSystemPackages() : undefined;
if (missing) {
  console.log(missing);
  console.log("0 passed, 1 failed");
  process.exit(1);
}
const output = join(root, process.env.SPHERULE_TEST_OUTPUT ?? "build/tests");
await rm(output, { recursive: true, force: true });
const rootMaker = join(root, "tests/make-root.ts");
await bundle({ entryPoints: [...files, rootMaker], outdir: output, outbase: join(root, "tests") });
await import("./build-host.mjs");
const rootFiles = await makeRoot();

let passed = 0;
let failed = 0;
const queue = [...files];
await Promise.all(Array.from({ length: PARALLEL }, work));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

async function findTests(folder) {
  const entries = await readdir(folder, { recursive: true });
  return entries
    .filter((entry) => entry.endsWith(".test.ts"))
    .map((entry) => join(folder, entry))
    .sort();
}

/** Node reads extra roots when it starts: the root of the tests' servers is made before. */
async function makeRoot() {
  const { makeRoot: make } = await import(join(output, "make-root.js"));
  return make(output);
}

async function work() {
  for (let file = queue.shift(); file; file = queue.shift()) {
    const started = Date.now();
    const result = await runFile(file);
    passed += result.passed;
    failed += result.failed;
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    const mark = result.failed > 0 ? "FAIL" : "ok  ";
    console.log(`${mark} ${relative(root, file)}  ${result.passed} in ${seconds} s`);
    if (result.failed > 0) console.log(indent(result.text));
  }
}

function runFile(file) {
  const script = join(output, relative(join(root, "tests"), file).replace(/\.ts$/, ".js"));
  const child = spawn(
    process.execPath,
    ["--enable-source-maps", "--import", join(root, "scripts/test-preload.mjs"), script],
    { cwd: root, env: { ...process.env, ...rootFiles, NO_COLOR: "1", FORCE_COLOR: "0" } },
  );
  return new Promise((resolve) => {
    let text = "";
    let problem = "";
    let grace;
    const give = (reason) => {
      problem = reason;
      child.kill("SIGUSR2");
      setTimeout(() => child.kill("SIGKILL"), 2_000).unref();
    };
    const seconds = deadlineOf(file);
    const deadline = setTimeout(() => give(`not done after ${seconds} s`), seconds * 1000);
    const read = (chunk) => {
      text += chunk;
      if (!grace && /^ {2}Skipped: /m.test(text)) {
        grace = setTimeout(() => give("did not end after its last test"), GRACE_MS);
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("close", (code) => {
      clearTimeout(deadline);
      clearTimeout(grace);
      resolve(judge(text, code, problem));
    });
  });
}

/** uvu prints `Total:` and `Passed:` once a suite; a forgotten `.run()` prints a total of 0. */
function judge(text, code, problem) {
  const sum = (label) =>
    [...text.matchAll(new RegExp(`^ {2}${label}: +(\\d+)`, "gm"))].reduce(
      (total, match) => total + Number(match[1]),
      0,
    );
  const total = sum("Total");
  const good = sum("Passed");
  let bad = total - good;
  if (total === 0) problem ||= "ran no test (is `.run()` missing?)";
  if (bad === 0 && code !== 0) problem ||= `exit code ${code}`;
  if (problem) bad += 1;
  return { passed: good, failed: bad, text: problem ? `${text}\n${problem}` : text };
}

/** A first line `// deadline: 300 s` gives a slow file more time. */
function deadlineOf(file) {
  const match = /^\/\/ deadline: (\d+) s/.exec(readFileSync(file, "utf8"));
  return match ? Number(match[1]) : DEADLINE_SECONDS;
}

function indent(text) {
  return text.replace(/^/gm, "     ");
}
