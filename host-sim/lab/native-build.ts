import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { NativeProgram, PackagedProgram } from "../device/app.ts";
import { LabError, systemErrorCode } from "../errors.ts";
import { packageFolder } from "../paths.ts";
import { type BuiltApp, buildApp, type Target } from "./app-image.ts";
import { writeAtomically } from "./state-folder.ts";

/** What runs the app: V8, a program for this computer, or one with the device's ABI under qemu-arm. */
export type Body = "wasm" | "native" | "arm";

/** A preset of CMakePresets.json. */
export type Preset = "linux-debug" | "linux-release" | "arm-lab";

const PRESETS = { native: "linux-release", arm: "arm-lab" } as const;
const QEMU = "/usr/bin/qemu-arm";
const MOST_OUTPUT = 16 * 1024 * 1024;
const SHOWN_LINES = 30;
const NO_SOURCES = JSON.stringify({ version: 3, sources: [], names: [], mappings: "" });

export interface NativeBuild {
  readonly preset: Preset;
  /** Where CMake builds. */
  readonly folder: string;
  /** The compiled app; its source map is beside it under the same name and `.map`. */
  readonly wasmFile: string;
  readonly manifestFile: string;
  readonly target?: "spherule_app" | "library_tests" | "os_libraries";
}

/** Builds the app of a project for a body. @throws LabError as `buildApp` and `buildNative` */
export async function buildForBody(
  body: Body,
  projectFolder: string,
  target: Target,
  compile?: Parameters<typeof buildApp>[2],
): Promise<BuiltApp> {
  const app = await buildApp(projectFolder, target, compile);
  if (body === "wasm") return app;
  const preset = PRESETS[body];
  const native = await buildNative({
    preset,
    folder: join(projectFolder, "build/native", `lab-${preset}-${target}`),
    wasmFile: app.file,
    manifestFile: join(projectFolder, "app_manifest.json"),
  });
  return { ...app, native };
}

/**
 * Translates a compiled app to C and builds it with the runtime and the libraries; only what has
 * changed is made again.
 * @throws LabError native-tools-missing, native-build-failed
 */
export async function buildNative(build: NativeBuild): Promise<NativeProgram> {
  const { preset, folder, target = "spherule_app" } = build;
  await cmake([
    ...["--preset", preset, "-B", folder],
    `-DSPHERULE_WASM=${build.wasmFile}`,
    `-DSPHERULE_MANIFEST=${build.manifestFile}`,
  ]);
  await cmake(["--build", folder, "--target", target]);
  return programIn(folder, preset, target === "spherule_app" ? "app" : target);
}

/**
 * Builds the ARM program of a compiled app as it goes into an image package, without symbols.
 * @throws LabError as `buildNative`
 */
export async function buildForPackage(
  projectFolder: string,
  target: Target,
  wasmFile: string,
): Promise<string> {
  const folder = join(projectFolder, "build/native", `lab-arm-lab-${target}`);
  const manifestFile = join(projectFolder, "app_manifest.json");
  await buildNative({ preset: "arm-lab", folder, wasmFile, manifestFile });
  const prefix = join(folder, "package");
  await cmake(["--install", folder, "--strip", "--prefix", prefix]);
  return join(prefix, "bin/app");
}

/** Builds what the ARM programs of image packages run with. @throws LabError as `buildNative` */
export async function packagedPrograms(projectFolder: string): Promise<PackagedProgram> {
  const folder = join(projectFolder, "build/native/lab-arm-lab-libraries");
  const unused = join(packageFolder(), "app_manifest.json");
  const built = await buildNative({
    ...{ preset: "arm-lab", folder, target: "os_libraries" },
    ...{ wasmFile: unused, manifestFile: unused },
  });
  return (program) => {
    const digest = createHash("sha256").update(program).digest("hex");
    const file = join(folder, "programs", digest, "app");
    if (!existsSync(file)) {
      mkdirSync(dirname(file), { recursive: true });
      writeAtomically(file, program);
      chmodSync(file, 0o755);
    }
    return { ...built, file };
  };
}

/**
 * Gives the app of an image package the body that was asked for: its own ARM program, or one for
 * this computer that is made from its wasm.
 * @throws LabError image-has-no-program, and as `buildNative`
 */
export async function packagedInBody(
  body: Body,
  app: BuiltApp,
  projectFolder: string,
): Promise<BuiltApp> {
  if (body === "wasm") return app;
  if (body === "native") return { ...app, native: await buildFromPackage(app, projectFolder) };
  if (app.program) return app;
  throw new LabError(
    "image-has-no-program",
    `${app.file} has no ARM program at ${app.manifest.EntryPoint}.`,
    "Make it with `spherule package --with-binary`, or choose --body wasm or native.",
  );
}

function buildFromPackage(app: BuiltApp, projectFolder: string): Promise<NativeProgram> {
  const folder = join(projectFolder, "build/native/lab-linux-release-package");
  const input = join(folder, "input");
  mkdirSync(input, { recursive: true });
  const wasmFile = join(input, "app.wasm");
  const manifestFile = join(input, "app_manifest.json");
  writeAtomically(wasmFile, app.wasm);
  // Packages have no source map, and the translator wants one.
  writeAtomically(`${wasmFile}.map`, app.sourceMap ?? NO_SOURCES);
  writeAtomically(manifestFile, JSON.stringify(app.manifest));
  return buildNative({ preset: "linux-release", folder, wasmFile, manifestFile });
}

function programIn(folder: string, preset: Preset, name: string): NativeProgram {
  const sanitized = preset === "linux-debug";
  const program = { file: join(folder, "bin", name), libraries: join(folder, "lib"), sanitized };
  if (preset !== "arm-lab") return program;
  const emulator: NativeProgram["emulator"] = (file, environment) => [
    QEMU,
    ...Object.entries(environment).flatMap(([variable, value]) => ["-E", `${variable}=${value}`]),
    file,
  ];
  return { ...program, emulator };
}

function cmake(args: readonly string[]): Promise<void> {
  const options = { cwd: packageFolder(), maxBuffer: MOST_OUTPUT };
  return new Promise((resolve, reject) => {
    execFile("cmake", args, options, (error, stdout, stderr) => {
      if (error) reject(failed(error, `${stdout}${stderr}`));
      else resolve();
    });
  });
}

function failed(error: Error, output: string): LabError {
  const missing =
    systemErrorCode(error) === "ENOENT" || /CMAKE_(C_COMPILER|MAKE_PROGRAM)/.test(output);
  if (missing) {
    return new LabError(
      "native-tools-missing",
      `The native app needs CMake, Ninja and a C compiler.\n${lastLines(output)}`,
      "Install them: node scripts/system-packages.mjs",
    );
  }
  return new LabError(
    "native-build-failed",
    `The native app does not build.\n${lastLines(output)}`,
    "Correct what the lines name; --body wasm runs the app without the native parts.",
  );
}

const lastLines = (text: string) => text.trimEnd().split("\n").slice(-SHOWN_LINES).join("\n");
