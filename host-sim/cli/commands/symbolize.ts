import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import type { Command } from "commander";

export function register(program: Command): void {
  program
    .command("symbolize [file]")
    .description("put places of the TypeScript sources into a log; standard input if no file")
    .option("--project <folder>", "the app's folder, whose build/app has the source maps", ".")
    .addHelpText("after", "\nExample: spherule symbolize device.log")
    .action(run);
}

async function run(file: string | undefined, { project }: { project: string }): Promise<void> {
  const { readBuilds, symbolize } = await import("../../lab/symbolize.ts");
  const { readBytes } = await import("../../lab/package-app.ts");
  const builds = readBuilds(resolve(project));
  const log = file === undefined ? await text(process.stdin) : Buffer.from(readBytes(file));
  process.stdout.write(symbolize(log.toString(), builds));
}
