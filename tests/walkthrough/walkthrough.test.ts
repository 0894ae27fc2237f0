// deadline: 240 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { follow, matches } from "./support.ts";

const test = suite("walkthrough");

test("what a page shows is compared line by line", () => {
  const step = { command: "", expected: ["a …", "…", "end"] };
  assert.ok(matches(step, "a b\nc\nd\nend\n"));
  assert.ok(matches(step, "a b\nend\n"));
  assert.not.ok(matches(step, "b\nend\n"));
  assert.not.ok(matches(step, "a b\nend\nmore\n"));
  assert.not.ok(matches({ command: "", expected: [] }, "anything\n"));
});

test("the lab of the article, from a device as from the factory to its telemetry", async () => {
  assert.ok((await follow("walkthrough.md")) > 20);
});

test.run();
