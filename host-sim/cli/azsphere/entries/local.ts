import { packageVersion } from "../../../paths.ts";
import type { Entry } from "../table.ts";

/** Everything that needs neither a device nor the Security Service. */
export const localEntries: readonly Entry[] = [
  {
    words: "show-version",
    aliases: ["show-sdk-version"],
    only: "azsphere",
    summary: "print the version of this emulator",
    examples: ["", "--output json"],
    run: showVersion,
  },
  {
    words: "show-sdk-version",
    only: "az",
    summary: "print the version of this emulator",
    examples: [""],
    run: showVersion,
  },
];

function showVersion() {
  const version = `Spherule ${packageVersion()}`;
  return { value: { "Azure Sphere SDK": version }, text: version };
}
