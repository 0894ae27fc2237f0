// Bundles the command line into dist/; npm runs it after `npm install`. A file that stays as it is keeps
// its time: CMake's builds depend on the translator's.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "dist");
const files = await bundle({
  entryPoints: [
    `${root}host-sim/cli/main.ts`,
    `${root}host-sim/compiler/process-main.ts`,
    `${root}host-sim/hub/processes/hub-process.ts`,
  ],
  outdir: folder,
  flat: true,
  write: false,
});
mkdirSync(folder, { recursive: true });
for (const { path, contents } of files) {
  if (!existsSync(path) || !readFileSync(path).equals(contents)) writeFileSync(path, contents);
}
const names = new Set(files.map(({ path }) => basename(path)));
for (const name of readdirSync(folder)) {
  if (!names.has(name)) rmSync(join(folder, name), { recursive: true });
}
