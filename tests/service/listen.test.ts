import { createServer } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LabError } from "../../host-sim/errors.ts";
import { listen } from "../../host-sim/listen.ts";

const test = suite("listen");

test("a taken port is refused with the name of its owner", async () => {
  const first = createServer();
  const { port } = await listen(first, "127.0.0.1", 0);
  const problem: LabError = await listen(createServer(), "127.0.0.1", port).catch((error) => error);
  assert.is(problem.code, "port-in-use");
  assert.match(problem.message, `process ${process.pid}`);
  await new Promise((resolve) => first.close(resolve));
});

test("an address that is not this computer's is refused", async () => {
  const problem = await listen(createServer(), "192.0.2.1", 0).catch((error) => error);
  assert.is(problem.code, "address-unknown");
});

test.run();
