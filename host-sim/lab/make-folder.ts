import { existsSync, mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { LabError, messageOf, systemErrorCode } from "../errors.ts";

/**
 * Makes a folder that is missing, with those above it, and finds out that files can be put there.
 * @throws LabError folder-unusable
 */
export function makeFolder(folder: string, mode?: number): void {
  try {
    makeMissing(resolve(folder), mode);
    rmdirSync(mkdtempSync(join(folder, ".probe-")));
  } catch (error) {
    throw new LabError(
      "folder-unusable",
      `${folder} is no folder that files can be put into: ${messageOf(error)}.`,
      "Name another folder, or check the names above it and the permissions.",
    );
  }
}

/**
 * One after the other: `mkdirSync` with `recursive` never ends where a folder is there and refuses
 * with ENOENT to have another one in it, as those of /proc do.
 */
function makeMissing(folder: string, mode: number | undefined): void {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.push(at);
  for (const each of missing.reverse()) {
    try {
      mkdirSync(each, each === folder ? mode : undefined);
    } catch (error) {
      // Another process was quicker.
      if (systemErrorCode(error) !== "EEXIST") throw error;
    }
  }
}
