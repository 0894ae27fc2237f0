import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFolder } from "../../host-sim/paths.ts";

const program = join(packageFolder(), "bin/spherule.mjs");

/** A new project in a folder of its own: what a user edits, and nothing else. */
export function newProject() {
  const folder = mkdtempSync(join(tmpdir(), "spherule-test-"));
  for (const name of ["assembly", "asconfig.json", "app_manifest.json"]) {
    cpSync(join(packageFolder(), name), join(folder, name), { recursive: true });
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `spherule ARGS` to its end. */
export function spherule(folder: string, ...args: string[]): Promise<Result> {
  return finished(launch(folder, args));
}

/** Options of Node for a process that has no room on the disk once there is a file `disk-full`. */
export const FULL_DISK = `--import ${join(packageFolder(), "tests/cli/full-disk.mjs")}`;

export function launch(folder: string, args: readonly string[], nodeOptions = ""): ChildProcess {
  const { SPHERULE_API: _api, ...env } = process.env;
  return spawn(process.execPath, [program, ...args], {
    cwd: folder,
    env: { ...env, NODE_OPTIONS: nodeOptions, NO_COLOR: "1" },
  });
}

export function finished(child: ChildProcess): Promise<Result> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** A `spherule start` in a process of its own. */
export function startProcess(folder: string, ...args: string[]) {
  return follow(launch(folder, ["start", ...args]));
}

/** A `spherule start` that was launched. */
export async function follow(child: ChildProcess) {
  const done = finished(child);
  let text = "";
  let wake = () => {};
  child.stdout?.on("data", (chunk) => {
    text += chunk;
    wake();
  });
  child.on("close", () => wake());

  /** Waits until the output matches; fails when the process ends before. */
  async function shows(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(text);
      if (match) return match;
      if (child.exitCode !== null) {
        const { stderr } = await done;
        throw new Error(`ended before ${pattern}: ${text}${stderr}`);
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  const [, api = ""] = await shows(/API\s+(http:\S+)/);
  return {
    api,
    shows,
    output: () => text,
    process: child,
    post: async (path: string, body: unknown = {}) => {
      const response = await fetch(`${api}${path}`, { method: "POST", body: JSON.stringify(body) });
      if (!response.ok) throw new Error(await response.text());
    },
    ended: () => done,
    async stop(): Promise<Result> {
      child.kill("SIGTERM");
      return await done;
    },
  };
}
