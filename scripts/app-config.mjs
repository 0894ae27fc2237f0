// What the native runtime has to know of the manifest at build time: `app-config.mjs MANIFEST HEADER`.
import { readFileSync, writeFileSync } from "node:fs";

const [manifestFile, headerFile] = process.argv.slice(2);
if (!manifestFile || !headerFile) {
  console.error("Usage: node scripts/app-config.mjs app_manifest.json app_config.h");
  process.exit(1);
}
const { Capabilities: capabilities = {} } = JSON.parse(readFileSync(manifestFile, "utf8"));
const storageBytes = (capabilities.MutableStorage?.SizeKB ?? 0) * 1024;
writeFileSync(
  headerFile,
  `/* Made from ${manifestFile.replaceAll("\\", "/").split("/").at(-1)}; do not edit. */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

/** MutableStorage.SizeKB in bytes, 0 without the capability. */
#define APP_STORAGE_BYTES ${storageBytes}

#endif
`,
);
