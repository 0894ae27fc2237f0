import { watch } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import type { BuiltApp, Target } from "../lab/app-image.ts";

/** Editors write a file in several steps; one build is enough for all of them. */
const SETTLE_MS = 30;

export interface WatchEvents {
  built(app: BuiltApp): Promise<void>;
  report(text: string): void;
}

/**
 * Builds again whenever a source or the manifest changes. An app that does not compile leaves the
 * running one as it is. @returns what ends it
 */
export function watchProject(projectFolder: string, target: Target, events: WatchEvents) {
  let timer: NodeJS.Timeout | undefined;
  let building = false;
  let again = false;

  async function build(): Promise<void> {
    again = building;
    if (building) return;
    building = true;
    try {
      const started = performance.now();
      const { buildApp } = await import("../lab/app-image.ts");
      const app = await buildApp(projectFolder, target);
      await events.built(app);
      events.report(`built and started again in ${Math.round(performance.now() - started)} ms`);
    } catch (error) {
      events.report(messageOf(error));
    } finally {
      building = false;
      if (again) void build();
    }
  }

  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void build(), SETTLE_MS);
  };
  const watchers = [
    watch(join(projectFolder, "assembly"), { recursive: true }, changed),
    // The folder, not the file: editors replace files.
    watch(projectFolder, (_event, name) => {
      if (name === "app_manifest.json" || name === "asconfig.json") changed();
    }),
  ];
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}
