// deadline: 300 s
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  buildIdOf,
  createTrustStore,
  inspectImage,
  isArmProgram,
} from "../../host-sim/imagepackage/index.ts";
import { packagedPrograms } from "../../host-sim/lab/native-build.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { newProject } from "../cli/support.ts";
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

function cmake(...args: string[]): Promise<Outcome> {
  const env = {
    ...process.env,
    AzureSphereDefaultSDKDir: sdk,
    SPHERULE: join(root, "bin/spherule.mjs"),
    SPHERULE_STATE: join(project, ".spherule"),
  };
  return new Promise((resolve) => {
    execFile("cmake", args, { cwd: root, env, maxBuffer: 2 ** 24 }, (error, stdout, stderr) =>
      resolve({ code: error ? 1 : 0, output: `${stdout}${stderr}` }),
    );
  });
}

/** Runs a program with the lab's libraries under qemu-arm. */
const run = await packagedPrograms(project);

/** Headers and libraries of our own, where the SDK has Microsoft's. */
function makeSdk(): void {
  cpSync(join(root, "tests/fixtures/sphere-sdk"), sdk, { recursive: true });
  const usr = join(sdk, "Sysroots/14/usr");
  cpSync(join(root, "native/virtual-os/include"), join(usr, "include"), { recursive: true });
  const { libraries } = run(Buffer.from(""));
  for (const name of ["libapplibs.so", "libazureiot.so"]) {
    cpSync(join(libraries, name), join(usr, "lib", name), { dereference: true });
  }
}
makeSdk();

const packageOf = (preset: string) => join(work, preset, "spherule_app.imagepackage");

for (const preset of ["ARM-Debug", "ARM-Release"]) {
  test(`${preset} configures, builds without a warning and packs`, async () => {
    const folder = join(work, preset);
    const configured = await cmake(
      ...["--preset", preset, "-B", folder, `-DSPHERULE_PROJECT=${project}`],
    );
    assert.is(configured.code, 0, configured.output);
    const built = await cmake("--build", folder);
    assert.is(built.code, 0, built.output);
    assert.not.match(built.output, /warning:/);
    assert.match((await cmake("--build", folder)).output, "ninja: no work to do.");
    assert.equal(readFileSync(join(folder, "azsphere-calls.txt"), "utf8").trim().split("\n"), [
      `azsphere_target_hardware_definition spherule_app TARGET_DIRECTORY ${root}/hardware-definitions TARGET_DEFINITION mt3620_rdb.json`,
      "azsphere_target_add_image_package spherule_app",
    ]);
  });

  test(`${preset}'s package has the manifest with numbers, and a program for the device`, () => {
    const { findings, image } = inspectImage(readFileSync(packageOf(preset)), NOBODY);
    assert.equal(findings, []);
    assert.is(image.apiSet, 14);
    assert.equal(
      image.files.map(({ path }) => path),
      ["app_manifest.json", "bin/app"],
    );
    const [manifest = "", program = Buffer.alloc(0)] = image.files.map(({ content }) =>
      Buffer.from(content),
    );
    assert.equal(JSON.parse(manifest.toString()).Capabilities.Gpio, [12, 13, 8]);
    assert.ok(isArmProgram(program));
    const file = join(work, "program");
    writeFileSync(file, program);
    const text = execFileSync("arm-linux-gnueabihf-readelf", ["-d", file], { encoding: "utf8" });
    const needed = [...text.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1]);
    assert.equal(needed.sort(), ["libapplibs.so.0", "libazureiot.so.1", "libc.so"]);
  });
}

test("ARM-Release's program connects and sends in the body arm", async () => {
  const { image } = inspectImage(readFileSync(packageOf("ARM-Release")), NOBODY);
  const program = image.files.find(({ path }) => path === "bin/app")?.content ?? Buffer.alloc(0);
  const wasm = readFileSync(join(work, "ARM-Release/generated/app.wasm"));
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
