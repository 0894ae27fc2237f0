// deadline: 300 s
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  buildIdOf,
  createTrustStore,
  inspectImage,
  isArmProgram,
} from "../../host-sim/imagepackage/index.ts";
import { packagedPrograms } from "../../host-sim/lab/programs.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { newProject, spherule } from "../cli/support.ts";
import { manifest, startDevice } from "../device/support.ts";

const test = suite("the presets for Microsoft's SDK, with a stand-in of it");
const root = packageFolder();
const { folder: project, remove } = newProject();
const work = mkdtempSync(join(tmpdir(), "spherule-sdk-"));
const sdk = join(work, "sdk");
test.after(() => {
  remove();
  rmSync(work, { recursive: true, force: true });
});

const NOBODY = createTrustStore([]);

interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** Runs a program with the stand-in installed. */
function withSdk(cwd: string, command: string, ...args: string[]): Promise<Outcome> {
  const { SPHERULE_API: _api, ...own } = process.env;
  const env = {
    ...own,
    PATH: [join(sdk, "Tools"), own.PATH].join(delimiter),
    AzureSphereDefaultSDKDir: sdk,
    SPHERULE: join(root, "bin/spherule.mjs"),
    SPHERULE_STATE: join(project, ".spherule"),
  };
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env, maxBuffer: 2 ** 24 }, (error, stdout, stderr) =>
      resolve({ code: error ? 1 : 0, output: `${stdout}${stderr}` }),
    );
  });
}
const cmake = (...args: string[]) => withSdk(root, "cmake", ...args);

/** Runs a program with the lab's libraries under qemu-arm. */
const run = await packagedPrograms(project);

/** Headers and libraries of our own, where the SDK has Microsoft's. */
function makeSdk(): void {
  cpSync(join(root, "tests/fixtures/sphere-sdk"), sdk, { recursive: true });
  chmodSync(join(sdk, "Tools/azsphere"), 0o755);
  const usr = join(sdk, "Sysroots/14/usr");
  cpSync(join(root, "native/virtual-os/include"), join(usr, "include"), { recursive: true });
  const { libraries } = run(Buffer.from(""));
  for (const name of ["libapplibs.so", "libazureiot.so"]) {
    cpSync(join(libraries, name), join(usr, "lib", name), { dereference: true });
  }
}
makeSdk();

/** A new project, which takes everything from the package `spherule`. */
async function newApp(): Promise<string> {
  const { code, stderr } = await spherule(work, "init", "my-app");
  assert.is(code, 0, stderr);
  const folder = join(work, "my-app");
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/spherule"));
  return folder;
}

const callsOf = (out: string) =>
  readFileSync(join(out, "azsphere-calls.txt"), "utf8").trim().split("\n");
const calls = (boards: string) => [
  `azsphere_target_hardware_definition spherule_app TARGET_DIRECTORY ${boards} TARGET_DEFINITION mt3620_rdb.json`,
  "azsphere_target_add_image_package spherule_app",
];

/** What has come out: manifest and program of the package. */
function packageIn(out: string) {
  const { findings, image } = inspectImage(
    readFileSync(join(out, "spherule_app.imagepackage")),
    NOBODY,
  );
  assert.equal(findings, []);
  assert.is(image.apiSet, 14);
  assert.equal(
    image.files.map(({ path }) => path),
    ["app_manifest.json", "bin/app"],
  );
  const [manifestText = "", program = Buffer.alloc(0)] = image.files.map(({ content }) =>
    Buffer.from(content),
  );
  assert.ok(isArmProgram(program));
  const file = join(work, "program");
  writeFileSync(file, program);
  const text = execFileSync("arm-linux-gnueabihf-readelf", ["-d", file], { encoding: "utf8" });
  const needed = [...text.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1]);
  assert.equal(needed.sort(), ["libapplibs.so.0", "libazureiot.so.1", "libc.so"]);
  return { manifest: JSON.parse(manifestText.toString()), program };
}

test("ARM-Debug builds the thermometer without a warning, packs it, and then has nothing to do", async () => {
  const out = join(work, "ARM-Debug");
  const configured = await cmake(
    ...["--preset", "ARM-Debug", "-B", out, `-DSPHERULE_PROJECT=${project}`],
  );
  assert.is(configured.code, 0, configured.output);
  const built = await cmake("--build", out);
  assert.is(built.code, 0, built.output);
  assert.not.match(built.output, /warning:/);
  assert.match((await cmake("--build", out)).output, "ninja: no work to do.");
  assert.equal(callsOf(out), calls(`${root}/hardware-definitions`));
  assert.equal(packageIn(out).manifest.Capabilities.Gpio, [12, 13, 8]);
});

test("ARM-Release builds a new project by `package --sdk`, and its program runs in the body arm", async () => {
  const app = await newApp();
  const out = join(app, "out/ARM-Release");
  const packing = ["package", "--sdk", "--project", app];
  const packed = await withSdk(app, process.execPath, join(root, "bin/spherule.mjs"), ...packing);
  assert.is(packed.code, 0, packed.output);
  assert.not.match(packed.output, /warning:/);
  assert.equal(callsOf(out), calls(`${app}/node_modules/spherule/hardware-definitions`));
  const { manifest: own, program } = packageIn(out);
  assert.is(own.Name, "my-app");
  assert.equal(own.Capabilities.Gpio, [8]);
  const wasm = readFileSync(join(out, "generated/app.wasm"));
  assert.is(buildIdOf(program), createHash("sha256").update(wasm).digest("hex"));
  const device = await startDevice({ withHub: true });
  await device.os.install({ manifest: manifest(), wasm, native: run(program) });
  await device.until(() => device.telemetry().length > 0);
  await device.os.stopApp();
  assert.is(device.os.status().lastExitCode, 0);
  await device.stop();
});

const HARDWARE = `TARGET_DIRECTORY "${root}/hardware-definitions" TARGET_DEFINITION`;
for (const [lines, complaint] of [
  [`azsphere_target_hardware_definition(small ${HARDWARE} "none.json")`, /none\.json/],
  ["azsphere_target_hardware_definition(small TARGET_DEFINITION x.json)", /TARGET_DIRECTORY DIR/],
  ["azsphere_target_hardware_definitions(small)", /Unknown CMake command/],
  ["azsphere_target_add_image_package(small RESOURCES a)", /does not know RESOURCES/],
  ["azsphere_target_add_image_package(other)", /other is no target/],
  ['azsphere_configure_api(TARGET_API_SET "12")', /not the selected API set, 14/],
  ["azsphere_configure_tools(REVISION 22.02)", /needs TOOLS_REVISION/],
] as const) {
  test(`the stand-in does not let pass: ${lines}`, async () => {
    const folder = mkdtempSync(join(work, "small-"));
    writeFileSync(join(folder, "main.c"), "int main(void) { return 0; }\n");
    writeFileSync(
      join(folder, "CMakeLists.txt"),
      `cmake_minimum_required(VERSION 3.20)\nproject(small C)\nadd_executable(small main.c)\n${lines}\n`,
    );
    const toolchain = join(sdk, "CMakeFiles/AzureSphereToolchain.cmake");
    const { code, output } = await cmake(
      ...["-S", folder, "-B", join(folder, "out"), "-G", "Ninja"],
      ...[`-DCMAKE_TOOLCHAIN_FILE=${toolchain}`, "-DAZURE_SPHERE_TARGET_API_SET=latest-lts"],
    );
    assert.is(code, 1, output);
    assert.match(output, complaint);
  });
}

test("each preset to configure has one of that name to build", async () => {
  const { output } = await cmake("--list-presets=build", root);
  for (const name of ["ARM-Debug", "ARM-Release", "linux-debug", "linux-release", "arm-lab"]) {
    assert.match(output, `"${name}"`);
  }
});

test.run();
