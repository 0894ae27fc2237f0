import { readFileSync } from "node:fs";
import { LabError, messageOf } from "../errors.ts";

/** The text of a file that was named on the command line. @throws LabError file-unreadable */
export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new LabError(
      "file-unreadable",
      `${file} cannot be read: ${messageOf(error)}.`,
      "Check the name and the permissions.",
    );
  }
}
