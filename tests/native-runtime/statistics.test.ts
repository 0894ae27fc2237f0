// deadline: 300 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { NativeProgram } from "../../host-sim/device/app.ts";
import { compileFixture } from "../assembly/support.ts";
import { manifest } from "../device/support.ts";
import { ONE, packApp, TRUSTING } from "../device-rest/packages.ts";
import { startRest } from "../device-rest/support.ts";
import { buildApp, buildFolder } from "./support.ts";

const test = suite("memory and quota of an app that runs");
const app = await compileFixture("hoard", "release");
const CAPABILITIES = { MutableStorage: { SizeKB: 8 } };
const build = (preset: "linux-release" | "arm-lab") =>
  buildApp({
    ...{ folder: buildFolder(`statistics-${preset}`), name: "hoard", app, preset },
    manifest: manifest([], CAPABILITIES),
  });
const BODIES: readonly (readonly [string, NativeProgram | undefined])[] = [
  ["wasm", undefined],
  ["native", await build("linux-release")],
  ["arm", await build("arm-lab")],
];
const OUT_OF_MEMORY = 66;

async function startApp(program: NativeProgram | undefined, argument: string) {
  const device = await startRest({ ...TRUSTING, packagedProgram: () => program });
  const files = [{ path: "app.wasm", content: app.wasm }];
  const bytes = packApp({ files, capabilities: CAPABILITIES, fault: argument });
  await device.call("PUT", "/update/stage", bytes);
  await device.call("POST", "/update/install");
  const said = async (text: string) => {
    while (!device.lines.some((line) => line.text.includes(text))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await said("kept 1500");
  const memory = async () => {
    const answer = await device.get("/stats/memory/groups/applications");
    const { memoryStats: stats } = answer.json;
    return {
      now: stats.currentMemoryUsageInBytes,
      user: stats.userModeMemoryUsageInBytes,
      peak: stats.peakUserModeMemoryUsageInBytes,
    };
  };
  const quota = async () => (await device.get(`/app/quota/${ONE}`)).json;
  return { device, said, memory, quota };
}

for (const [body, program] of BODIES) {
  test(`${body}: what the app has written counts while it runs, and afterwards`, async () => {
    const { device, quota } = await startApp(program, "idle");
    assert.equal(await quota(), { UsageKB: 2, LimitKB: 8 });
    await device.call("PATCH", `/app/status/${ONE}`, { trigger: "stop" });
    assert.equal(await quota(), { UsageKB: 2, LimitKB: 8 });
    await device.stop();
  });

  test(`${body}: memory is the app's, nothing after its end, and the most is remembered`, async () => {
    const { device, memory } = await startApp(program, "idle");
    const { now, user, peak } = await memory();
    assert.ok(now > 16 * 1024 && now < 256 * 1024, `${now} bytes`);
    assert.is(user, now);
    assert.ok(peak >= now);
    await device.call("PATCH", `/app/status/${ONE}`, { trigger: "stop" });
    const after = await memory();
    assert.is(after.now, 0);
    assert.ok(after.peak >= peak);
    await device.call("POST", "/restart");
    await device.restarted();
    assert.ok((await memory()).peak < after.peak + now, "it begins anew with the system");
    await device.stop();
  });
}

test("an app that filled its memory at once and ended is remembered too", async () => {
  const { device, memory, said } = await startApp(undefined, "fill");
  await said(`exit code ${OUT_OF_MEMORY}: out of linear memory`);
  const { now, peak } = await memory();
  assert.is(now, 0);
  assert.is(peak, 65_536);
  await device.stop();
});

test.run();
