import { mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { writeAtomically } from "../../lab/state-folder.ts";

/** What the command line remembers for its user, in a small JSON file. */
export interface Settings {
  get(name: string): string | undefined;
  set(name: string, value: string | undefined): void;
}

/** `$SPHERULE_SETTINGS`, or `spherule/azsphere.json` in the user's folder of configurations. */
export function openSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const folder = env.XDG_CONFIG_HOME || join(homedir(), ".config");
  const file = env.SPHERULE_SETTINGS ?? join(folder, "spherule", "azsphere.json");
  return {
    get: (name) => readAll(file)[name],
    set(name, value) {
      const { [name]: _before, ...rest } = readAll(file);
      const next = value === undefined ? rest : { ...rest, [name]: value };
      mkdirSync(dirname(file), { recursive: true });
      writeAtomically(file, `${JSON.stringify(next, null, 2)}\n`);
    },
  };
}

/** A file that is missing or damaged holds nothing: all of it are conveniences. */
function readAll(file: string): Record<string, string> {
  try {
    const read: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof read !== "object" || read === null) return {};
    return Object.fromEntries(
      Object.entries(read).filter(([, value]) => typeof value === "string"),
    );
  } catch {
    return {};
  }
}
