// deadline: 240 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { follow } from "./support.ts";

const test = suite("updates over the air, as the page tells");

test("version 2 is deployed, deferred, installed and rolled back", async () => {
  assert.ok((await follow("updates.md")) > 20);
});

test.run();
