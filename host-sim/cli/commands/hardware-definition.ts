import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { Command } from "commander";
import type { HardwareDefinition } from "../../imagepackage/index.ts";
import { writeAtomically } from "../../lab/state-folder.ts";
import { packageFolder } from "../../paths.ts";
import { collect } from "../options.ts";

interface HeaderOptions {
  readonly hardwareDefinitionFile: string;
  readonly hardwareDefinitions?: readonly string[];
  readonly assemblyscript?: string;
}

export function register(program: Command): void {
  const noun = program
    .command("hardware-definition")
    .description("headers of boards, made from hardware definition files");
  withHeaderOptions(noun.command("generate-header"))
    .description("write inc/hw/NAME.h beside the definition; with --assemblyscript that file too")
    .action(generate);
  withHeaderOptions(noun.command("test-header"))
    .description("check that the header is what the definition gives")
    .action(test);
}

function withHeaderOptions(command: Command): Command {
  return command
    .requiredOption("--hardware-definition-file <file>", "the definition, JSON")
    .option("--hardware-definitions <folder>", "where imports are; may be repeated", collect)
    .option("--assemblyscript <file>", "the same names as constants for apps");
}

async function generate(options: HeaderOptions): Promise<void> {
  for (const { file, text } of await outputs(options)) {
    mkdirSync(dirname(file), { recursive: true });
    const same = readIfSame(file, text);
    if (!same) writeAtomically(file, text);
    process.stdout.write(
      `${relative(process.cwd(), file)} ${same ? "is up to date" : "written"}\n`,
    );
  }
}

async function test(options: HeaderOptions): Promise<void> {
  const { testHeader } = await import("../../imagepackage/index.ts");
  for (const { file, text } of await outputs(options)) {
    testHeader(file, text);
    process.stdout.write(`${relative(process.cwd(), file)} is up to date\n`);
  }
}

async function outputs(options: HeaderOptions) {
  const rooms = await import("../../imagepackage/index.ts");
  const folders = [
    ...(options.hardwareDefinitions ?? []).map((folder) => resolve(folder)),
    join(packageFolder(), "hardware-definitions"),
  ];
  const definition: HardwareDefinition = rooms.readHardwareDefinition(
    resolve(options.hardwareDefinitionFile),
    folders,
  );
  const header = { file: rooms.headerPath(definition), text: rooms.generateHeader(definition) };
  if (options.assemblyscript === undefined) return [header];
  const twin = rooms.generateAssemblyScript(definition);
  return [header, { file: resolve(options.assemblyscript), text: twin }];
}

function readIfSame(file: string, text: string): boolean {
  try {
    return readFileSync(file, "utf8") === text;
  } catch {
    return false;
  }
}
