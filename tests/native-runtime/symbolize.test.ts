// deadline: 200 s
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildOf } from "../../host-sim/device/places.ts";
import { readBuilds, symbolize } from "../../host-sim/lab/symbolize.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { compileFixture } from "../assembly/support.ts";
import { spherule } from "../cli/support.ts";
import { manifest, startDevice } from "../device/support.ts";
import { buildApp, buildFolder } from "./support.ts";

const test = suite("spherule symbolize");
const folder = mkdtempSync(join(tmpdir(), "spherule-symbolize-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const app = await compileFixture("faults");
const other = await compileFixture("errno");
const options = { folder: buildFolder("symbolize"), manifest: manifest([]) };
const native = await buildApp({ ...options, name: "faults", app, preset: "linux-release" });
for (const [target, { wasm, sourceMap }] of [
  ["debug", app],
  ["release", other],
] as const) {
  const built = join(folder, "build/app", target);
  mkdirSync(built, { recursive: true });
  writeFileSync(join(built, "app.wasm"), wasm);
  writeFileSync(join(built, "app.wasm.map"), sourceMap);
}
const builds = readBuilds(folder);

/** The log of an app that ends by a division, from a device that has a source map or none. */
async function logOf(body: "wasm" | "native", sourceMap?: string): Promise<string> {
  const device = await startDevice();
  await device.os.install({
    ...{ manifest: manifest(["divide"]), wasm: app.wasm, sourceMap },
    ...(body === "native" ? { native } : {}),
  });
  await device.until(() => device.os.status().lastExitCode !== null);
  await device.stop();
  const lines = device.log();
  return lines
    .slice(lines.findIndex((line) => line.startsWith("the app ended")))
    .filter((line) => /^(the app ended| {2}in )/.test(line))
    .join("\n");
}

for (const body of ["wasm", "native"] as const) {
  test(`the report of a package without a map, in the body ${body}, becomes the one with it`, async () => {
    const without = await logOf(body);
    const id = buildOf(app.wasm);
    assert.match(without, new RegExp(`division by zero at app.wasm:0x[0-9a-f]+ of build ${id}`));
    const place = symbolize(without, builds);
    assert.match(place, /division by zero at tests\/fixtures\/assembly\/faults\.ts:\d+:\d+/);
    assert.is(place, await logOf(body, app.sourceMap));
  });
}

/** What the program itself writes when no operating system listens. */
function trapLine(): string {
  const env = { LD_LIBRARY_PATH: native.libraries };
  const command = `"${native.file}" divide 2>&1; true`;
  const text = execFileSync("sh", ["-c", command], { env, encoding: "utf8" });
  return text.split("\n").find((line) => line.includes("[trap]")) ?? "";
}

test("the line of a trap gets its place, from a file and from standard input", async () => {
  const line = trapLine();
  assert.match(line, /^\[trap\] 68 \d+ [0-9a-f]{16}/);
  const log = `12:00:00 app ${line}\nother line\n`;
  const file = join(folder, "device.log");
  writeFileSync(file, log);
  const { code, stdout, stderr } = await spherule(folder, "symbolize", file);
  assert.is(code, 0, stderr);
  const place = /at (\S+faults\.ts:\d+:\d+)\)/.exec(stdout)?.[1] ?? "";
  assert.is(
    stdout,
    `12:00:00 app ${line} (trap: integer division by zero at ${place})\nother line\n`,
  );
  const program = [join(packageFolder(), "bin/spherule.mjs"), "symbolize", "--project", folder];
  assert.is(execFileSync(process.execPath, program, { input: log, encoding: "utf8" }), stdout);
  assert.match(await logOf("native", app.sourceMap), place);
});

test("a line of another build says so, and names the builds that are here", () => {
  const line = `[trap] 68 100 ${"0123456789abcdef"}`;
  const [debug, release] = [buildOf(app.wasm), buildOf(other.wasm)];
  const here = `here are debug ${debug}, release ${release}`;
  const unknown = `an unknown place: it is of build 0123456789abcdef, and ${here}`;
  assert.is(symbolize(line, builds), `${line} (trap: integer division by zero at ${unknown})`);
  const report = "at app.wasm:0x64 of build 0123456789abcdef";
  assert.is(symbolize(report, builds), `${report} (${unknown})`);
});

test("an offset that no line has made is said to have no place", () => {
  const line = `[trap] 64 0 ${buildOf(app.wasm)}`;
  assert.match(symbolize(line, builds), "no place of the sources");
});

test("any other text stays as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      assert.is(symbolize(text, builds), text);
      const trap = `[trap] 64 7 0123456789abcdef`;
      const marked = symbolize(`${text}${trap}${text}`, builds);
      assert.ok(marked.startsWith(`${text}${trap} (`) && marked.endsWith(`)${text}`));
    }),
  );
});

test("a project that was not built, and a map that is none, are refused", async () => {
  const empty = mkdtempSync(join(folder, "empty-"));
  const { code, stderr } = await spherule(empty, "symbolize", join(folder, "device.log"));
  assert.is(code, 1);
  assert.match(stderr, "symbols-missing");
  const built = join(empty, "build/app/debug");
  mkdirSync(built, { recursive: true });
  writeFileSync(join(built, "app.wasm"), app.wasm);
  writeFileSync(join(built, "app.wasm.map"), "no json");
  const damaged = await spherule(empty, "symbolize", join(folder, "device.log"));
  assert.match(damaged.stderr, "source-map-invalid");
});

test.run();
