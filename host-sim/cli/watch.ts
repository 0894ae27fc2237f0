import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { basename, join } from "node:path";
import type { CompilerProcess } from "../compiler/process.ts";
import { messageWithHint } from "../errors.ts";
import type { BuiltApp, Target } from "../lab/app-image.ts";
import type { Body } from "../lab/bodies.ts";

/** Editors write a file in several steps; one build is enough for all of them. */
const SETTLE_MS = 30;
/** Files of the project folder itself that an app is made from. */
const SETTINGS = ["app_manifest.json", "asconfig.json"];

export interface WatchOptions {
  readonly projectFolder: string;
  readonly target: Target;
  readonly body: Body;
  readonly compiler: CompilerProcess;
  readonly built: (app: BuiltApp) => Promise<void>;
  readonly report: (text: string) => void;
  /** Milliseconds since the epoch on the files' own clock: what was saved later is not built yet. */
  readonly since: number;
}

/**
 * Builds again whenever a source or the manifest changes. An app that does not compile leaves the
 * running one as it is. @returns what ends it
 */
export function watchProject(options: WatchOptions): () => void {
  const { projectFolder, target, body, compiler, built, report, since } = options;
  let timer: NodeJS.Timeout | undefined;
  let building = false;
  let again = false;

  async function build(): Promise<void> {
    again = building;
    if (building) return;
    building = true;
    try {
      const started = performance.now();
      const { buildForBody } = await import("../lab/native-build.ts");
      const app = await buildForBody(body, projectFolder, target, compiler.compile);
      await built(app);
      report(`built and started again in ${Math.round(performance.now() - started)} ms`);
    } catch (error) {
      report(`${messageWithHint(error, "\n")}\nWhat ran before still runs.`);
    } finally {
      building = false;
      if (again) void build();
    }
  }

  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      watchFolders();
      void build();
    }, SETTLE_MS);
  };
  const watchers = new Map<string, FSWatcher>();

  /**
   * Folders, one by one: editors replace files, and a watch on a file, as Node's recursive watch sets
   * them on Linux, sees only the first replacement.
   */
  function watchFolders(): void {
    const folders = [projectFolder, ...foldersBelow(join(projectFolder, "assembly"))];
    for (const folder of folders) {
      if (watchers.has(folder)) continue;
      const watcher = watch(folder, (_event, name) => {
        if (folder !== projectFolder || SETTINGS.includes(name ?? "")) changed();
      });
      // The folder was removed, perhaps to be made again.
      watcher.on("error", () => forget(folder));
      watchers.set(folder, watcher);
    }
    for (const folder of watchers.keys()) if (!folders.includes(folder)) forget(folder);
  }

  function forget(folder: string): void {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  }

  watchFolders();
  if (lastSaved([...watchers.keys()]) > since) changed();
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers.values()) watcher.close();
  };
}

/** When a source or setting in these folders was saved last. */
function lastSaved(folders: readonly string[]): number {
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const sources = files.filter((file) => file.endsWith(".ts") || SETTINGS.includes(basename(file)));
  // Gone meanwhile, or a link of an editor to nowhere.
  const times = sources.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return Math.max(0, ...times);
}

function foldersBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const below = entries.filter((entry) => entry.isDirectory());
  return [folder, ...below.map((entry) => join(entry.parentPath ?? entry.path, entry.name))];
}
