import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CompiledApp } from "../../host-sim/compiler/compile.ts";
import type { NativeProgram } from "../../host-sim/device/app.ts";
import type { Manifest } from "../../host-sim/imagepackage/manifest.ts";
import { buildNative, type Preset } from "../../host-sim/lab/native-build.ts";
import { packageFolder } from "../../host-sim/paths.ts";

/** CMake's folder of one test file: two that build in the same one would disturb each other. */
export const buildFolder = (name: string) => join(packageFolder(), "build/native", `test-${name}`);

/** The source map of a module that no compiler of ours has made. */
export const NO_MAP = JSON.stringify({ version: 3, sources: [], names: [], mappings: "" });

/** Builds a compiled app; each has a program file of its own, the libraries are shared. */
export async function buildApp(options: {
  readonly folder: string;
  readonly name: string;
  readonly app: CompiledApp;
  readonly manifest: Manifest;
  readonly preset?: Preset;
}): Promise<NativeProgram> {
  const { folder, name, app, preset = "linux-debug" } = options;
  const input = join(folder, "input", name);
  mkdirSync(input, { recursive: true });
  const wasmFile = join(input, "app.wasm");
  const manifestFile = join(input, "app_manifest.json");
  writeFileSync(wasmFile, app.wasm);
  writeFileSync(`${wasmFile}.map`, app.sourceMap);
  writeFileSync(manifestFile, JSON.stringify(options.manifest));
  const built = await buildNative({ preset, folder, wasmFile, manifestFile });
  const file = join(folder, "bin", `app-${name}`);
  copyFileSync(built.file, file);
  return { ...built, file };
}

/** From now on what is built in this folder tells every call between app and host. */
export function traceCalls(folder: string, preset: Preset): void {
  const args = ["--preset", preset, "-B", folder, "-DSPHERULE_TRACE=ON"];
  execFileSync("cmake", args, { cwd: packageFolder(), stdio: ["ignore", "ignore", "inherit"] });
}

/** Builds the C program that calls the libraries. */
export function buildLibraryTests(
  folder: string,
  preset: Preset = "linux-debug",
): Promise<NativeProgram> {
  const unused = join(packageFolder(), "app_manifest.json");
  const target = "library_tests";
  return buildNative({ preset, folder, wasmFile: unused, manifestFile: unused, target });
}

/** What its scenario `versioned` prints when memory is 100 KiB and no bus is there. */
export const VERSIONED = [
  ...["total 100 0", "user 101 0", "peak 102 0"],
  ...["attribute -1 22", "size -1 22", "nowhere -1 14"],
  ...["uart uninitialised -1 22", "uart null -1 14", "uart de2a0001 115200 8"],
  ...["uart open -1 19", "uart bits -1 22"],
  ...["spi config null -1 14", "spi config 0 0", "spi open -1 19", "spi chip select -1 22"],
  ...["spi transfers 0 0", "spi 45170001 22130001", "spi too many -1 22", "spi transfer -1 9"],
];

export interface Outcome {
  readonly code: number | null;
  /** Standard output, a line an element. */
  readonly lines: readonly string[];
  readonly stderr: string;
}

/** Runs a scenario of the library tests. @param socket of the operating system; none when absent */
export function runScenario(
  program: NativeProgram,
  scenario: string,
  socket?: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const own = {
    ...env,
    LD_LIBRARY_PATH: program.libraries,
    ...(socket === undefined ? {} : { SPHERULE_OS_SOCKET: socket }),
  };
  const [command = program.file, ...before] = program.emulator?.(program.file, own) ?? [
    program.file,
  ];
  const child = spawn(command, [...before, scenario], {
    env: program.emulator ? {} : own,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({ code, lines: stdout.split("\n").filter((line) => line !== ""), stderr }),
    );
  });
}

/** The number of the line of a file that has this text. */
export function lineIn(file: string, text: string): number {
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.findIndex((line) => line.includes(text)) + 1;
}
