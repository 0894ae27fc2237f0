import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { packageFolder } from "../../host-sim/paths.ts";
import { newProject } from "../cli/support.ts";

export interface Step {
  readonly command: string;
  /** Lines; `…` stands for any text, as a line of its own for any lines. */
  readonly expected: readonly string[];
}

/** The steps of a page: `$ ` begins a command in a block of kind `console`, `> ` continues it. */
export function stepsOf(page: string): readonly Step[] {
  const text = readFileSync(join(packageFolder(), "docs", page), "utf8");
  const blocks = [...text.matchAll(/^```console\n([\s\S]*?)^```$/gm)];
  return blocks.flatMap(([, block = ""]) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const lines = part.trimEnd().split("\n");
        const next = lines.findIndex((line, index) => index > 0 && !/^>( |$)/.test(line));
        const end = next < 0 ? lines.length : next;
        const command = lines.slice(0, end).map((line, at) => (at === 0 ? line : line.slice(2)));
        return { command: command.join("\n"), expected: lines.slice(end) };
      }),
  );
}

/** Whether the output is what the page shows. */
export function matches({ expected }: Step, output: string): boolean {
  const pattern = expected
    .map((line) => {
      if (line === "…") return "(?:.*\\n)*?";
      const escaped = line.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      return `${escaped.replaceAll("…", ".*")}\\n`;
    })
    .join("");
  return new RegExp(`^${pattern}$`).test(output);
}

/** The longest silence of a command. */
const STEP_MS = 45_000;
const MARK = "--- ended with ";

/** A shell in a new project, as a reader has it; the lab that it starts goes with it. */
export function openShell() {
  const { folder, remove } = newProject();
  const { SPHERULE_API: _api, ...inherited } = process.env;
  const shell = spawn("/bin/bash", ["--noprofile", "--norc"], {
    cwd: folder,
    detached: true,
    env: {
      ...inherited,
      ...{ NODE_OPTIONS: "", NO_COLOR: "1", SPHERULE_SETTINGS: join(folder, "settings.json") },
      PATH: [join(packageFolder(), "bin/path"), process.env.PATH].join(delimiter),
    },
  });
  let output = "";
  let wake = () => {};
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
      wake();
    });
  }
  const closed = new Promise<void>((resolve) => shell.on("close", () => resolve()));

  return {
    /** @returns everything that it prints, and its exit code */
    async run(command: string): Promise<{ readonly output: string; readonly code: number }> {
      output = "";
      // The command is in the project already; npx would look for it in the project's packages.
      const own = command.replaceAll("npx spherule", "spherule");
      shell.stdin.write(`${own}\necho "${MARK}$?"\n`);
      for (;;) {
        const at = output.indexOf(MARK);
        if (at >= 0 && output.endsWith("\n")) {
          return { output: output.slice(0, at), code: Number(output.slice(at + MARK.length)) };
        }
        await new Promise<void>((resolve, reject) => {
          const tooLong = () => reject(new Error(`$ ${command}\ndoes not end: ${output}`));
          const timer = setTimeout(tooLong, STEP_MS);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    async close(): Promise<void> {
      // The shell and the lab that it started are a group of their own.
      if (shell.pid !== undefined && shell.exitCode === null) process.kill(-shell.pid, "SIGTERM");
      shell.stdin.destroy();
      await closed;
      remove();
    },
  };
}

/** Types a page from its first command to its last. @throws Error that shows where they differ */
export async function follow(page: string): Promise<number> {
  const shell = openShell();
  const steps = stepsOf(page);
  try {
    for (const step of steps) {
      const { output, code } = await shell.run(step.command);
      const wanted = step.expected[0]?.startsWith("ERROR") ? 2 : 0;
      if (code === wanted && matches(step, output)) continue;
      const shown = step.expected.join("\n");
      throw new Error(`$ ${step.command}\n(${code})\n${output}\nThe page shows:\n${shown}`);
    }
  } finally {
    await shell.close();
  }
  return steps.length;
}
