// deadline: 240 s
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../host-sim/paths.ts";
import { follow, stepsOf } from "./support.ts";

const test = suite("a real hub, as far as the page does not need Azure");

test("what is the lab's on the page does what the page shows", async () => {
  assert.ok((await follow("real-hub.md")) > 10);
});

test("what needs Azure is marked, and none of it is executed", () => {
  const text = readFileSync(join(packageFolder(), "docs/real-hub.md"), "utf8");
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
  // A command may go on in the next line.
  const commands = blocks.join("").replaceAll("\\\n", " ").trimEnd().split("\n");
  assert.ok(commands.length > 6);
  for (const command of commands) assert.match(command, /\baz iot .*# \(Azure\)$/);
  for (const { command } of stepsOf("real-hub.md")) assert.not.match(command, /\baz iot\b/);
});

test.run();
