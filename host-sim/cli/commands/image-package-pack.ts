import { resolve } from "node:path";
import type { Command } from "commander";
import { LabError } from "../../errors.ts";
import { findStateFolder } from "../../lab/state-folder.ts";
import { collect } from "../options.ts";
import { OUTPUT_FORMATS, type OutputFormat, print } from "../output.ts";

/** Options of all three generations of Microsoft's tool; the first of each group is today's. */
interface PackOptions {
  readonly packageDirectory?: string;
  readonly input?: string;
  readonly outputFile?: string;
  readonly destination?: string;
  readonly destinationFile?: string;
  readonly output?: string;
  readonly applicationManifest?: string;
  readonly targetApiSet?: string;
  readonly executables?: readonly string[];
  readonly hardwareDefinition?: string;
  readonly hardwareDefinitions?: string;
  readonly targetDefinitionFilename?: string;
  readonly state?: string;
  readonly verbose?: boolean;
  readonly query?: string;
}

export function registerPack(noun: Command): void {
  noun
    .command("pack-application [file]")
    .alias("package-application")
    .description("pack a folder, as CMake leaves it, into an image package signed with a lab key")
    .option("--package-directory <folder>", "the folder with app_manifest.json and the app")
    .option("-i, --input <folder>", "older spelling of --package-directory")
    .option("--output-file <file>", "the package to write; also -of")
    .option("--destination <file>", "older spelling of --output-file")
    .option("--destination-file <file>", "older spelling of --output-file")
    .option("-o, --output <format|file>", `${OUTPUT_FORMATS.join(", ")}; else as --output-file`)
    .option("-a, --application-manifest <file>", "take this manifest, not the folder's")
    .option("-s, --target-api-set <n>", "API set of a high-level app, such as 16 or 2+Beta1905")
    .option("-x, --executables <paths>", "further executable files; commas or repeated", collect)
    .option("-h, --hardware-definition <file>", "the board's definition")
    .option("--hardware-definitions <paths>", "definition, or folders of them; commas between")
    .option("--target-definition-filename <name>", "which file in --hardware-definitions")
    .option("--state <folder>", "where the lab's key is; the nearest .spherule if absent")
    .option("-v, --verbose", "tell each step")
    .option("--query <expression>", "JMESPath expression that picks from the result")
    // -h is the hardware definition, as it was in the first tool.
    .helpOption("--help", "display help for command")
    .action(pack);
}

async function pack(operand: string | undefined, options: PackOptions): Promise<void> {
  const { packFolder } = await import("../../lab/pack-folder.ts");
  const { developmentKey } = await import("../../lab/signing-key.ts");
  const { format, file } = outputOf(operand, options);
  const folder = required(
    options.packageDirectory ?? options.input,
    "--package-directory",
    "the folder to pack",
  );
  const key = developmentKey(
    options.state === undefined ? findStateFolder() : resolve(options.state),
  );
  const packed = packFolder({
    folder: resolve(folder),
    file: resolve(required(file, "--output-file", "the package to write")),
    manifestFile: options.applicationManifest,
    ...apiSetOf(options.targetApiSet),
    executables: (options.executables ?? []).flatMap((list) => list.split(",")),
    hardware: hardwareOf(options),
    signer: key.signer,
  });
  const lines = await report(packed.image, packed.file, options.verbose === true);
  if (format === undefined) process.stdout.write(lines);
  else await print(await resultOf(packed), { output: format, query: options.query });
}

/** `-o` named the file once and names the format today; `-of FILE` arrives as `-o f FILE`. */
function outputOf(operand: string | undefined, options: PackOptions) {
  const { output, query } = options;
  const isFormat = (OUTPUT_FORMATS as readonly (string | undefined)[]).includes(output);
  const short = output === "f" && operand !== undefined ? operand : undefined;
  if (operand !== undefined && short === undefined) {
    throw new LabError(
      "options-conflict",
      `pack-application takes no argument ${JSON.stringify(operand)}.`,
      "Name the folder with --package-directory and the package with --output-file.",
    );
  }
  return {
    format: isFormat
      ? (output as OutputFormat)
      : query === undefined
        ? undefined
        : ("json" as const),
    file:
      short ??
      options.outputFile ??
      options.destination ??
      options.destinationFile ??
      (isFormat ? undefined : output),
  };
}

function required(value: string | undefined, option: string, what: string): string {
  if (value !== undefined) return value;
  throw new LabError("option-missing", `${option} is missing: ${what}.`, `Add ${option} PATH.`);
}

function apiSetOf(text: string | undefined) {
  if (text === undefined) return {};
  const [, digits, betaApis] = /^(\d{1,9})(?:\+(Beta\d{4}))?$/.exec(text) ?? [];
  if (digits !== undefined) return { apiSet: Number(digits), betaApis };
  throw new LabError(
    "target-api-set-invalid",
    `${JSON.stringify(text)} is no target API set.`,
    "Give a number such as 16, or one with beta APIs such as 2+Beta1905.",
  );
}

function hardwareOf(options: PackOptions) {
  const paths = (options.hardwareDefinitions ?? "").split(",").filter((path) => path !== "");
  return {
    paths: [...(options.hardwareDefinition ? [options.hardwareDefinition] : []), ...paths].map(
      (path) => resolve(path),
    ),
    target: options.targetDefinitionFilename,
  };
}

const REFUSED = "Signed with a lab key, which real devices do not accept.";

/** The steps in the layout of Microsoft's tool, each line marked; without -v its two last lines. */
async function report(image: Uint8Array, file: string, verbose: boolean): Promise<string> {
  const { readImage, sectionTexts } = await import("../../imagepackage/index.ts");
  const end = ["Packaging completed successfully.", `Output file is at: ${file}`, REFUSED];
  if (!verbose) return `${end.join("\n")}\n`;
  const steps = [
    "Creating image package.",
    "Azure Sphere application image package written.",
    "Appending metadata.",
    "Wrote metadata:",
    ...sectionTexts(readImage(image).sections).flatMap(({ title, rows }) => [
      `  Section: ${title}`,
      ...rows.map(([label, value]) => `    ${label.padEnd(22)}${value}`),
    ]),
    "",
    ...end,
  ];
  return steps
    .map((line) => `verbose: ${line}`.trimEnd())
    .join("\n")
    .concat("\n");
}

async function resultOf({ image, file }: { readonly image: Uint8Array; readonly file: string }) {
  const { readImage } = await import("../../imagepackage/index.ts");
  const { name, componentId, imageId } = readImage(image);
  return { name, componentId, imageId, bytes: image.length, outputFile: file, note: REFUSED };
}
