import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runAz } from "../../host-sim/cli/azsphere/az.ts";
import { runAzsphere, type Terminal } from "../../host-sim/cli/azsphere/index.ts";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

export interface ToolOptions {
  readonly env: Readonly<Record<string, string>>;
  /** What is answered to a question. */
  readonly answer?: string;
  /** What is typed line by line. */
  readonly typed?: readonly string[];
}

/** A folder that goes with the test. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "spherule-azsphere-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The command line in this process; what it talks to is behind real sockets all the same. */
export function createTool({ env, answer, typed = [] }: ToolOptions) {
  async function collected(run: (terminal: Terminal) => Promise<number>): Promise<Outcome> {
    let out = "";
    let error = "";
    const code = await run({
      env,
      out: (text) => {
        out += text;
      },
      error: (text) => {
        error += text;
      },
      ask: async () => answer,
      lines: async function* () {
        yield* typed;
      },
    });
    return { code, out, error };
  }
  const azsphere = (...args: string[]) =>
    collected((terminal) => runAzsphere("azsphere", args, terminal));
  return {
    azsphere,
    az: (...args: string[]) => collected((terminal) => runAz(args, terminal)),
    sphere: (...args: string[]) => collected((terminal) => runAzsphere("az", args, terminal)),
    /** Runs one that has to succeed. @returns what it prints */
    async ok(...args: string[]): Promise<string> {
      const { code, out, error } = await azsphere(...args);
      if (code !== 0) throw new Error(`azsphere ${args.join(" ")} ended with ${code}: ${error}`);
      return out;
    },
    // biome-ignore lint/suspicious/noExplicitAny: tests look into all shapes
    async json(...args: string[]): Promise<any> {
      const { code, out, error } = await azsphere(...args, "--output", "json");
      if (code !== 0) throw new Error(`azsphere ${args.join(" ")} ended with ${code}: ${error}`);
      return JSON.parse(out);
    },
  };
}

export type Tool = ReturnType<typeof createTool>;
