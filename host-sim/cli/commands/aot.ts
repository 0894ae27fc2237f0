import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { LabError, messageOf } from "../../errors.ts";
import { type OutputOptions, print } from "../output.ts";

interface AotOptions extends Omit<OutputOptions, "output"> {
  /** A folder here, not a format as in most commands. */
  readonly output: string;
  readonly sourceMap?: string;
  readonly memory?: string;
}

export function register(program: Command): void {
  program
    .command("aot <input>")
    .description("translate a compiled app to C, ahead of time: app_wasm.c and app_wasm.h")
    .requiredOption("-o, --output <folder>", "where to write the two files")
    .option("--source-map <file>", "the app's source map, for lines of TypeScript in the C")
    .option("--memory <bytes>", "linear memory; without it what the app declares")
    .option("--query <expression>", "JMESPath expression that picks from the result")
    .addHelpText(
      "after",
      "\nExample: spherule aot build/app/release/app.wasm --output build/native",
    )
    .action(run);
}

async function run(input: string, options: AotOptions): Promise<void> {
  const { translate } = await import("../../../native/aot/index.ts");
  const wasm = await readInput(input);
  const sourceMap = options.sourceMap && (await readInput(options.sourceMap)).toString("utf8");
  const memoryBytes = options.memory === undefined ? undefined : Number(options.memory);
  const translation = asLabErrors(() => translate(wasm, { sourceMap, memoryBytes }));
  const files = {
    "app_wasm.c": translation.source,
    "app_wasm.h": translation.header,
  };
  await mkdir(options.output, { recursive: true });
  for (const [name, text] of Object.entries(files))
    await writeFile(join(options.output, name), text);
  const { functions, dataEnd, buildId } = translation;
  const result = {
    files: Object.keys(files).map((name) => join(options.output, name)),
    functions: functions.all,
    recursive: functions.recursive,
    staticDataBytes: dataEnd,
    buildId,
  };
  await print(result, { output: "yaml", query: options.query });
}

async function readInput(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new LabError(
      "file-unreadable",
      `${file} cannot be read: ${messageOf(error)}.`,
      "Check the name; `spherule build` makes the app and its source map.",
    );
  }
}

/** The translator stands below the lab and has an error type of its own, of the same shape. */
function asLabErrors<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && "hint" in error)) throw error;
    throw new LabError(String(error.code), error.message, String(error.hint), { cause: error });
  }
}
