import { mkdirSync, readFileSync } from "node:fs";
import { isAbsolute, join, normalize, relative, sep } from "node:path";
import { RealClock } from "../clock/index.ts";
import { LabError, messageOf } from "../errors.ts";
import {
  applicationFiles,
  buildMismatch,
  buildsDiffer,
  type PackedFile,
  packImage,
  readImage,
  type Signer,
  WASM_FILE,
} from "../imagepackage/index.ts";
import { type BuiltApp, buildApp, readManifestText } from "./app-image.ts";
import { buildForPackage } from "./native-build.ts";
import { writeAtomically } from "./state-folder.ts";

/** The newest API set that packages of this project are known to be used with. */
export const DEFAULT_API_SET = 16;

export interface PackageOptions {
  readonly projectFolder: string;
  readonly signer: Signer;
  /** DEFAULT_API_SET when absent. */
  readonly apiSet?: number;
  /** The application's ARM binary. */
  readonly binary?: string;
  /** Builds the ARM binary; not together with `binary`. */
  readonly withBinary?: boolean;
  /** False leaves the wasm out. */
  readonly embedWasm?: boolean;
  /** Files of the project that come with it, at the same path; relative to the project. */
  readonly resources?: readonly string[];
}

export interface PackedApp {
  readonly file: string;
  readonly image: Uint8Array;
}

/**
 * Builds a project's app and packs it into its `build` folder.
 * @throws LabError of `buildApp` and `packImage`, file-unreadable, resource-outside, builds-differ,
 *   options-conflict, native-tools-missing, native-build-failed
 */
export async function packageApp(options: PackageOptions): Promise<PackedApp> {
  const { projectFolder, signer, apiSet = DEFAULT_API_SET, embedWasm } = options;
  const app = await buildApp(projectFolder, "release");
  const content = {
    binary: await binaryFor(options, app),
    wasm: app.wasm,
    embedWasm,
    resources: (options.resources ?? []).map((path) => resource(projectFolder, path)),
  };
  const entryPoint = app.manifest.EntryPoint;
  const files = applicationFiles(content, entryPoint);
  const mismatch = buildMismatch(files, entryPoint, WASM_FILE);
  if (mismatch !== undefined) throw buildsDiffer(mismatch);
  const image = packImage({
    manifest: readManifestText(projectFolder),
    files,
    hardware: app.hardware,
    apiSet,
    signer,
    ...buildMoment(),
  });
  const folder = join(projectFolder, "build");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${fileName(readImage(image).name)}.imagepackage`);
  writeAtomically(file, image);
  return { file, image };
}

async function binaryFor(options: PackageOptions, app: BuiltApp): Promise<Uint8Array | undefined> {
  const { projectFolder, binary, withBinary } = options;
  if (binary !== undefined && withBinary) {
    throw new LabError(
      "options-conflict",
      "--with-binary builds the ARM program, and --binary names one.",
      "Leave one of the two out.",
    );
  }
  if (withBinary) return readBytes(await buildForPackage(projectFolder, "release", app.file));
  return binary === undefined ? undefined : readBytes(binary);
}

/**
 * The time of packing. With SOURCE_DATE_EPOCH it is that, and the image id follows from the
 * content: the same input gives the same bytes up to the signature.
 * @throws LabError source-date-invalid
 */
export function buildMoment(environment: NodeJS.ProcessEnv = process.env) {
  const text = environment.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") {
    return { buildTime: Math.floor(new RealClock().now() / 1000), reproducible: false };
  }
  if (/^\d{1,12}$/.test(text)) return { buildTime: Number(text), reproducible: true };
  throw new LabError(
    "source-date-invalid",
    `SOURCE_DATE_EPOCH is ${JSON.stringify(text)}, which is no number of seconds since 1970.`,
    "Set it to a whole number, for example $(git log -1 --format=%ct), or unset it.",
  );
}

/** What a name of an app may be called as a file everywhere. */
export const fileName = (name: string): string =>
  name.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[.-]+/, "") || "app";

function resource(projectFolder: string, path: string): PackedFile {
  const inside = relative(projectFolder, join(projectFolder, normalize(path)));
  if (isAbsolute(path) || inside === "" || inside.split(sep)[0] === "..") {
    throw new LabError(
      "resource-outside",
      `The resource ${path} is not below the project folder.`,
      "Name resources relative to the project; they keep that path in the package.",
    );
  }
  const inImage = inside.split(sep).join("/");
  return { path: inImage, content: readBytes(join(projectFolder, inside)) };
}

/** @throws LabError file-unreadable */
export function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new LabError(
      "file-unreadable",
      `${file} cannot be read: ${messageOf(error)}.`,
      "Check the name and the permissions.",
    );
  }
}
