import { existsSync, readdirSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { LabError } from "../errors.ts";
import {
  type HardwareDefinition,
  MANIFEST_FILE,
  type PackedFile,
  packImage,
  readHardwareDefinition,
  type Signer,
} from "../imagepackage/index.ts";
import { packageFolder } from "../paths.ts";
import { buildMoment, readBytes } from "./package-app.ts";
import { writeAtomically } from "./state-folder.ts";

export interface PackFolderOptions {
  readonly folder: string;
  /** The package to write. */
  readonly file: string;
  /** The folder's own app_manifest.json when absent. */
  readonly manifestFile?: string;
  readonly apiSet?: number;
  readonly betaApis?: string;
  readonly executables: readonly string[];
  readonly hardware: HardwareSearch;
  readonly signer: Signer;
}

export interface HardwareSearch {
  /** Definition files, or folders to look for them in; none at all for a manifest of numbers. */
  readonly paths: readonly string[];
  /** The name of the board's definition in one of the folders. */
  readonly target?: string;
}

/**
 * Packs a folder as Microsoft's `pack-application` does: everything that is in it.
 * @throws LabError of `packImage`, file-unreadable, file-not-regular, hardware-definition-invalid
 */
export function packFolder(options: PackFolderOptions): { file: string; image: Uint8Array } {
  const { folder, file, signer, apiSet, betaApis, executables } = options;
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new LabError(
      "folder-missing",
      `There is no folder ${folder}.`,
      "Name the folder with app_manifest.json and the application.",
    );
  }
  const image = packImage({
    manifest: Buffer.from(readBytes(options.manifestFile ?? join(folder, MANIFEST_FILE))).toString(
      "utf8",
    ),
    files: filesBelow(folder).filter(({ path }) => path !== MANIFEST_FILE),
    hardware: findHardware(options.hardware),
    executables,
    ...{ signer, apiSet, betaApis },
    ...buildMoment(),
  });
  writeAtomically(file, image);
  return { file, image };
}

function filesBelow(folder: string): PackedFile[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => {
      const file = join(entry.parentPath ?? entry.path, entry.name);
      if (!entry.isFile()) throw notRegular(file);
      return { path: relative(folder, file).split(sep).join("/"), content: readBytes(file) };
    });
}

function notRegular(file: string): LabError {
  return new LabError(
    "file-not-regular",
    `${file} is a link or a special file, which packages do not have.`,
    "Put a copy of the file there.",
  );
}

/** A file is the definition itself; folders are searched for the target in order. */
function findHardware({ paths, target }: HardwareSearch): HardwareDefinition | undefined {
  if (paths.length === 0 && target === undefined) return undefined;
  const folders = [
    ...paths.filter((path) => !path.endsWith(".json")),
    join(packageFolder(), "hardware-definitions"),
  ];
  const given = paths.find((path) => path.endsWith(".json"));
  const found = given ?? find(folders, target);
  if (found !== undefined) return readHardwareDefinition(found, folders);
  // Folders alone say only where imports are; a manifest without names needs no definition.
  if (target === undefined) return undefined;
  throw new LabError(
    "hardware-definition-invalid",
    `No folder of --hardware-definitions has ${target}: ${folders.join(", ")}.`,
    "Name the folder with the board's definition.",
  );
}

function find(folders: readonly string[], target: string | undefined): string | undefined {
  if (target === undefined) return undefined;
  return folders.map((folder) => join(folder, target)).find((file) => existsSync(file));
}
