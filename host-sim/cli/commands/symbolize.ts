import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import type { Command } from "commander";

export function register(program: Command): void {
  program
    .command("symbolize [file]")
    .description("put places of the TypeScript sources into a log; standard input if no file")
    .option(
      "--project <folder>",
      "the app's folder, whose build/ has source maps and programs",
      ".",
    )
    .addHelpText("after", "\nExample: spherule symbolize device.log")
    .action(run);
}

async function run(file: string | undefined, { project }: { project: string }): Promise<void> {
  const { readBuilds, symbolize } = await import("../../lab/symbolize.ts");
  const { nameFrames, readPrograms } = await import("../../lab/symbolize-frames.ts");
  const { readBytes } = await import("../../lab/package-app.ts");
  const builds = readBuilds(resolve(project));
  const log = file === undefined ? await text(process.stdin) : Buffer.from(readBytes(file));
  const placed = symbolize(log.toString(), builds);
  process.stdout.write(await nameFrames(placed, readPrograms(resolve(project))));
}
