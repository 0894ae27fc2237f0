import { resolve } from "node:path";
import type { Command } from "commander";
import { LabError } from "../../errors.ts";
import type { Inspection, Section } from "../../imagepackage/index.ts";
import { findStateFolder } from "../../lab/state-folder.ts";
import { collect, withOutput } from "../options.ts";
import { type OutputOptions, print } from "../output.ts";
import { trustStoreOf } from "../trust.ts";
import { registerPack } from "./image-package-pack.ts";

interface ShowOptions extends OutputOptions {
  readonly imagePackage?: string;
  readonly imagepackage?: string;
  readonly filepath?: string;
  readonly state?: string;
  readonly trust?: readonly string[];
}

export function register(program: Command): void {
  const noun = program
    .command("image-package")
    .alias("img")
    .description("image packages: pack, look into, compare");
  registerPack(noun);
  withOutput(
    noun
      .command("show [file]")
      .description("print metadata, signature and files of a package")
      .option("-p, --image-package <file>", "the package, in place of the argument")
      .option("--imagepackage <file>", "older spelling of --image-package")
      .option("-f, --filepath <file>", "older spelling of --image-package")
      .option("--state <folder>", "whose lab key is trusted; the nearest .spherule if absent")
      .option("--trust <certificate>", "also trust this signer, PEM; may be repeated", collect),
  ).action(show);
  withOutput(
    noun
      .command("diff <first> <second>")
      .description("tell what differs between two packages; exit code 1 when something does"),
  ).action(diff);
}

async function show(file: string | undefined, options: ShowOptions): Promise<void> {
  const { inspectImage, summaryOf } = await import("../../imagepackage/index.ts");
  const { readBytes } = await import("../../lab/package-app.ts");
  const named = file ?? options.imagePackage ?? options.imagepackage ?? options.filepath;
  if (named === undefined) {
    throw new LabError(
      "option-missing",
      "No image package was named.",
      "Type `spherule image-package show FILE`.",
    );
  }
  const stateFolder = options.state === undefined ? findStateFolder() : resolve(options.state);
  const trusted = await trustStoreOf(stateFolder, options.trust);
  const inspection = inspectImage(readBytes(named), trusted);
  const formatted = options.output !== undefined || options.query !== undefined;
  if (formatted) await print(summaryOf(inspection), { output: "json", ...options });
  else process.stdout.write(await describe(inspection));
}

/** Labels are 22 wide and begin after four blanks, as Microsoft's tools print them. */
async function describe({ image, verification, findings }: Inspection): Promise<string> {
  const { sectionTexts, signerText, treeLines } = await import("../../imagepackage/index.ts");
  const sectionLines = (sections: readonly Section[]) =>
    sectionTexts(sections).flatMap(({ title, rows }) => [
      `  Section: ${title}`,
      ...rows.map(([label, value]) => `    ${label.padEnd(22)}${value}`),
    ]);
  const indented = (lines: readonly string[]) => lines.map((line) => `    ${line}`);
  const lines = [
    `Image package metadata, ${image.size} bytes, ${image.content.kind}:`,
    ...sectionLines(image.sections),
    ...(image.content.kind === "compressed"
      ? ["The image inside:", ...sectionLines(image.content.inner.sections)]
      : []),
    `  Signature is ${signerText(verification)}`,
    ...(image.files.length > 0 ? ["  Files:", ...indented(treeLines(image.files))] : []),
    ...(findings.length > 0 ? ["  Findings:", ...indented(findings)] : []),
  ];
  return `${lines.join("\n")}\n`;
}

async function diff(first: string, second: string, options: OutputOptions): Promise<void> {
  const { differences, readImage } = await import("../../imagepackage/index.ts");
  const { readBytes } = await import("../../lab/package-app.ts");
  const rows = differences(readImage(readBytes(first)), readImage(readBytes(second)));
  await print(rows, options);
  if (rows.length > 0) process.exitCode = 1;
}
