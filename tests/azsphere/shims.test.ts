import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { spherule } from "../cli/support.ts";
import { temporaryFolder } from "./support.ts";

const test = suite("azsphere: as a program");
const { folder, remove } = temporaryFolder();
test.after(remove);

test("the shims are opt-in programs with exit codes", async () => {
  const shown = await spherule(folder, "azsphere", "--shim-folder");
  assert.is(shown.code, 0, shown.stderr);
  const env = {
    ...process.env,
    ...{ PATH: [shown.stdout.trim(), process.env.PATH].join(delimiter), NODE_OPTIONS: "" },
    SPHERULE_SETTINGS: join(folder, "settings.json"),
  };
  const run = (program: string, ...args: string[]) =>
    spawnSync(program, args, { cwd: folder, env, encoding: "utf8" });
  const version = run("azsphere", "show-version", "--output", "json");
  assert.equal(
    [version.status, Object.keys(JSON.parse(version.stdout))],
    [0, ["Azure Sphere SDK"]],
  );
  const typed = spawnSync("azsphere", ["interactive"], {
    ...{ cwd: folder, env, encoding: "utf8", input: "show-user\nshow-user\n" },
  });
  assert.equal([typed.status, typed.stdout.match(/Name : lab\n/g)?.length], [0, 2]);
  assert.is(run("az", "sphere", "device", "wifi", "ad").status, 2);
  assert.is(run("az", "group", "list").status, 2);
  const completed =
    'eval "$(azsphere --completion bash)"; COMP_WORDS=(azsphere device wifi fo); COMP_CWORD=3; _spherule_azsphere; echo "$COMPREPLY"';
  assert.is(run("bash", "-c", completed).stdout, "forget\n");
  const az =
    'eval "$(az sphere --completion bash)"; COMP_WORDS=(az sphere device wifi fo); COMP_CWORD=4; _spherule_az; echo "$COMPREPLY"';
  assert.is(run("bash", "-c", az).stdout, "forget\n");
});

test("without a lab a command says what to type", async () => {
  const { code, stdout, stderr } = await spherule(folder, "azsphere", "product", "list");
  assert.equal([code, stdout], [1, ""]);
  assert.match(stderr, /^ERROR: No lab is running here\.\nType `spherule start`/);
  const device = await spherule(folder, "az", "sphere", "device", "show-attached");
  assert.is(device.code, 1);
  assert.match(device.stderr, "Could not connect to the device; please ensure it is attached.");
});

test("spherule --help names both", async () => {
  const { stdout } = await spherule(folder, "--help");
  assert.match(stdout, /\n {2}azsphere +Azure Sphere's command line, on the lab\n/);
});

test.run();
