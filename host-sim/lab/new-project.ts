import { randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { LabError, messageOf, systemErrorCode } from "../errors.ts";
import { guidToBytes } from "../imagepackage/bytes.ts";
import { generateAssemblyScript, parseManifest } from "../imagepackage/index.ts";
import { packageFolder, packageVersion } from "../paths.ts";
import { readHardware } from "./app-image.ts";
import { fileName } from "./package-app.ts";

export interface NewProjectOptions {
  /** Is made when it does not exist; otherwise it has to be empty. */
  readonly folder: string;
  /** The app's name in its manifest; the folder's when absent. */
  readonly name?: string;
  /** The tenant (catalog) whose devices run the app; a new GUID when absent. */
  readonly tenant?: string;
  /** What `package.json` asks npm for; see `dependencyFrom` when absent. */
  readonly spherule?: string;
}

export interface NewProject {
  readonly folder: string;
  readonly name: string;
  readonly componentId: string;
  readonly tenant: string;
  /** Host name of the hub that the manifest names. */
  readonly hub: string;
  readonly spherule: string;
  /** Paths in the project, sorted. */
  readonly files: readonly string[];
}

/** Packages keep so many bytes of a name. */
const LONGEST_NAME = 31;
/** Safe in file names, shells and JSON; a product of Azure Sphere could have the same name. */
const NAME = /^[A-Za-z0-9]([A-Za-z0-9 ._-]*[A-Za-z0-9])?$/;
const BOARD = "assembly/app/board.ts";

/**
 * Makes a new project: an app, its tests, manifest and settings. Nothing is ever overwritten.
 * @throws LabError name-invalid, guid-invalid, folder-not-empty, folder-unusable
 */
export function createProject(options: NewProjectOptions): NewProject {
  const folder = resolve(options.folder);
  const values = projectValues({ ...options, folder });
  const files = projectFiles(values, folder);
  requireFree(folder);
  writeAll(folder, files);
  return { folder, ...values, files: [...files.keys()].sort() };
}

type ProjectValues = Omit<NewProject, "folder" | "files">;

/** @throws LabError name-invalid, guid-invalid */
export function projectValues(options: NewProjectOptions): ProjectValues {
  const { folder, name = basename(folder), tenant = randomUUID() } = options;
  checkName(name);
  guidToBytes(tenant);
  return {
    name,
    componentId: randomUUID(),
    tenant: tenant.toLowerCase(),
    hub: `${slugOf(name)}-hub.azure-devices.net`,
    spherule: options.spherule ?? dependencyFrom(folder),
  };
}

/** Every file of the project: path in it and content. */
export function projectFiles(values: ProjectValues, folder: string): Map<string, string> {
  const templates = join(packageFolder(), "templates/project");
  const placeholders: Readonly<Record<string, string>> = {
    __NAME__: values.name,
    __FILE__: fileName(values.name),
    __PACKAGE__: packageName(values.name),
    __COMPONENT_ID__: values.componentId,
    __TENANT__: values.tenant,
    __HUB__: values.hub,
    // The only value that was not checked: a path may have quotes.
    __SPHERULE__: JSON.stringify(values.spherule).slice(1, -1),
  };
  const files = new Map<string, string>();
  for (const path of filesBelow(templates)) {
    const text = readFileSync(join(templates, path), "utf8");
    files.set(
      path === "gitignore" ? ".gitignore" : path,
      text.replace(/__[A-Z_]+__/g, (placeholder) => placeholders[placeholder] ?? placeholder),
    );
  }
  files.set(BOARD, generateAssemblyScript(readHardware(folder)));
  parseManifest(files.get("app_manifest.json") ?? "");
  return files;
}

function checkName(name: string): void {
  if (NAME.test(name) && name.length <= LONGEST_NAME) return;
  throw new LabError(
    "name-invalid",
    `${JSON.stringify(name.slice(0, 140))} is no name for an app.`,
    `Give one with --name: 1 to ${LONGEST_NAME} letters, digits, spaces, '.', '_' and '-', ` +
      "with a letter or digit at both ends.",
  );
}

const slugOf = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]+/g, "-");

/** A package cannot depend on one of its own name. */
function packageName(name: string): string {
  const slug = slugOf(name);
  return slug === "spherule" ? "spherule-app" : slug;
}

/**
 * What a project in `folder` asks npm for. While our package is private no registry has it, and a
 * version would get a stranger's package of that name: the folder it runs from is named then.
 */
function dependencyFrom(folder: string): string {
  const ours = packageFolder();
  const { private: unpublished } = JSON.parse(readFileSync(join(ours, "package.json"), "utf8"));
  if (!unpublished) return `^${packageVersion()}`;
  return `file:${relative(realPath(folder), realpathSync(ours))}`;
}

/** npm follows links before it goes up a path; the folder itself need not exist yet. */
function realPath(folder: string): string {
  if (existsSync(folder)) return realpathSync(folder);
  const parent = dirname(folder);
  return parent === folder ? folder : join(realPath(parent), basename(folder));
}

/** @throws LabError folder-not-empty, folder-unusable */
function requireFree(folder: string): void {
  const taken = asUnusable(folder, () => {
    const found = statSync(folder, { throwIfNoEntry: false });
    return found !== undefined && readdirSync(folder).length > 0;
  });
  if (!taken) return;
  throw new LabError(
    "folder-not-empty",
    `${folder} is not empty, and nothing is overwritten.`,
    "Name a folder that does not exist yet.",
  );
}

function writeAll(folder: string, files: ReadonlyMap<string, string>): void {
  asUnusable(folder, () => {
    for (const [path, text] of files) {
      const file = join(folder, path);
      mkdirSync(dirname(file), { recursive: true });
      // Fails when somebody else was quicker.
      writeFileSync(file, text, { flag: "wx" });
    }
  });
}

function asUnusable<T>(folder: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (systemErrorCode(error) === "") throw error;
    throw new LabError(
      "folder-unusable",
      `No project can be made in ${folder}: ${messageOf(error)}.`,
      "Name another folder, or remove what is in the way.",
      { cause: error },
    );
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort();
}
