import { closeSync, existsSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { LabError, systemErrorCode } from "../errors.ts";
import { makeFolder } from "./make-folder.ts";
import { readIfThere } from "./read-if-there.ts";

/** The name of a lab's state folder inside a project. */
export const STATE_FOLDER = ".spherule";

/** What a running lab writes beside its state, so that other commands find it. */
export interface Locator {
  readonly processId: number;
  readonly api: string;
}

/** The state folder here or in the nearest folder above; here when there is none yet. */
export function findStateFolder(start = process.cwd()): string {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    if (existsSync(join(folder, STATE_FOLDER))) return join(folder, STATE_FOLDER);
    if (dirname(folder) === folder) return join(resolve(start), STATE_FOLDER);
  }
}

/** The locator of the lab that runs on this folder, or undefined when none does. */
export function readLocator(stateFolder: string): Locator | undefined {
  const text = readIfThere(join(stateFolder, "lab.json"));
  if (text === undefined) return undefined;
  try {
    const locator = JSON.parse(text) as Locator;
    return isAlive(locator.processId) ? locator : undefined;
  } catch {
    return undefined;
  }
}

/** Tells other commands where the lab of this folder answers. */
export function writeLocator(stateFolder: string, locator: Locator): void {
  writeAtomically(join(stateFolder, "lab.json"), JSON.stringify(locator));
}

/**
 * Makes the folder when it is missing and takes its lock; the answer gives the lock back.
 * @throws LabError `state-locked` when another lab runs on it, `folder-unusable`
 */
export function lockStateFolder(stateFolder: string): () => void {
  makeFolder(stateFolder);
  const file = join(stateFolder, "lock");
  const owner = takeLock(file);
  if (owner !== undefined) {
    throw new LabError(
      "state-locked",
      `Another lab (process ${owner}) works in ${stateFolder}.`,
      "Stop it, or name another folder with --state.",
    );
  }
  return () => {
    rmSync(join(stateFolder, "lab.json"), { force: true });
    rmSync(file, { force: true });
  };
}

/** Undefined when the lock is ours, otherwise the process that has it. A dead owner's is taken over. */
function takeLock(file: string): number | undefined {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const handle = openSync(file, "wx");
      writeFileSync(handle, String(process.pid));
      closeSync(handle);
      return undefined;
    } catch (error) {
      if (systemErrorCode(error) !== "EEXIST") throw error;
    }
    const owner = Number(readIfThere(file) ?? "");
    if (owner !== process.pid && isAlive(owner)) return owner;
    rmSync(file, { force: true });
  }
  return Number(readIfThere(file));
}

export function isAlive(processId: number): boolean {
  if (!Number.isInteger(processId) || processId <= 0) return false;
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === "EPERM";
  }
}

/** A reader sees the old file or the new one, never a part. */
export function writeAtomically(file: string, content: string | Uint8Array): void {
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, content);
  renameSync(temporary, file);
}
