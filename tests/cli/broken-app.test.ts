import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { finished, launch, newProject } from "./support.ts";

const test = suite("apps that beginners write");

/** Runs a command against a lab whose app ends with this line. */
async function runWith(line: string, command: string) {
  const { folder, remove } = newProject();
  appendFileSync(join(folder, "assembly/app/main.ts"), `\n${line}\n`);
  const child = launch(folder, ["exec", "--in-memory", "--", "node", "-e", command]);
  const result = await finished(child);
  remove();
  return { ...result, signal: child.signalCode };
}

for (const [line, advice] of [
  ['console.log("hi");', /no console\.log\. Use log\.info/],
  ["Math.random();", /no seed\. Use a generator/],
  ["Date.now();", /no Date\.now\. Use clock\.now\(\)/],
] as const) {
  test(`${line} is told at compile time, with its line and what to use`, async () => {
    const { code, stderr } = await runWith(line, "");
    assert.is(code, 1);
    assert.match(stderr, "error app-does-not-compile");
    assert.match(stderr, advice);
    assert.match(stderr, /in assembly\/app\/main\.ts\(\d+\)/);
  });
}

test("exec tells that the app crashed, though the command says nothing of it", async () => {
  const { code, stderr } = await runWith("assert(false);", "setTimeout(() => {}, 500)");
  assert.is(code, 0);
  assert.match(stderr, /error: the app ended with exit code 65: abort: .*main\.ts:\d+/);
});

test("an endless loop ends the lab with a word instead of freezing it", async () => {
  const { signal, stderr } = await runWith(
    "let turns: i32 = 0; while (turns >= 0) turns = (turns + 1) & 7;",
    "setTimeout(() => {}, 60_000)",
  );
  assert.is(signal, "SIGKILL");
  assert.match(stderr, "error app-stuck: An app has not come back for 10 s");
});

test.run();
