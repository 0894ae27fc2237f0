import { spawn } from "node:child_process";
import { join } from "node:path";
import type { NativeProgram } from "../device/app.ts";
import { LabError, systemErrorCode } from "../errors.ts";
import { packageFolder } from "../paths.ts";
import { type BuiltApp, buildApp, type Target } from "./app-image.ts";
import type { Body } from "./bodies.ts";

/** A preset of CMakePresets.json. */
export type Preset = "linux-debug" | "linux-release" | "arm-lab";

const PRESETS = { native: "linux-release", arm: "arm-lab" } as const;
const QEMU = "/usr/bin/qemu-arm";
const SHOWN_LINES = 30;

export interface NativeBuild {
  readonly preset: Preset;
  /** Where CMake builds. */
  readonly folder: string;
  /** The compiled app; its source map is beside it under the same name and `.map`. */
  readonly wasmFile: string;
  readonly manifestFile: string;
  /** The target of the asconfig.json beside the manifest that the wasm is of. */
  readonly compiled?: Target;
  readonly target?: "spherule_app" | "library_tests" | "os_libraries";
  /** Ends the build with all of its compilers. */
  readonly signal?: AbortSignal;
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
    compiled: target,
  });
  return { ...app, native };
}

/**
 * Translates a compiled app to C and builds it with the runtime and the libraries; only what has
 * changed is made again.
 * @throws LabError native-tools-missing, native-build-failed
 */
export async function buildNative(build: NativeBuild): Promise<NativeProgram> {
  const { preset, folder, signal, compiled = "release", target = "spherule_app" } = build;
  const configure = [
    ...["--preset", preset, "-B", folder],
    `-DSPHERULE_WASM=${build.wasmFile}`,
    `-DSPHERULE_MANIFEST=${build.manifestFile}`,
    `-DSPHERULE_TARGET=${compiled}`,
  ];
  await cmake(configure, signal);
  await cmake(["--build", folder, "--target", target], signal);
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
  await buildNative({ preset: "arm-lab", folder, wasmFile, manifestFile, compiled: target });
  const prefix = join(folder, "package");
  await cmake(["--install", folder, "--strip", "--prefix", prefix]);
  return join(prefix, "bin/app");
}

/** What a build left in its folder, or in another one that got its `bin` and `lib`. */
export function programIn(folder: string, preset: Preset, name: string): NativeProgram {
  const sanitized = preset === "linux-debug";
  const program = { file: join(folder, "bin", name), libraries: join(folder, "lib"), sanitized };
  if (preset !== "arm-lab") return program;
  const emulator: NativeProgram["emulator"] = (file, environment, stub) => [
    QEMU,
    ...(stub === undefined ? [] : ["-g", stub]),
    ...Object.entries(environment).flatMap(([variable, value]) => ["-E", `${variable}=${value}`]),
    file,
  ];
  return { ...program, emulator };
}

function cmake(args: readonly string[], signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(failed(ended(), ""));
    // In a group of its own, because CMake leaves its compilers behind when it is ended.
    const detached = signal !== undefined;
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const child = spawn("cmake", args, { cwd: packageFolder(), detached, stdio: [...stdio] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    const end = () => endGroup(child.pid);
    signal?.addEventListener("abort", end);
    child.once("error", (error) => reject(failed(error, output)));
    child.once("close", (code) => {
      signal?.removeEventListener("abort", end);
      if (code === 0) resolve();
      else reject(failed(signal?.aborted ? ended() : new Error("cmake failed"), output));
    });
  });
}

function endGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}

const ended = () => new Error("The build was ended.");

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
