// deadline: 300 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileFixture } from "../assembly/support.ts";
import { manifest, startDevice } from "../device/support.ts";
import { buildApp, buildFolder } from "./support.ts";

const test = suite("the memory limit of native bodies");
const app = await compileFixture("greedy");
const KILLED = 128 + 9;

for (const preset of ["linux-release", "arm-lab"] as const) {
  test(`${preset}: an app that passes 256 KiB is killed, reported and started again`, async () => {
    const folder = buildFolder(`memory-${preset}`);
    const native = await buildApp({ folder, name: "greedy", app, manifest: manifest(), preset });
    const device = await startDevice({ withHub: true });
    let most = 0;
    await device.os.install({ manifest: manifest(), ...app, native });
    await device.until(() => {
      most = Math.max(most, device.os.status().memoryBytes);
      return device.os.status().lastExitCode !== null;
    });
    assert.is(device.os.status().lastExitCode, KILLED);
    assert.ok(most > 128 * 1024, `${most} bytes`);
    const [line = ""] = device.log().filter((text) => text.startsWith("the app's process"));
    const [, bytes] =
      /^the app's process was ended by SIGKILL: its private memory of (\d+) bytes is over the limit of 262144$/.exec(
        line,
      ) ?? [];
    assert.ok(Number(bytes) > 256 * 1024 && Number(bytes) < 2 ** 22, line);
    const crash = "AppCrash (exit_status=137; signal_status=9; signal_code=1; component_id=";
    const reports = device.os.system.errorReports.lines();
    assert.ok(reports.at(-1)?.startsWith(crash), reports.join("\n"));
    assert.is(device.os.applications.memory().peakBytes, Number(bytes));
    await device.until(() => device.os.status().starts === 2);
    await device.until(() => device.log().filter((text) => text === "greedy").length === 2);
    await device.stop();
  });
}

test("a build with sanitizers, which take more, is left alone", async () => {
  const folder = buildFolder("memory-linux-debug");
  const quiet = await compileFixture("faults");
  const native = await buildApp({ folder, name: "quiet", app: quiet, manifest: manifest() });
  const device = await startDevice();
  await device.os.install({ manifest: manifest([]), ...quiet, native });
  await device.until(() => device.os.status().memoryBytes > 256 * 1024);
  const seen = device.clock.monotonic();
  await device.until(() => device.clock.monotonic() > seen + 1000);
  assert.is(device.os.status().state, "running");
  await device.stop();
});

test.run();
