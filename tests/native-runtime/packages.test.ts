// deadline: 300 s
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileApp } from "../../host-sim/compiler/compile.ts";
import { appOf } from "../../host-sim/device/updates/package.ts";
import { LabError } from "../../host-sim/errors.ts";
import {
  buildIdOf,
  createTrustStore,
  inspectImage,
  isArmProgram,
  readHardwareDefinition,
} from "../../host-sim/imagepackage/index.ts";
import { bootableApp } from "../../host-sim/lab/boot-image.ts";
import { createPrograms } from "../../host-sim/lab/programs.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { compileFixture } from "../assembly/support.ts";
import { newProject, spherule } from "../cli/support.ts";
import { manifest } from "../device/support.ts";
import { ONE, packApp, TRUST, TRUSTING, WASM } from "../device-rest/packages.ts";
import { createDevice, refusal, startRest } from "../device-rest/support.ts";
import { buildApp, buildFolder } from "./support.ts";

const test = suite("image packages with an ARM program");
const { folder, remove } = newProject();
test.after(remove);

const packageFile = join(folder, "build/thermometer.imagepackage");
const LARGEST_PACKAGE = 200_000;
const NOBODY = createTrustStore([]);
const hardware = readHardwareDefinition(
  join(packageFolder(), "hardware-definitions/mt3620_rdb.json"),
);
const options = { folder: buildFolder("arm-packages"), manifest: manifest([]) };
const app = await compileFixture("faults");
const built = await buildApp({ ...options, name: "faults", app, preset: "arm-lab" });
const program = readFileSync(built.file);
const thermometer = await compileApp({ projectFolder: packageFolder(), target: "release" });
const files = [
  { path: "app.wasm", content: WASM },
  { path: "bin/app", content: program },
];
const foreign = [
  { path: "app.wasm", content: thermometer.wasm },
  { path: "bin/app", content: program },
];
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const mismatch = `/bin/app was made from build ${digest(WASM).slice(0, 16)} of the app, and app.wasm is build ${digest(thermometer.wasm).slice(0, 16)}`;

async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (error instanceof LabError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

test("package --with-binary puts binary, manifest and wasm of one build into under 200 KB", async () => {
  const { code, stdout, stderr } = await spherule(
    ...[folder, "package", "--with-binary", "--output", "json"],
  );
  assert.is(code, 0, stderr);
  const result = JSON.parse(stdout);
  assert.equal(result.files, ["app.wasm", "app_manifest.json", "bin/app"]);
  assert.match(result.binary, "not for real devices");
  const bytes = readFileSync(packageFile);
  assert.ok(bytes.length < LARGEST_PACKAGE, `${bytes.length} bytes`);
  const { findings, image } = inspectImage(bytes, NOBODY);
  assert.equal(findings, []);
  const [wasm, , binary] = image.files.map(({ content }) => content);
  assert.ok(isArmProgram(binary ?? Buffer.alloc(0)));
  assert.is(buildIdOf(binary ?? Buffer.alloc(0)), digest(wasm ?? Buffer.alloc(0)));
});

for (const [body, shows] of [
  ["arm", /qemu-arm .*lab-arm-lab-libraries\/programs\/[0-9a-f]{64}\/app/],
  ["native", /build\/native\/packages\/[0-9a-f]{64}\/bin\/app/],
] as const) {
  test(`start and exec boot that package in the body ${body}`, async () => {
    const lab = ["exec", "--in-memory", "--verbose", "--body", body];
    const command = ["--image-package", packageFile, "--", "sh", "-c"];
    const script = "spherule telemetry --count 1 --timeout 60; ps -ww -eo args";
    const { code, stdout, stderr } = await spherule(folder, ...lab, ...command, script);
    assert.is(code, 0, stderr);
    assert.match(stdout, /"temperature":/);
    const own = stdout.split("\n").filter((line) => line.includes(folder) && shows.test(line));
    assert.is(own.length, 1, stdout);
    assert.match(stderr, /goodbye[\s\S]*the app ended with exit code 0/);
  });
}

test("a package without a program does not boot in the body arm, and says why", async () => {
  await spherule(folder, "package");
  const lab = ["exec", "--in-memory", "--body", "arm", "--image-package", packageFile];
  const { code, stderr } = await spherule(folder, ...lab, "--", "true");
  assert.is(code, 1);
  assert.match(stderr, /image-has-no-program: .*no ARM program at \/bin\/app\.\n.*--with-binary/);
});

test("packing a program of another build is refused, and so is naming one and building one", async () => {
  const file = join(folder, "other.elf");
  writeFileSync(file, program);
  const { code, stderr } = await spherule(folder, "package", "--binary", file);
  assert.is(code, 1);
  assert.match(stderr, /builds-differ: .*\/bin\/app was made from build /);
  const both = await spherule(folder, "package", "--binary", file, "--with-binary");
  assert.match(both.stderr, /options-conflict/);
});

test("a program of another build is a finding, and no way leads into a device", async () => {
  const bytes = packApp({ files: foreign });
  assert.equal(inspectImage(bytes, NOBODY).findings, [mismatch]);
  assert.equal(inspectImage(packApp({ files }), NOBODY).findings, []);
  const file = join(folder, "foreign.imagepackage");
  writeFileSync(file, bytes);
  const expected = `builds-differ: Program and wasm do not belong together: ${mismatch}.`;
  assert.is(await codeOf(() => appOf(bytes)), expected);
  assert.is(await codeOf(() => bootableApp(file, hardware, TRUST.development())), expected);
  const device = await startRest(TRUSTING);
  device.system.manufacturing.setCapabilities([11]);
  assert.is((await device.call("PUT", "/update/stage", bytes)).status, 200);
  const answer = await device.call("POST", "/update/install", {});
  assert.equal(refusal(answer), [400, 7_340_056]);
  assert.equal(device.os.applications.list(), []);
  assert.ok(device.lines.some(({ text }) => text.endsWith(`${mismatch}.`)));
  await device.stop();
});

test("a program that does not say what it was made from is let be", () => {
  for (const text of [
    "",
    "spherule-wasm:",
    "spherule-wasm:0123",
    `spherule-wasm:${"g".repeat(64)}`,
  ]) {
    assert.is(buildIdOf(Buffer.from(text)), undefined);
  }
  const id = digest(Buffer.from("x"));
  assert.is(buildIdOf(Buffer.from(`spherule-wasm: spherule-wasm:${id}\0`)), id);
});

/** Installs a package of the fixture, waits for its first line, and tells how much memory it has. */
async function installed(runsPrograms: boolean, withWasm: boolean) {
  const programs = await createPrograms(runsPrograms ? "arm" : "wasm", folder);
  const device = createDevice({ ...TRUSTING, packagedProgram: programs?.of });
  device.os.start();
  device.system.manufacturing.setCapabilities([11]);
  device.os.images.stage(packApp({ files: withWasm ? files : files.slice(1), fault: "exit" }));
  await device.os.images.install(true);
  const status = () => device.os.applications.runner(ONE)?.status();
  for (let turn = 0; turn < 2_000 && status()?.lastExitCode === null; turn++) {
    device.clock.advance(10);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const code = status()?.lastExitCode;
  const lines = device.lines.map(({ text }) => text);
  await device.os.stop();
  return { code, lines };
}

test("an installed program runs where programs run, with or without its wasm", async () => {
  for (const withWasm of [true, false]) {
    const { code, lines } = await installed(true, withWasm);
    assert.is(code, 5);
    assert.ok(lines.includes("fault exit"));
  }
});

test("elsewhere its wasm runs, and without one nothing does", async () => {
  assert.is((await installed(false, true)).code, 5);
  const { code, lines } = await installed(false, false);
  assert.is(code, null);
  assert.match(lines.join("\n"), "ARM code runs with --body arm only");
});

test.run();
