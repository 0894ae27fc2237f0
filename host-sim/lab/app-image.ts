import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type CompiledApp, type CompileRequest, compileApp } from "../compiler/compile.ts";
import type { AppImage } from "../device/app.ts";
import { LabError } from "../errors.ts";
import {
  type HardwareDefinition,
  readHardwareDefinition,
  refuseConflicts,
  resolveManifest,
} from "../imagepackage/hardware-definition.ts";
import { type Manifest, parseManifest } from "../imagepackage/manifest.ts";
import { packageFolder, packageVersion } from "../paths.ts";
import { writeAtomically } from "./state-folder.ts";

export type Target = "debug" | "release";

export interface BuiltApp extends AppImage {
  readonly hardware: HardwareDefinition;
  readonly wasm: Uint8Array;
  /** Milliseconds of the compiler; undefined when nothing had changed since the last build. */
  readonly compiledInMs?: number;
  /** The wasm file. */
  readonly file: string;
}

/** The hardware definition of the project, or the reference development board's. */
const HARDWARE = "hardware-definitions/mt3620_rdb.json";

/** What apps import from our package; in a checkout it changes without a new version. */
const SDK = ["assembly/sphere", "assembly/drivers"];

/**
 * Builds the app of a project: manifest, hardware definition, wasm. The wasm is kept in the
 * project's `build/app` and made anew only when a source has changed.
 */
export async function buildApp(
  projectFolder: string,
  target: Target,
  compile: (request: CompileRequest) => Promise<CompiledApp> = compileApp,
): Promise<BuiltApp> {
  const hardware = readHardware(projectFolder);
  const written = readManifest(projectFolder);
  const manifest = resolveManifest(written, hardware);
  refuseConflicts(written.Capabilities, manifest.Capabilities);
  const folder = join(projectFolder, "build/app", target);
  const file = join(folder, "app.wasm");
  const digest = digestOf(projectFolder, target);
  if (existsSync(file) && readIfThere(join(folder, "sources.sha256")) === digest) {
    const sourceMap = readFileSync(`${file}.map`, "utf8");
    return { manifest, hardware, wasm: readFileSync(file), sourceMap, file };
  }
  const compiled = await compile({ projectFolder, target });
  keep(folder, compiled, digest);
  const { wasm, sourceMap, milliseconds } = compiled;
  return { manifest, hardware, wasm, sourceMap, file, compiledInMs: milliseconds };
}

/** @throws LabError manifest-missing, manifest-invalid */
export function readManifest(projectFolder: string): Manifest {
  return parseManifest(readManifestText(projectFolder));
}

/** The manifest as it is written. @throws LabError manifest-missing */
export function readManifestText(projectFolder: string): string {
  const text = readIfThere(join(projectFolder, "app_manifest.json"));
  if (text !== undefined) return text;
  throw new LabError(
    "manifest-missing",
    `${projectFolder} has no app_manifest.json.`,
    "Change to the folder of your app, or name it with --project.",
  );
}

/** The project's own definition of its board, or that of the reference development board. */
export function readHardware(projectFolder: string): HardwareDefinition {
  const ours = join(packageFolder(), "hardware-definitions");
  const own = join(projectFolder, HARDWARE);
  const file = existsSync(own) ? own : join(packageFolder(), HARDWARE);
  return readHardwareDefinition(file, [ours]);
}

function keep(folder: string, compiled: CompiledApp, digest: string): void {
  mkdirSync(folder, { recursive: true });
  writeAtomically(join(folder, "app.wasm"), compiled.wasm);
  writeAtomically(join(folder, "app.wasm.map"), compiled.sourceMap);
  // Last: a build that was cut short is made again.
  writeAtomically(join(folder, "sources.sha256"), digest);
}

/** Over every source with its name, the SDK's too, the compiler's settings and our own version. */
function digestOf(projectFolder: string, target: Target): string {
  const hash = createHash("sha256").update(`${packageVersion()} ${target}\n`);
  const include = (folder: string, files: readonly string[]) => {
    for (const file of files) {
      const content = readIfThere(file) ?? "";
      hash.update(`${relative(folder, file)} ${Buffer.byteLength(content)}\n`).update(content);
    }
  };
  const sources = sourcesBelow(join(projectFolder, "assembly"));
  include(projectFolder, [join(projectFolder, "asconfig.json"), ...sources]);
  for (const folder of SDK) include(packageFolder(), sourcesBelow(join(packageFolder(), folder)));
  return hash.digest("hex");
}

function sourcesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") || name === "package.json")
    .map((name) => join(folder, name))
    .sort();
}

function readIfThere(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
