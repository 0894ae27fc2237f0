import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { STATE_FOLDER } from "../../lab/state-folder.ts";
import { collect, wholeNumber, withOutput } from "../options.ts";
import { type OutputOptions, print } from "../output.ts";

interface PackageCommandOptions extends OutputOptions {
  readonly project: string;
  readonly state?: string;
  readonly targetApiSet?: number;
  readonly binary?: string;
  readonly withBinary?: boolean;
  readonly embedWasm: boolean;
  readonly resource?: readonly string[];
  readonly sdk?: boolean;
}

const LAB_BINARY = "made without Microsoft's SDK: for --body arm of the lab, not for real devices";

export function register(program: Command): void {
  withOutput(
    program
      .command("package")
      .description("build the app and pack it into build/NAME.imagepackage, signed with a lab key")
      .option("--project <folder>", "the app's folder", ".")
      .option("--state <folder>", "where the lab's key is; .spherule in the project if absent")
      .option("-s, --target-api-set <n>", "API set; 16 if absent", wholeNumber(1, 999))
      .option("--binary <file>", "the app's ARM binary; without any it runs in the lab only")
      .option("--with-binary", "build that binary with this computer's ARM compiler, for qemu-arm")
      .option("--resource <file>", "take this file along; may be repeated", collect)
      .option("--no-embed-wasm", "leave app.wasm out; needs a binary")
      .option("--sdk", "build and sign with Microsoft's SDK, for real devices"),
  ).action(async (options: PackageCommandOptions) => {
    await (options.sdk ? runSdk(options) : run(options));
  });
}

async function run(options: PackageCommandOptions): Promise<void> {
  const { packageApp } = await import("../../lab/package-app.ts");
  const { developmentKey } = await import("../../lab/signing-key.ts");
  const { readImage } = await import("../../imagepackage/index.ts");
  const projectFolder = resolve(options.project);
  const key = developmentKey(resolve(options.state ?? join(projectFolder, STATE_FOLDER)));
  const { file, image } = await packageApp({
    projectFolder,
    signer: key.signer,
    apiSet: options.targetApiSet,
    binary: options.binary === undefined ? undefined : resolve(options.binary),
    withBinary: options.withBinary,
    embedWasm: options.embedWasm,
    resources: options.resource,
  });
  const { name, componentId, imageId, files } = readImage(image);
  const result = {
    app: name,
    file: relative(process.cwd(), file),
    bytes: image.length,
    componentId,
    imageId,
    files: files.map(({ path }) => path),
    ...(options.withBinary ? { binary: LAB_BINARY } : {}),
    signedBy: `lab key ${key.signer.thumbprint}, not accepted by real devices`,
  };
  await print(result, { output: "yaml", ...options });
}

async function runSdk(options: PackageCommandOptions): Promise<void> {
  const { packageWithSdk } = await import("../../lab/sdk.ts");
  const file = await packageWithSdk(resolve(options.project));
  const result = { file: relative(process.cwd(), file), signedBy: "Microsoft's Azure Sphere SDK" };
  await print(result, { output: "yaml", ...options });
}
