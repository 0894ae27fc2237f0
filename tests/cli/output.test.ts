import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { format } from "../../host-sim/cli/output.ts";
import type { LabError } from "../../host-sim/errors.ts";
import { packageFolder } from "../../host-sim/paths.ts";

const test = suite("command output");
const devices = [
  { deviceId: "a", status: "enabled" },
  { deviceId: "long", status: "disabled" },
];

test("a table has a title, a rule and aligned columns", async () => {
  assert.is(
    await format(devices, { output: "table" }),
    ["DeviceId  Status", "--------  --------", "a         enabled", "long      disabled"].join(
      "\n",
    ),
  );
});

test("tsv has a line a row, without a title", async () => {
  assert.is(await format(devices, { output: "tsv" }), "a\tenabled\nlong\tdisabled");
});

test("a tab inside a tsv cell does not make a column", async () => {
  assert.is(await format({ text: "a\tb\nc" }, { output: "tsv" }), "a b c");
});

test("json is parseable and whole", async () => {
  assert.equal(JSON.parse(await format(devices, { output: "json" })), devices);
});

test("yaml lists the objects", async () => {
  assert.match(await format(devices, { output: "yaml" }), "- deviceId: a");
});

test("--query picks by JMESPath", async () => {
  const text = await format(devices, { output: "json", query: "[?status=='enabled'].deviceId" });
  assert.equal(JSON.parse(text), ["a"]);
});

test("a broken --query is explained", async () => {
  const problem: LabError = await format(devices, { query: "[?" }).catch((error) => error);
  assert.is(problem.code, "query-invalid");
});

test("nothing is printed for an empty list", async () => {
  assert.is(await format([], { output: "table" }), "");
  assert.is(await format([], { output: "tsv" }), "");
});

test("who closes the pipe has heard enough, and nothing went wrong", () => {
  const { stdout } = spawnSync(
    "bash",
    [
      "-c",
      'set -o pipefail; "$0" "$1" hub --help | true; echo $?',
      process.execPath,
      join(packageFolder(), "bin/spherule.mjs"),
    ],
    { encoding: "utf8" },
  );
  assert.is(stdout.trim(), "0");
});

test.run();
