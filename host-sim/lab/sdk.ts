import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { LabError } from "../errors.ts";

/** The preset of CMakePresets.json that builds with Microsoft's toolchain. */
const PRESET = "ARM-Release";
const OUTPUT = `out/${PRESET}`;

/**
 * Hands a project over to CMake and Microsoft's SDK, which build, pack and sign for real devices.
 * Their output goes to standard error.
 * @returns the package
 * @throws LabError sdk-missing, sdk-failed
 */
export async function packageWithSdk(projectFolder: string): Promise<string> {
  const missing = [
    ...(onPath("azsphere") ? [] : ["the Azure Sphere SDK (azsphere is not on PATH)"]),
    ...(onPath("cmake") ? [] : ["CMake (cmake is not on PATH)"]),
    ...(existsSync(join(projectFolder, "CMakePresets.json"))
      ? []
      : [`CMakePresets.json with the preset ${PRESET} in ${projectFolder}`]),
  ];
  if (missing.length > 0) {
    throw new LabError(
      "sdk-missing",
      `For --sdk there is missing: ${missing.join("; ")}.`,
      "Install the Azure Sphere SDK and CMake, or leave --sdk out for a package of the lab.",
    );
  }
  await run(projectFolder, ["--preset", PRESET]);
  await run(projectFolder, ["--build", "--preset", PRESET]);
  return newestPackage(projectFolder);
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== "";
    } catch {
      return false;
    }
  });
}

function run(cwd: string, args: readonly string[]): Promise<void> {
  const child = spawn("cmake", args, { cwd, stdio: ["ignore", 2, 2] });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(failed(args, code))));
  });
}

function newestPackage(projectFolder: string): string {
  const folder = join(projectFolder, OUTPUT);
  const names = existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: "utf8" })
    : [];
  const [newest] = names
    .filter((name) => name.endsWith(".imagepackage"))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (newest !== undefined) return newest;
  throw new LabError(
    "sdk-failed",
    `cmake succeeded and left no .imagepackage in ${folder}.`,
    "Has CMakeLists.txt azsphere_target_add_image_package?",
  );
}

function failed(args: readonly string[], code: number | null): LabError {
  return new LabError(
    "sdk-failed",
    `cmake ${args.join(" ")} ended with code ${code}.`,
    "Its own messages are above.",
  );
}
