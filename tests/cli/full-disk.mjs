// Loaded before `spherule`: the disk is full as soon as there is a file `disk-full` in the folder.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const { statfsSync } = fs;
fs.statfsSync = (folder, ...more) => {
  const found = statfsSync(folder, ...more);
  return fs.existsSync("disk-full") ? { ...found, bavail: 0 } : found;
};
syncBuiltinESMExports();
