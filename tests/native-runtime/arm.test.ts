// deadline: 300 s
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileApp } from "../../host-sim/compiler/compile.ts";
import { frameKind, u32 } from "../../host-sim/device/native/frames.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { compileFixture } from "../assembly/support.ts";
import { MAY_DEFER, ONE_DEFERRAL, updateDuringRecording } from "../device/recording.ts";
import { CAPABILITIES, manifest, startDevice } from "../device/support.ts";
import { answerTo, startScriptedOs } from "./scripted-os.ts";
import { buildApp, buildFolder, buildLibraryTests, runScenario, VERSIONED } from "./support.ts";

const test = suite("the body arm: the device's ABI under qemu-arm");
const options = { folder: buildFolder("arm"), manifest: manifest(), preset: "arm-lab" } as const;
const app = await compileApp({ projectFolder: packageFolder(), target: "release" });
const thermometer = await buildApp({ ...options, name: "thermometer", app });
const faults = await compileFixture("faults");
const failing = await buildApp({ ...options, name: "faults", app: faults });

const LARGEST_MEMORY = 256 * 1024;
/** What Microsoft's libraries offer besides libc; libgcc's helpers are linked in. */
const SPHERE =
  /^(Log|EventLoop|GPIO|Storage|Networking|Application|SysEvent|IoTHub\w*|Prov_Device)_/;
const AZURE =
  /^(IoTHub\w+|MQTT_Protocol|iothub_security_\w+|prov_dev_security_\w+|Map_GetInternals)$/;
/** musl 1.2 has other names for these; the device's headers give the device's. */
const TIME64: Readonly<Record<string, string>> = {
  __clock_gettime64: "clock_gettime",
  __timerfd_settime64: "timerfd_settime",
};

const VERSIONED_EXPORTS = [
  "z__Applications_GetMemoryInfo",
  ...["z__UART_InitConfig", "z__UART_Open", "z__SPIMaster_InitConfig", "z__SPIMaster_Open"],
  ...["z__SPIMaster_InitTransfers", "z__SPIMaster_TransferSequential"],
];

const tool = (name: string, ...args: string[]) =>
  execFileSync(`arm-linux-gnueabihf-${name}`, args, { encoding: "utf8" });

test("it is a hard-float program for the device's loader, and needs the device's libraries", () => {
  const text = tool("readelf", "-h", "-l", "-d", thermometer.file);
  assert.match(text, "Type:                              DYN");
  assert.match(text, "hard-float ABI");
  assert.match(text, "/lib/ld-musl-armhf.so.1");
  const needed = [...text.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1]);
  assert.equal(needed.sort(), ["libapplibs.so.0", "libazureiot.so.1", "libc.so"]);
});

test("it links nothing that the SDK does not let an app link", () => {
  const allowed = new Set(
    readFileSync("tests/fixtures/sphere-libc-symbols.txt", "utf8").split("\n"),
  );
  const lines = tool("nm", "-D", "--undefined-only", thermometer.file).trim().split("\n");
  const names = lines.map((line) => line.trim().split(" ")).filter(([kind]) => kind === "U");
  const foreign = names
    .map(([, name = ""]) => TIME64[name] ?? name)
    .filter((name) => !allowed.has(name) && !SPHERE.test(name) && !AZURE.test(name));
  assert.ok(names.length > 20);
  assert.equal(foreign, []);
});

test("programs in the style of the SDK's headers link to the versioned exports, and run", async () => {
  const program = await buildLibraryTests(options.folder, options.preset);
  const [exported, wanted] = [join(program.libraries, "libapplibs.so.0"), program.file].map(
    (file) =>
      tool("nm", "-D", file)
        .split("\n")
        .map((line) => line.trim().split(" ").slice(-2).join(" ")),
  );
  for (const name of VERSIONED_EXPORTS) {
    assert.ok(exported?.includes(`T ${name}`), name);
    assert.ok(wanted?.includes(`U ${name}`), name);
    assert.not.ok(wanted?.includes(`U ${name.replace("z__", "")}`), name);
  }
  const os = await startScriptedOs((frame) => {
    if (frame.kind === frameKind.memoryUsage)
      return answerTo(frame, 0, u32(100 + frame.payload.u32()));
    return answerTo(frame, frame.kind === frameKind.peripheralOpen ? -19 : 0);
  });
  const { lines, stderr } = await runScenario(program, "versioned", os.path);
  await os.stop();
  assert.equal(lines, VERSIONED, stderr);
});

test("the thermometer connects, sends and ends in good order, within 256 KiB", async () => {
  const device = await startDevice({ withHub: true });
  await device.os.install({ manifest: manifest(), ...app, native: thermometer });
  await device.until(() => device.telemetry().length > 0);
  const { memoryBytes, hubConnected } = device.os.status();
  assert.ok(hubConnected);
  assert.ok(memoryBytes > 48 * 1024 && memoryBytes < LARGEST_MEMORY, `${memoryBytes} bytes`);
  await device.os.stopApp();
  assert.is(device.os.status().lastExitCode, 0);
  assert.ok(device.log().includes("goodbye"));
  await device.stop();
});

test("an update waits for the end of a recording", async () => {
  const device = await startDevice({ withHub: true });
  const mayDefer = manifest(undefined, { ...CAPABILITIES, ...MAY_DEFER });
  await device.os.install({ manifest: mayDefer, ...app, native: thermometer });
  await device.until(() => device.telemetry().length > 0);
  assert.equal(await updateDuringRecording(device), ONE_DEFERRAL);
  assert.is(device.os.status().lastExitCode, 0);
  await device.stop();
});

for (const [fault, code] of [
  ["divide", 68],
  ["bounds", 67],
  ["memory", 66],
  ["stack", 72],
  ["throw", 65],
] as const) {
  test(`${fault} ends the app with ${code}, at a line of TypeScript`, async () => {
    const device = await startDevice();
    await device.os.install({ manifest: manifest([fault]), ...faults, native: failing });
    await device.until(() => device.os.status().lastExitCode !== null);
    assert.is(device.os.status().lastExitCode, code);
    const report = device.log().find((line) => line.startsWith("the app ended")) ?? "";
    assert.match(report, / at tests\/fixtures\/assembly\/faults\.ts:\d+/);
    await device.stop();
  });
}

test.run();
