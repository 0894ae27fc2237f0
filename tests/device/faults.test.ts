import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileFixture } from "../assembly/support.ts";
import { manifest, startDevice } from "./support.ts";

const test = suite("how an app ends");
const faults = await compileFixture("faults");
const imports = await compileFixture("all-imports");

/** Runs the fixture once and answers the code and the first line of the report. */
async function fail(fault: string) {
  const device = await startDevice();
  await device.os.install({ manifest: manifest([fault]), ...faults });
  const { lastExitCode, state } = device.os.status();
  const report = device.log().find((line) => line.startsWith("the app ended")) ?? "";
  await device.stop();
  return { code: lastExitCode, state, report };
}

for (const [fault, code, words] of [
  ["unreachable", 64, "trap: unreachable"],
  ["throw", 65, "abort: no way on"],
  ["index", 65, "abort: Index out of range"],
  ["memory", 66, "out of linear memory"],
  ["bounds", 67, "memory access out of bounds"],
  ["divide", 68, "integer division by zero"],
  ["overflow", 69, "integer overflow"],
  ["indirect", 71, "wrong indirect call"],
  ["stack", 72, "stack exhausted"],
] as const) {
  test(`${fault} ends the app with exit code ${code} and the line in the source`, async () => {
    const result = await fail(fault);
    assert.is(result.code, code);
    assert.is(result.state, "restarting");
    assert.match(result.report, words);
    assert.match(result.report, / at tests\/fixtures\/assembly\/faults\.ts:\d+:\d+/);
  });
}

test("exit(5) ends the app with 5 and no report of a trap", async () => {
  const { code, report } = await fail("exit");
  assert.is(code, 5);
  assert.is(report, "the app ended with exit code 5");
});

test("a pin that is not in the manifest is EACCES, explained in the log", async () => {
  const device = await startDevice();
  await device.os.install({ manifest: manifest(["pin"], { Gpio: [] }), ...faults });
  assert.ok(device.log().some((line) => /EACCES: GPIO 4 is not in the Gpio cap/.test(line)));
  assert.is(device.os.status().lastExitCode, 65);
  await device.stop();
});

test("a pin that is open already is EBUSY", async () => {
  const device = await startDevice();
  await device.os.install({ manifest: manifest(["twice"]), ...faults });
  assert.ok(device.log().some((line) => /GPIO 12 cannot be opened: EBUSY/.test(line)));
  await device.stop();
});

test("a broken app is started again after 1, 2, 4 … seconds, at most 30", async () => {
  const device = await startDevice();
  await device.os.install({ manifest: manifest(["throw"]), ...faults });
  const pauses: string[] = [];
  for (let start = 1; start <= 7; start++) {
    pauses.push(
      device
        .log()
        .at(-1)
        ?.match(/in (\d+) s/)?.[1] ?? "",
    );
    device.clock.advance(Number(pauses.at(-1)) * 1000);
    assert.is(device.os.status().starts, start + 1);
  }
  assert.equal(pauses, ["1", "2", "4", "8", "16", "30", "30"]);
  await device.stop();
});

test("an app that is stopped hears of it, ends with 0 and is not started again", async () => {
  const device = await startDevice();
  const { wasm, sourceMap } = faults;
  await device.os.install({ manifest: manifest(["nothing"]), wasm, sourceMap });
  await device.os.stopApp();
  device.clock.advance(120_000);
  const { state, lastExitCode, starts } = device.os.status();
  assert.equal({ state, lastExitCode, starts }, { state: "stopped", lastExitCode: 0, starts: 1 });
  await device.stop();
});

test("an import that the host does not offer ends the app with 85 before it runs", async () => {
  const device = await startDevice();
  // (module (import "gpio" "teleport" (func)))
  const wasm = Buffer.from("0061736d0100000001040160000002110104", "hex");
  const name = Buffer.from("\u0004gpio\u0008teleport\u0000\u0000", "latin1");
  const section = Buffer.concat([Buffer.from([1]), name]);
  const bytes = Buffer.concat([wasm.subarray(0, 14), Buffer.from([2, section.length]), section]);
  await device.os.install({ manifest: manifest(), wasm: bytes });
  await device.until(() => device.os.status().lastExitCode !== null);
  assert.is(device.os.status().lastExitCode, 85);
  assert.ok(device.log().some((line) => /gpio\.teleport/.test(line)));
  await device.stop();
});

test("every import refuses nonsense with an error and never ends the host", async () => {
  const { runWasm } = await import("../../host-sim/device/wasm/instance.ts");
  const { createImports } = await import("../../host-sim/device/wasm/imports.ts");
  const { createSession } = await import("../../host-sim/device/session/session.ts");
  assert.ok(runWasm);
  const device = await startDevice();
  const options = { emit: () => {}, onTimer: () => {} };
  const logger = (await import("../../host-sim/log.ts")).silentLogger;
  const session = createSession({
    ...device,
    ...options,
    ...{ manifest: manifest(), logger, appLogger: logger },
  });
  const module = new WebAssembly.Module(imports.wasm);
  let memory = new ArrayBuffer(0);
  const instance = new WebAssembly.Instance(
    module,
    createImports(session, () => memory),
  );
  const app = instance.exports as unknown as {
    memory: WebAssembly.Memory;
    start(): void;
    callAll(): number;
    harmless(): number;
    REFUSALS: { value: number };
    leave(): void;
  };
  memory = app.memory.buffer;
  app.start();
  assert.is(app.callAll(), app.REFUSALS.value);
  assert.ok(app.harmless());
  assert.throws(
    () => app.leave(),
    (error: { code: number }) => error.code === 7,
  );
  await session.end();
  await device.stop();
});

test.run();
