import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { Command } from "commander";
import { killedWithTheLab } from "../../device/native/app-process.ts";
import { LabError, systemErrorCode } from "../../errors.ts";
import { type LabCommandOptions, labOptions, withLabOptions } from "../lab-options.ts";
import { liveLine } from "../live.ts";

interface ExecOptions extends LabCommandOptions {
  readonly verbose?: boolean;
}

export function register(program: Command): void {
  withLabOptions(
    program
      .command("exec <command...>")
      .description("start the lab, run a command against it, stop, and pass its exit code on"),
  )
    .option("--verbose", "show the lab's log on standard error")
    .addHelpText("after", "\nExample: spherule exec --in-memory -- npm test")
    .action((command: string[], options: ExecOptions) => run(command, options));
}

async function run(command: string[], options: ExecOptions): Promise<void> {
  const [{ startLab }, { clientEnvironment }, { endLabWhenAppIsStuck }] = await Promise.all([
    import("../../lab.ts"),
    import("../../lab/environment.ts"),
    import("../stuck-app.ts"),
  ]);
  endLabWhenAppIsStuck();
  const lab = await startLab({
    ...(await labOptions(options)),
    onEvent: (event) => {
      // What goes wrong is told in any case: the command sees no more of it than silence.
      const wrong = event.type === "log" && event.line.level === "error";
      if (options.verbose || wrong) process.stderr.write(`${liveLine(event, false)}\n`);
    },
  });
  try {
    process.exitCode = await runChild(command, clientEnvironment(lab.description, process.env));
  } finally {
    await lab.stop();
  }
}

/** Signals reach the child by themselves from a terminal, and are passed on otherwise. */
function runChild(command: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit", env });
    const pass = (signal: NodeJS.Signals) => void child.kill(signal);
    process.on("SIGINT", pass);
    process.on("SIGTERM", pass);
    killedWithTheLab(child, () => void child.kill());
    const done = () => {
      process.removeListener("SIGINT", pass);
      process.removeListener("SIGTERM", pass);
    };
    child.on("error", (error) => {
      done();
      reject(cannotRun(program, error));
    });
    child.on("close", (code, signal) => {
      done();
      resolve(code ?? 128 + constants.signals[signal ?? "SIGTERM"]);
    });
  });
}

function cannotRun(program: string, error: Error): LabError {
  const missing = systemErrorCode(error) === "ENOENT";
  return new LabError(
    "command-unknown",
    missing ? `There is no command ${program}.` : `${program} cannot be run: ${error.message}.`,
    "Check its name; everything behind -- is taken as the command.",
  );
}
