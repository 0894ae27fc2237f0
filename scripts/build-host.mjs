// Bundles the command line into dist/; npm runs it after `npm install`.
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
await rm(`${root}dist`, { recursive: true, force: true });
await bundle({
  entryPoints: [
    `${root}host-sim/cli/main.ts`,
    `${root}host-sim/compiler/process-main.ts`,
    `${root}host-sim/hub/processes/hub-process.ts`,
  ],
  outdir: `${root}dist`,
  flat: true,
});
