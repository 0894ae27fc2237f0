// deadline: 240 s
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readFrame } from "../../host-sim/imagepackage/frame.ts";
import { readImage, signImage, toCloudForm } from "../../host-sim/imagepackage/index.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { newKey, pattern } from "../imagepackage/support.ts";
import { finished, launch, newProject, spherule, startProcess } from "./support.ts";

const test = suite("spherule package and image-package");
const { folder, remove } = newProject();
test.after(remove);

/** Runs spherule with variables of the environment set. */
async function withEnvironment(set: Record<string, string>, ...args: string[]) {
  const before = { ...process.env };
  Object.assign(process.env, set);
  try {
    return await finished(launch(folder, args));
  } finally {
    process.env = before;
  }
}

const packed = join(folder, "build/thermometer.imagepackage");
const bytesOf = (file: string) => readFileSync(file);

test("package builds, packs and says that real devices refuse it", async () => {
  const { code, stdout, stderr } = await spherule(folder, "package", "--output", "json");
  assert.is(code, 0, stderr);
  const result = JSON.parse(stdout);
  assert.is(result.file, "build/thermometer.imagepackage");
  assert.equal(result.files, ["app.wasm", "app_manifest.json"]);
  assert.match(result.signedBy, /^lab key [0-9a-f]{40}, not accepted by real devices$/);
  assert.ok(existsSync(join(folder, ".spherule/signing/development.pem")));
  const image = readImage(bytesOf(packed));
  assert.is(image.apiSet, 16);
  const manifest = JSON.parse(Buffer.from(image.files[1]?.content ?? []).toString());
  assert.equal(manifest.Capabilities.Gpio, [12, 13, 8]);
});

test("the same input gives the same bytes up to the signature, with resources and a binary", async () => {
  mkdirSync(join(folder, "assets"), { recursive: true });
  writeFileSync(join(folder, "assets/page.html"), "<p>hi</p>");
  writeFileSync(join(folder, "app.elf"), pattern(5000));
  const options = ["--resource", "assets/page.html", "--binary", "app.elf", "-s", "13"];
  const images: Buffer[] = [];
  for (let round = 0; round < 2; round++) {
    const environment = { SOURCE_DATE_EPOCH: "1700000000" };
    const { code, stderr } = await withEnvironment(environment, "package", ...options);
    assert.is(code, 0, stderr);
    images.push(bytesOf(packed));
  }
  const [first, second] = images.map((bytes) => Buffer.from(readFrame(bytes).signed));
  assert.ok(first?.equals(second ?? Buffer.alloc(0)));
  const { files, buildTime, apiSet } = readImage(images[0] ?? Buffer.alloc(0));
  assert.equal(
    files.map(({ path, executable }) => `${path}${executable ? "*" : ""}`),
    ["app.wasm", "app_manifest.json", "assets/page.html", "bin/app*"],
  );
  assert.equal([buildTime, apiSet], [1_700_000_000, 13]);
});

for (const [what, code, args] of [
  ["a package of nothing", "entry-point-missing", ["--no-embed-wasm"]],
  ["a resource outside", "resource-outside", ["--resource", "../secret"]],
  ["a resource that is missing", "file-unreadable", ["--resource", "none"]],
  ["no SDK", "sdk-missing", ["--sdk"]],
] as const) {
  test(`${what} is refused: ${code}`, async () => {
    const result = await withEnvironment({ PATH: "/nowhere" }, "package", ...args);
    assert.is(result.code, 1);
    assert.match(result.stderr, `error ${code}: `);
  });
}

test("a wrong SOURCE_DATE_EPOCH is refused", async () => {
  const { stderr } = await withEnvironment({ SOURCE_DATE_EPOCH: "now" }, "package");
  assert.match(stderr, "error source-date-invalid");
});

test("--sdk hands the project over to cmake, and passes its failure on", async () => {
  const bin = join(folder, "fake-bin");
  mkdirSync(bin);
  const script = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  script("azsphere", "exit 0");
  script(
    "cmake",
    'echo "cmake $*" >&2; mkdir -p out/ARM-Release; : > out/ARM-Release/a.imagepackage',
  );
  writeFileSync(join(folder, "CMakePresets.json"), "{}");
  const path = { PATH: [bin, process.env.PATH].join(delimiter) };
  const good = await withEnvironment(path, "package", "--sdk", "--output", "json");
  assert.is(good.code, 0, good.stderr);
  assert.match(good.stderr, "cmake --preset ARM-Release\ncmake --build --preset ARM-Release\n");
  assert.is(JSON.parse(good.stdout).file, "out/ARM-Release/a.imagepackage");
  script("cmake", "exit 3");
  const bad = await withEnvironment(path, "package", "--sdk");
  assert.is(bad.code, 1);
  assert.match(bad.stderr, "error sdk-failed: cmake --preset ARM-Release ended with code 3");
});

const approot = join(folder, "approot");
mkdirSync(join(approot, "bin"), { recursive: true });
writeFileSync(join(approot, "bin/app"), pattern(5000));
writeFileSync(join(approot, "bin/tool"), pattern(10));
const source = JSON.parse(readFileSync(join(folder, "app_manifest.json"), "utf8"));
writeFileSync(join(approot, "app_manifest.json"), JSON.stringify(source));

/** Packs the folder in one of the spellings; answers what came out. */
async function packFolder(out: string, ...args: string[]) {
  const result = await spherule(folder, "image-package", "pack-application", ...args);
  return { ...result, file: join(folder, out) };
}

for (const [generation, args] of [
  [
    "classic",
    ["-i", "approot", "-o", "a.imagepackage", "-s", "16", "-h", "BOARD", "-x", "./bin/tool"],
  ],
  [
    "v2",
    [
      ...["--package-directory", "approot", "--destination", "a.imagepackage", "--target-api-set"],
      ...["16", "--hardware-definitions", "none,BOARDS/", "--target-definition-filename"],
      ...["mt3620_rdb.json", "--executables", "bin/tool"],
      ...["--application-manifest", "approot/app_manifest.json"],
    ],
  ],
  [
    "az",
    [
      ...["--package-directory", "approot", "-of", "a.imagepackage", "--hardware-definitions"],
      ...["BOARD", "--executables", "bin/tool", "--target-api-set", "16"],
    ],
  ],
] as const) {
  test(`pack-application in the spelling of ${generation}`, async () => {
    const boards = join(packageFolder(), "hardware-definitions");
    const given = args.map((arg) =>
      arg.replace("BOARDS/", `${boards}/`).replace(/^BOARD$/, join(boards, "mt3620_rdb.json")),
    );
    const { code, stdout, stderr, file } = await packFolder("a.imagepackage", ...given);
    assert.is(code, 0, stderr);
    assert.match(stdout, "Packaging completed successfully.\nOutput file is at: ");
    assert.match(stdout, "real devices do not accept");
    const image = readImage(bytesOf(file));
    assert.is(image.apiSet, 16);
    assert.equal(
      image.files.filter(({ executable }) => executable).map(({ path }) => path),
      ["bin/app", "bin/tool"],
    );
  });
}

test("pack-application tells each step with -v, and JSON when asked", async () => {
  const board = ["--target-definition-filename", "mt3620_rdb.json", "-s", "16"];
  const args = ["--package-directory", "approot", "--output-file", "b.imagepackage", ...board];
  const verbose = await packFolder("b.imagepackage", ...args, "-v");
  assert.is(verbose.code, 0, verbose.stderr);
  const shape = verbose.stdout.replace(/[0-9a-f]{40}/, "HEX").replace(/[0-9a-f-]{36}/g, "GUID");
  assert.match(
    shape,
    `verbose: Wrote metadata:
verbose:   Section: Identity
verbose:     Image Type:           Applications
verbose:     Component ID:         GUID
verbose:     Image ID:             GUID
verbose:   Section: Signature
verbose:     Signing Type:         ECDsa256
verbose:     Cert:                 HEX
`,
  );
  const json = await packFolder("b.imagepackage", ...args, "-o", "json");
  assert.is(JSON.parse(json.stdout).name, "thermometer");
});

for (const [what, code, args] of [
  ["no folder", "option-missing", ["--output-file", "c"]],
  ["no output", "option-missing", ["-i", "approot"]],
  ["a folder that is not there", "folder-missing", ["-i", "none", "-o", "c"]],
  ["a bad API set", "target-api-set-invalid", ["-i", "approot", "-o", "c", "-s", "new"]],
  ["names without a board", "peripheral-unknown", ["-i", "approot", "-o", "c", "-s", "16"]],
  [
    "a board that is not there",
    "hardware-definition-invalid",
    ["-i", "approot", "-o", "c", "-s", "16", "--target-definition-filename", "none.json"],
  ],
  ["a stray argument", "options-conflict", ["stray", "-i", "approot", "-o", "c"]],
] as const) {
  test(`pack-application refuses ${what}: ${code}`, async () => {
    const result = await packFolder("c", ...args);
    assert.is(result.code, 1);
    assert.match(result.stderr, `error ${code}: `);
    assert.not(existsSync(result.file));
  });
}

test("pack-application follows no links", async () => {
  const linked = join(folder, "linked");
  mkdirSync(linked);
  writeFileSync(join(linked, "app_manifest.json"), JSON.stringify(source));
  symlinkSync("/etc/hostname", join(linked, "link"));
  const { stderr } = await packFolder("c", "-i", "linked", "-o", "c", "-s", "16");
  assert.match(stderr, "error file-not-regular");
});

test("show prints metadata, signature and files; JSON for programs", async () => {
  const text = await spherule(folder, "image-package", "show", packed);
  assert.is(text.code, 0, text.stderr);
  assert.match(text.stdout, /Component ID: {9}5f0b6a3e-3f6d-4a53-9a35-0c8e3f6f1d27/);
  assert.match(text.stdout, /Signature is valid, by Spherule lab development signing/);
  assert.match(text.stdout, /\n {4}bin\/\n {6}app\* +5000\n/);
  assert.match(text.stdout, /bin\/app is no 32-bit ARM program/);
  const json = await spherule(
    folder,
    "image-package",
    "show",
    "--image-package",
    packed,
    "-o",
    "json",
  );
  const { signature, files, apiSet } = JSON.parse(json.stdout);
  assert.is(signature.verdict, "valid");
  assert.equal([files.length, apiSet], [4, 13]);
  const queried = await spherule(
    folder,
    ...["image-package", "show", "-f", packed, "--query", "files[].path"],
  );
  assert.equal(JSON.parse(queried.stdout)[0], "app.wasm");
});

test("show tells a foreign signer, and checks it when its certificate is given", async () => {
  const { signer, certificate } = newKey("another lab");
  const file = join(folder, "foreign.imagepackage");
  writeFileSync(file, signImage(bytesOf(packed), signer));
  writeFileSync(join(folder, "another.pem"), certificate);
  const verdict = ["--query", "signature.verdict"];
  const unknown = await spherule(folder, "image-package", "show", file, ...verdict);
  assert.is(JSON.parse(unknown.stdout), "unknown signer");
  const trust = ["--trust", "another.pem"];
  const valid = await spherule(folder, "image-package", "show", file, ...trust, ...verdict);
  assert.is(JSON.parse(valid.stdout), "valid");
});

test("show tells both images of a package as the Security Service hands it out", async () => {
  const { signer } = newKey("service");
  const file = join(folder, "cloud.imagepackage");
  writeFileSync(file, toCloudForm(bytesOf(packed), { signer, signingTime: 1_700_000_600 }));
  const { stdout, stderr } = await spherule(folder, "image-package", "show", file);
  assert.match(
    stdout,
    /compressed:[\s\S]*Section: Compression[\s\S]*The image inside:[\s\S]*app\.wasm/,
    stderr,
  );
  assert.match(stdout, "Built On (UTC):       2023-11-14T22:23:20Z");
});

test("show names what is wrong with a damaged package", async () => {
  const file = join(folder, "damaged.imagepackage");
  const bytes = Buffer.from(bytesOf(packed));
  bytes[0x1000] = 0xff;
  writeFileSync(file, bytes);
  const { code, stderr } = await spherule(folder, "image-package", "show", file);
  assert.is(code, 1);
  assert.match(stderr, "error asxipfs-crc");
  const none = await spherule(folder, "image-package", "show");
  assert.match(none.stderr, "error option-missing");
});

test("diff lists what differs and ends with 1, or says nothing and ends with 0", async () => {
  const same = await spherule(folder, "image-package", "diff", packed, packed);
  assert.equal([same.code, same.stdout], [0, ""]);
  const other = join(folder, "a.imagepackage");
  const { code, stdout } = await spherule(
    folder,
    ...["image-package", "diff", packed, other, "-o", "json"],
  );
  assert.is(code, 1);
  const rows = new Map(JSON.parse(stdout).map((row: { what: string }) => [row.what, row]));
  assert.equal(rows.get("/app.wasm"), {
    what: "/app.wasm",
    first: (rows.get("/app.wasm") as { first: string }).first,
    second: "-",
  });
  assert.ok(rows.has("ABI Depends: Depends on"));
  assert.not(rows.has("/bin/app"));
});

test("headers are generated, tested, and an edited one is told", async () => {
  const file = join(folder, "boards/fern.json");
  mkdirSync(join(folder, "boards"));
  const led = { Name: "LED", Type: "Gpio", Mapping: "MT3620_GPIO9" };
  writeFileSync(file, JSON.stringify({ Imports: [{ Path: "mt3620.json" }], Peripherals: [led] }));
  const options = ["--hardware-definition-file", file, "--assemblyscript", "boards/fern.ts"];
  const made = await spherule(folder, "hardware-definition", "generate-header", ...options);
  assert.is(made.code, 0, made.stderr);
  assert.match(made.stdout, "boards/inc/hw/fern.h written\nboards/fern.ts written\n");
  const good = await spherule(folder, "hardware-definition", "test-header", ...options);
  assert.is(good.code, 0, good.stderr);
  writeFileSync(join(folder, "boards/fern.ts"), "export const LED: i32 = 8;\n");
  const bad = await spherule(folder, "hardware-definition", "test-header", ...options);
  assert.is(bad.code, 1);
  assert.match(bad.stderr, "error header-outdated");
});

test("the device boots from a package, and everything about the app is the package's", async () => {
  await spherule(folder, "package");
  // What the project has become since does not matter.
  const changed = {
    ...source,
    Name: "changed",
    CmdArgs: ["--Hostname", "other.azure-devices.net"],
  };
  writeFileSync(join(folder, "app_manifest.json"), JSON.stringify(changed));
  const lab = await startProcess(folder, "--image-package", packed);
  await lab.shows(/telemetry\s+\{"temperature"/);
  assert.match(lab.output(), /app +thermometer, \d+ KB of wasm/);
  assert.match(lab.output(), /hub +spherule-lab\.azure-devices\.net is/);
  const { code, stderr } = await lab.stop();
  assert.is(code, 0, stderr);
});

test("the key goes with the state when that is exported", async () => {
  const { code, stderr } = await spherule(folder, "export", "copy");
  assert.is(code, 0, stderr);
  const key = "signing/development.pem";
  assert.equal(bytesOf(join(folder, "copy", key)), bytesOf(join(folder, ".spherule", key)));
  assert.is(statSync(join(folder, ".spherule", key)).mode & 0o777, 0o600);
});

test("looking into a package makes no state", async () => {
  const elsewhere = newProject();
  const { code, stderr } = await spherule(elsewhere.folder, "image-package", "show", packed);
  assert.is(code, 0, stderr);
  assert.not(existsSync(join(elsewhere.folder, ".spherule")));
  elsewhere.remove();
});

for (const [what, pattern, file] of [
  ["of another lab", /install-refused.*not trusted.*7340047/, "foreign.imagepackage"],
  ["that is damaged", /install-refused.*7340050/, "damaged.imagepackage"],
  ["without wasm", /image-not-bootable/, "a.imagepackage"],
  ["that is not there", /file-unreadable/, "none.imagepackage"],
] as const) {
  test(`a package ${what} does not boot`, async () => {
    const { code, stderr } = await spherule(folder, "start", "--image-package", file);
    assert.is(code, 1);
    assert.match(stderr, pattern);
  });
}

test("a package of another lab boots when its signer is trusted", async () => {
  const trust = ["--trust", "another.pem"];
  const lab = await startProcess(folder, "--image-package", "foreign.imagepackage", ...trust);
  await lab.shows(/app +thermometer started/);
  await lab.stop();
});

test.run();
