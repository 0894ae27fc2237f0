import { relative, resolve } from "node:path";
import type { Command } from "commander";
import { withOutput } from "../options.ts";
import { type OutputOptions, print } from "../output.ts";

interface BuildOptions extends OutputOptions {
  readonly project: string;
  readonly debug?: boolean;
}

export function register(program: Command): void {
  withOutput(
    program
      .command("build")
      .description("compile the app to WebAssembly; nothing is done when nothing has changed")
      .option("--project <folder>", "the app's folder", ".")
      .option("--debug", "the quick build that `start` uses"),
  ).action(async (options: BuildOptions) => {
    const { buildApp } = await import("../../lab/app-image.ts");
    const app = await buildApp(resolve(options.project), options.debug ? "debug" : "release");
    const result = {
      app: app.manifest.Name,
      file: relative(process.cwd(), app.file),
      bytes: app.wasm.length,
      milliseconds: app.compiledInMs ?? 0,
    };
    await print(result, { output: "yaml", ...options });
  });
}
