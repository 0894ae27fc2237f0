import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { LabError, messageOf, systemErrorCode } from "../errors.ts";
import { missingFunctions } from "./missing-functions.ts";
import { sourceFile, withFilePaths } from "./own-package.ts";

export interface CompileRequest {
  /** The folder with `asconfig.json`. */
  readonly projectFolder: string;
  /** A target of `asconfig.json`. */
  readonly target?: "debug" | "release";
  /** Takes this source file in place of the configured entry; relative to the project folder. */
  readonly entry?: string;
}

export interface CompiledApp {
  readonly wasm: Uint8Array;
  /** Source map version 3 in JSON; generated columns are byte offsets in the wasm. */
  readonly sourceMap: string;
  readonly milliseconds: number;
}

/** The compiler's interface as far as it is used; its own types would redefine `i64` for all of us. */
interface Compiler {
  main(
    args: readonly string[],
    io: {
      readonly stdout: { write(text: string | Uint8Array): void };
      readonly stderr: { write(text: string | Uint8Array): void };
      readFile(name: string, baseDir: string): Promise<string | null>;
      writeFile(name: string, contents: string | Uint8Array): void;
      listFiles(folder: string, baseDir: string): Promise<string[] | null>;
    },
  ): Promise<{ readonly error: Error | null }>;
}

const COMPILER: string = "assemblyscript/asc";

/**
 * Compiles the app. The compiler is loaded on the first call.
 * @throws LabError app-does-not-compile, project-missing
 */
export async function compileApp(request: CompileRequest): Promise<CompiledApp> {
  const { projectFolder, target = "release" } = request;
  const asc: Compiler = (await import(COMPILER)).default;
  const started = performance.now();
  const written = new Map<string, string | Uint8Array>();
  const messages: string[] = [];
  const sources = new Map<string, string>();
  const config = await configuration(projectFolder);
  const { error } = await asc.main(
    [
      ...(request.entry ? [request.entry] : config.entries),
      ...["--config", "asconfig.json", "--target", target, "--baseDir", projectFolder],
      ...["--outFile", "app.wasm"],
    ],
    {
      stdout: { write: () => {} },
      stderr: { write: (text) => messages.push(String(text)) },
      readFile: async (name, baseDir) => {
        const text = await readText(name, baseDir, request);
        if (text !== null) sources.set(name, text);
        return text;
      },
      writeFile: (name, contents) => {
        written.set(name, contents);
      },
      listFiles: (folder, baseDir) => listSources(join(baseDir, folder)),
    },
  );
  const wasm = written.get("app.wasm");
  if (error || !(wasm instanceof Uint8Array)) throw doesNotCompile(messages, error);
  const missing = missingFunctions(Uint8Array.from(wasm), sources);
  if (missing.length > 0) throw doesNotCompile([missing.join("\n")], null);
  return {
    wasm,
    sourceMap: withPaths(String(written.get("app.wasm.map") ?? "{}")),
    milliseconds: Math.round(performance.now() - started),
  };
}

/** The compiler puts `./app` before all sources; without it they are paths in the project. */
function withPaths(sourceMap: string): string {
  const { sourceRoot: _root, sources = [], ...rest } = JSON.parse(sourceMap);
  return JSON.stringify({ ...rest, sources: sources.map(withFilePaths) });
}

async function configuration(projectFolder: string): Promise<{ entries: string[] }> {
  try {
    const { entries } = JSON.parse(await readFile(join(projectFolder, "asconfig.json"), "utf8"));
    return { entries };
  } catch (error) {
    throw new LabError(
      "project-missing",
      systemErrorCode(error) === "ENOENT"
        ? `${projectFolder} has no asconfig.json, so there is no app to compile.`
        : `asconfig.json in ${projectFolder} cannot be read: ${messageOf(error)}.`,
      "Change to the folder of your app, or name it with --project.",
    );
  }
}

/** Entries on the command line come on top of the configured ones, so the configuration has none. */
async function readText(name: string, baseDir: string, request: CompileRequest) {
  try {
    const text = await readFile(sourceFile(name, baseDir), "utf8");
    if (name !== "asconfig.json") return text;
    const { entries: _entries, ...rest } = JSON.parse(text);
    return JSON.stringify(rest);
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT" && systemErrorCode(error) !== "EISDIR") {
      throw new LabError(
        "project-missing",
        `${join(request.projectFolder, name)} cannot be read: ${messageOf(error)}.`,
        "Check the file and its permissions.",
      );
    }
    return null;
  }
}

async function listSources(folder: string): Promise<string[] | null> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(".ts"));
  } catch {
    return null;
  }
}

function doesNotCompile(messages: readonly string[], error: Error | null): LabError {
  const text = withFilePaths(messages.join("").trim());
  return new LabError(
    "app-does-not-compile",
    `The app does not compile.\n${text || messageOf(error)}`,
    "Correct the lines that the compiler names.",
  );
}
