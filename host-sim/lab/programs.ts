import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import type { AppImage, NativeProgram, PackagedProgram } from "../device/app.ts";
import { LabError } from "../errors.ts";
import { packageFolder } from "../paths.ts";
import type { BuiltApp, Target } from "./app-image.ts";
import type { Body } from "./bodies.ts";
import { buildNative, programIn } from "./native-build.ts";
import { readIfThere } from "./read-if-there.ts";
import { isAlive, writeAtomically } from "./state-folder.ts";

/** Makes programs of the code of image packages, for the body of a lab. */
export interface Programs {
  readonly of: PackagedProgram;
  /** Ends what is still built. */
  stop(): Promise<void>;
}

const PRESET = "linux-release";
/** What a program of a package is made from, besides the package. */
const TOOLS = ["native", "cmake", "CMakeLists.txt", "CMakePresets.json", "scripts/app-config.mjs"];
/** The translator that runs is the bundled one, whose name tells its content. */
const TRANSLATOR = /^aot-.*\.js$/;
const NO_SOURCES = JSON.stringify({ version: 3, sources: [], names: [], mappings: "" });

/**
 * @param projectFolder its `build/native` keeps what is made
 * @returns undefined for V8, which needs no programs
 * @throws LabError as `buildNative`
 */
export async function createPrograms(
  body: Body,
  projectFolder: string,
): Promise<Programs | undefined> {
  if (body === "wasm") return undefined;
  return body === "native" ? nativePrograms(projectFolder) : armPrograms(projectFolder);
}

/** Gives the app of an image package its body. @throws LabError image-has-no-program, as `of` */
export async function packagedInBody(
  app: BuiltApp,
  programs: Programs | undefined,
): Promise<BuiltApp> {
  if (programs === undefined) return app;
  const native = await programs.of(app);
  if (native) return { ...app, native };
  throw new LabError(
    "image-has-no-program",
    `${app.file} has no ARM program at ${app.manifest.EntryPoint}.`,
    "Make it with `spherule package --with-binary`, or choose --body wasm or native.",
  );
}

/** The body "arm": packages bring their programs. */
async function armPrograms(projectFolder: string): Promise<Programs> {
  const run = await packagedPrograms(projectFolder);
  return {
    of: ({ program }) => (program === undefined ? undefined : run(program)),
    async stop() {},
  };
}

/** Builds what the ARM programs of image packages run with. @throws LabError as `buildNative` */
export async function packagedPrograms(
  projectFolder: string,
): Promise<(program: Uint8Array) => NativeProgram> {
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
 * The body "native": a program for this computer is made from the wasm of a package when it is started for
 * the first time, and kept under the hash of all that it is made from.
 */
function nativePrograms(projectFolder: string): Programs {
  const folder = join(projectFolder, "build/native/packages");
  const tools = digestOfTools();
  const building = new Map<string, Promise<NativeProgram>>();
  const ending = new AbortController();
  let turn: Promise<unknown> = Promise.resolve();
  removeAbandoned(folder);

  /** One after the other: each build takes all of the computer by itself. */
  function build(key: string, source: Source): Promise<NativeProgram> {
    const made = turn.then(() => buildFrom(source, join(folder, key), ending.signal));
    turn = made.catch(() => {});
    building.set(key, made);
    // What failed is tried again at the next start, when the tools may be there.
    void turn.then(() => building.delete(key));
    return made;
  }

  return {
    of(image) {
      const { wasm } = image;
      if (wasm === undefined) return undefined;
      const own = ownBuild(wasm, projectFolder);
      const source = { wasm, image, ...own, sourceMap: image.sourceMap ?? own?.sourceMap };
      const key = keyOf(source, tools);
      const made = join(folder, key);
      if (existsSync(made)) return programIn(made, PRESET, "app");
      return building.get(key) ?? build(key, source);
    },
    async stop() {
      ending.abort();
      await turn;
    },
  };
}

interface Source {
  readonly wasm: Uint8Array;
  readonly image: AppImage;
  /** Packages have neither; the project's own are found by the wasm. */
  readonly sourceMap?: string;
  readonly asconfig?: string;
  /** The target of `asconfig` that made the wasm. */
  readonly compiled?: Target;
}

function keyOf(source: Source, tools: string): string {
  const { wasm, image, sourceMap = "", asconfig = "", compiled = "" } = source;
  const { MutableStorage: storage } = image.manifest.Capabilities;
  return createHash("sha256")
    .update(`${tools} ${JSON.stringify(storage ?? null)} ${wasm.length}\n`)
    .update(wasm)
    .update(`${sourceMap.length} ${sourceMap}${asconfig}${compiled}`)
    .digest("hex");
}

async function buildFrom(
  { wasm, image, sourceMap, asconfig, compiled }: Source,
  kept: string,
  signal: AbortSignal,
): Promise<NativeProgram> {
  const folder = `${kept}.${process.pid}`;
  const input = join(folder, "input");
  try {
    mkdirSync(input, { recursive: true });
    const wasmFile = join(input, "app.wasm");
    const manifestFile = join(input, "app_manifest.json");
    writeAtomically(wasmFile, wasm);
    // The translator wants a source map.
    writeAtomically(`${wasmFile}.map`, sourceMap ?? NO_SOURCES);
    writeAtomically(manifestFile, JSON.stringify(image.manifest));
    // It names the linear memory.
    if (asconfig !== undefined) writeAtomically(join(input, "asconfig.json"), asconfig);
    await buildNative({ preset: PRESET, folder, wasmFile, manifestFile, compiled, signal });
    for (const name of readdirSync(folder)) {
      if (name !== "bin" && name !== "lib") rmSync(join(folder, name), { recursive: true });
    }
    // Another lab may have made the same meanwhile.
    if (!existsSync(kept)) renameSync(folder, kept);
    return programIn(kept, PRESET, "app");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What labs left that were killed while they built. */
function removeAbandoned(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const [, owner] = /\.(\d+)$/.exec(name) ?? [];
    if (owner !== undefined && !isAlive(Number(owner))) {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}

/** What the project knows of a wasm that it has built itself: with the map debuggers know the sources. */
function ownBuild(wasm: Uint8Array, projectFolder: string) {
  for (const target of ["debug", "release"] as const) {
    const file = join(projectFolder, "build/app", target, "app.wasm");
    if (!existsSync(file) || !readFileSync(file).equals(wasm)) continue;
    return {
      sourceMap: readIfThere(`${file}.map`),
      asconfig: readIfThere(join(projectFolder, "asconfig.json")),
      compiled: target,
    };
  }
  return undefined;
}

function digestOfTools(): string {
  const hash = createHash("sha256");
  for (const tool of TOOLS) {
    for (const file of filesBelow(join(packageFolder(), tool))) {
      const content = readFileSync(file);
      hash.update(`${relative(packageFolder(), file)} ${content.length}\n`).update(content);
    }
  }
  const dist = join(packageFolder(), "dist");
  const bundled = existsSync(dist) ? readdirSync(dist) : [];
  return hash.update(bundled.filter((name) => TRANSLATOR.test(name)).join()).digest("hex");
}

/** The file itself, or all files of a folder. */
function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
