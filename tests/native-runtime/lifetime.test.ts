// deadline: 240 s
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { finished, launch, newProject } from "../cli/support.ts";

const test = suite("a lab that is killed");
const { folder, remove } = newProject();
test.after(remove);

const programs = () =>
  execFileSync("ps", ["-ww", "-eo", "stat,args"], { encoding: "utf8" })
    .split("\n")
    // A zombie runs no more; who has to bury it is not ours.
    .filter((line) => line.includes(`${folder}/build/native/`) && !line.startsWith("Z"));

for (const body of ["native", "arm"]) {
  test(`takes its app along, in the body ${body}`, async () => {
    const before = "spherule telemetry --count 1 --timeout 60 && ps -ww -eo args && kill -9 $PPID";
    const lab = launch(folder, ["exec", "--in-memory", "--body", body, "--", "sh", "-c", before]);
    const { stdout } = await finished(lab);
    assert.match(stdout, `${folder}/build/native/`);
    assert.is(lab.signalCode, "SIGKILL");
    while (programs().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });
}

test("the next lab on the same state starts the app again, and its storage is whole", async () => {
  const state = ["exec", "--state", join(folder, "state"), "--body", "native", "--"];
  const killing = "spherule telemetry --count 1 --timeout 60 && kill -9 $PPID";
  const lab = launch(folder, [...state, "sh", "-c", killing]);
  await finished(lab);
  assert.is(lab.signalCode, "SIGKILL");
  const next = launch(folder, [
    ...state,
    "spherule",
    "telemetry",
    "--count",
    "1",
    "--timeout",
    "60",
  ]);
  const { stdout, stderr } = await finished(next);
  assert.is(next.exitCode, 0, stderr);
  assert.match(stdout, /"temperature":/);
});

/** gdb lets the app go, which its debug server then no longer holds. */
const DETACH = "gdb-multiarch -nx -batch -ex 'target remote 127.0.0.1:'$port -ex detach";
const DEBUG = [
  "id=$(sed -n 's/.*ComponentId.: *.\\([-0-9a-f]*\\).*/\\1/p' app_manifest.json)",
  'start="spherule azsphere device app start --debug-mode --component-id $id"',
  "port=$($start --output tsv --query '[0].gdbPort')",
].join("; ");

for (const [body, what, then] of [
  ["native", "waits for a debugger", "true"],
  ["arm", "waits for a debugger", "true"],
  ["native", "was debugged", DETACH],
  ["arm", "was debugged", DETACH],
] as const) {
  test(`takes an app along that ${what}, in the body ${body}`, async () => {
    const before = `${DEBUG}; ${then}; ps -ww -eo args; kill -9 $PPID`;
    const lab = launch(folder, ["exec", "--in-memory", "--body", body, "--", "sh", "-c", before]);
    const { stdout, stderr } = await finished(lab);
    const command = body === "native" ? "gdbserver" : "qemu-arm -g";
    const shown = stdout.split("\n").filter((line) => line.includes(command));
    assert.match(shown.join("\n"), `${folder}/build/native/`, `${stdout}${stderr}`);
    assert.is(lab.signalCode, "SIGKILL");
    while (programs().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });
}

test.run();
