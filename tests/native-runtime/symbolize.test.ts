// deadline: 200 s
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { NativeProgram } from "../../host-sim/device/app.ts";
import { parseAddr2line } from "../../host-sim/device/native/frames-line.ts";
import { buildOf } from "../../host-sim/device/places.ts";
import { readBuilds, symbolize } from "../../host-sim/lab/symbolize.ts";
import { nameFrames } from "../../host-sim/lab/symbolize-frames.ts";
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
const arm = await buildApp({
  ...{ folder: buildFolder("symbolize-arm"), manifest: manifest([]) },
  ...{ name: "faults", app, preset: "arm-lab" },
});
const SOURCE = "tests/fixtures/assembly/faults.ts";
const sourceLines = readFileSync(join(packageFolder(), SOURCE), "utf8").split("\n");
/** The line of the fixture with this text. */
const lineWith = (text: string) =>
  `${SOURCE}:${sourceLines.findIndex((line) => line.includes(text)) + 1}`;
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

test("a frame of code that no line has made is named without a place", () => {
  const text = ["w3_main_run", "./(?):4", "w2_main_go", "./assembly/app/main.ts:7", "main", "??:0"];
  assert.equal(parseAddr2line(text.join("\n")), [
    { name: "main_run", place: undefined },
    { name: "main_go", place: "assembly/app/main.ts:7" },
  ]);
});

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

/** What the program writes of its end, put into a log as a device may have it. */
function endOf(program: NativeProgram, fault: string): string {
  const own = { LD_LIBRARY_PATH: program.libraries };
  const [command = program.file, ...args] = program.emulator?.(program.file, own) ?? [program.file];
  const { stderr } = spawnSync(command, [...args, fault], { env: own, encoding: "utf8" });
  return stderr;
}

for (const [machine, program] of [
  ["native", native],
  ["arm", arm],
] as const) {
  test(`the way to a stop gets its functions and lines, machine ${machine}`, async () => {
    const bin = join(folder, "build/native", machine, "bin");
    mkdirSync(bin, { recursive: true });
    cpSync(program.file, join(bin, "app"));
    const file = join(folder, `${machine}.log`);
    writeFileSync(file, endOf(program, "memory"));
    const { code, stdout, stderr } = await spherule(folder, "symbolize", file);
    assert.is(code, 0, stderr);
    const frames = stdout.split("\n").filter((line) => line.startsWith("  in "));
    const places = frames.map((line) => /\((.*):\d+\)$/.exec(line)?.[1]);
    assert.equal(places.slice(0, 4), Array(4).fill("~lib/rt/tlsf.ts").with(3, "~lib/rt/tcms.ts"));
    const own = lineWith("weight: StaticArray<u8> = new");
    const next = lineWith("const node = new Node()");
    const [constructing, filling] = frames.filter((line) => line.includes("faults.ts"));
    assert.match(constructing ?? "", `faults_Node_constructor (${own})`);
    assert.match(filling ?? "", `faults_fill (${next})`);
  });
}

test("frames of a program that is not here, or has no symbols, say so", async () => {
  const line = "[frames] arm 0123456789abcdef 1a2 1b3";
  assert.is(
    await nameFrames(line, []),
    `${line} (build/native has no arm program of build 0123456789abcdef)`,
  );
  const file = join(folder, "stripped");
  execFileSync("strip", ["-o", file, native.file]);
  const build = buildOf(app.wasm);
  const own = `[frames] native ${build} 10`;
  assert.is(
    await nameFrames(own, [{ file, machine: "native", build }]),
    `${own} (${file} has no symbols for it)`,
  );
  assert.is(
    await nameFrames(`${own}`, [{ file: "/none", machine: "native", build }]),
    `${own} (/none has no symbols for it)`,
  );
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
