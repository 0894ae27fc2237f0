import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { LabError } from "../errors.ts";
import { packageFolder } from "../paths.ts";
import type { CompiledApp, CompileRequest } from "./compile.ts";

/** What goes over the channel to the compiler's process; see `process-main.ts`. */
export type CompilerAnswer =
  | { readonly ok: true; readonly app: CompiledApp }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly hint: string };

export interface CompilerProcess {
  /** One at a time. @throws LabError as `compileApp`, and compiler-ended */
  compile(request: CompileRequest): Promise<CompiledApp>;
  stop(): void;
}

/** After so long without a compilation the process goes, and its memory with it. */
const IDLE_MS = 60_000;

/**
 * The compiler in a process of its own, which stays warm between compilations. It takes some 300 MB
 * and all of a core: in the lab's own process it would hold up every device and connection meanwhile.
 */
export function createCompilerProcess(): CompilerProcess {
  let child: ChildProcess | undefined;
  let idle: NodeJS.Timeout | undefined;

  function stop(): void {
    clearTimeout(idle);
    child?.kill();
    child = undefined;
  }

  function running(): ChildProcess {
    clearTimeout(idle);
    child ??= fork(join(packageFolder(), "dist/process-main.js"), {
      serialization: "advanced",
      // Standard input and output are the lab's.
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    return child;
  }

  return {
    async compile(request) {
      const compiler = running();
      const answer = await ask(compiler, request);
      idle = setTimeout(stop, IDLE_MS);
      idle.unref();
      if (answer.ok) return answer.app;
      throw new LabError(answer.code, answer.message, answer.hint);
    },
    stop,
  };
}

function ask(compiler: ChildProcess, request: CompileRequest): Promise<CompilerAnswer> {
  return new Promise((resolve, reject) => {
    const settled = (settle: () => void) => {
      compiler.removeListener("message", onMessage);
      compiler.removeListener("exit", onExit);
      settle();
    };
    const onMessage = (answer: unknown) => settled(() => resolve(answer as CompilerAnswer));
    const onExit = (code: number | null) =>
      settled(() =>
        reject(
          new LabError(
            "compiler-ended",
            `The compiler's process ended with code ${code} before it answered.`,
            "Try again; when memory is short, close something.",
          ),
        ),
      );
    compiler.on("message", onMessage);
    compiler.on("exit", onExit);
    compiler.send(request);
  });
}
