import { createInterface } from "node:readline/promises";
import type { Terminal } from "./table.ts";

/** The terminal of this process. */
export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  async ask(question) {
    if (!process.stdin.isTTY) return undefined;
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await lines.question(question);
    } finally {
      lines.close();
    }
  },
  async *lines(prompt, complete) {
    const { stdin: input, stdout: output } = process;
    const reader = createInterface({
      ...(input.isTTY ? { input, output } : { input }),
      prompt,
      completer: (line: string): [string[], string] => [
        [...complete(line)],
        line.split(" ").at(-1) ?? "",
      ],
    });
    let open = true;
    reader.once("close", () => {
      open = false;
    });
    reader.prompt();
    for await (const line of reader) {
      // What runs meanwhile may ask questions of its own.
      if (open) reader.pause();
      yield line;
      if (open) reader.prompt();
    }
  },
  env: process.env,
};
