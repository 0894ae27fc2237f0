// Loaded into every test process: on SIGUSR2 names what keeps the process alive, and ends it.
import { writeSync } from "node:fs";

process.on("SIGUSR2", () => {
  const held = process
    .getActiveResourcesInfo()
    .filter((name) => !/^(PipeWrap|TTYWrap)$/.test(name));
  writeSync(2, `\nstill open: ${held.join(", ") || "nothing that Node can name"}\n`);
  process.exit(70);
});
