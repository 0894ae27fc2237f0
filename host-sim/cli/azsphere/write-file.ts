import { writeFileSync } from "node:fs";
import { LabError, messageOf } from "../../errors.ts";

/** Writes what a command hands out. @throws LabError file-unwritable */
export function writeFile(file: string, content: string | Uint8Array): void {
  try {
    writeFileSync(file, content);
  } catch (error) {
    throw new LabError(
      "file-unwritable",
      `${file} cannot be written: ${messageOf(error)}.`,
      "Name a file in a folder that is there and that you may write to.",
    );
  }
}
