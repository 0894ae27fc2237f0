import { relative } from "node:path";
import type { Command } from "commander";
import type { NewProject } from "../../lab/new-project.ts";
import { withOutput } from "../options.ts";
import { type OutputOptions, print } from "../output.ts";

interface InitOptions extends OutputOptions {
  readonly name?: string;
  readonly tenant?: string;
  readonly spherule?: string;
}

export function register(program: Command): void {
  withOutput(
    program
      .command("init <folder>")
      .description("make a new project: an app with its tests, manifest and settings")
      .option("--name <name>", "the app's name; the folder's if absent")
      .option("--tenant <guid>", "the tenant (catalog) of its devices; a new GUID if absent")
      .option("--spherule <spec>", "what package.json asks npm for, e.g. github:OWNER/spherule")
      .addHelpText("after", "\nExample: spherule init my-app && cd my-app && npm install"),
  ).action(async (folder: string, options: InitOptions) => {
    const { createProject } = await import("../../lab/new-project.ts");
    const project = createProject({ folder, ...options });
    const formatted = options.output !== undefined || options.query !== undefined;
    if (formatted) await print(project, { output: "json", ...options });
    else process.stdout.write(nextSteps(project));
  });
}

function nextSteps({ name, folder, files }: NewProject): string {
  const path = relative(process.cwd(), folder);
  const steps = [
    ...(path === "" ? [] : [`cd ${/[^\w./-]/.test(path) ? `'${path}'` : path}`]),
    "npm install",
    "npm start        a virtual MT3620 runs the app; saved changes run at once",
    "npm test         the app in the lab",
  ];
  const lines = steps.map((step) => `  ${step}`).join("\n");
  return `${name} is in ${folder}, ${files.length} files. Next:\n\n${lines}\n`;
}
