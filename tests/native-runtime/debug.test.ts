// deadline: 300 s
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { NativeProgram } from "../../host-sim/device/app.ts";
import { packetReader } from "../../host-sim/device/native/debug-stub.ts";
import { listen } from "../../host-sim/listen.ts";
import { compileFixture } from "../assembly/support.ts";
import { manifest } from "../device/support.ts";
import { type AppRequest, ONE, packApp, TRUSTING, TWO } from "../device-rest/packages.ts";
import { refusal, startRest, type TestRest } from "../device-rest/support.ts";
import { buildApp, buildFolder, lineIn } from "./support.ts";

const test = suite("apps that are debugged");
const SOURCE = "tests/fixtures/assembly/faults.ts";
const DIVISION = 'if (fault === "divide")';
const app = await compileFixture("faults");
const build = (preset: "linux-release" | "arm-lab") =>
  buildApp({
    ...{ folder: buildFolder(`debug-${preset}`), name: "faults", app, preset },
    manifest: manifest([]),
  });
const BODIES: readonly (readonly [string, NativeProgram])[] = [
  ["native", await build("linux-release")],
  ["arm", await build("arm-lab")],
];

const lineOf = (text: string) => lineIn(SOURCE, text);
/** The first line of the fixture that does something. */
const FIRST = `break faults.ts:${lineOf("log.info(`fault")}`;

/** A gdb on what is behind a port, and its output until it ends. */
function startGdb(program: NativeProgram, port: number, ...commands: string[]) {
  const all = ["set sysroot /", `target remote 127.0.0.1:${port}`, ...commands];
  const args = all.flatMap((command) => ["-ex", command]);
  const child = spawn("gdb-multiarch", ["-nx", "-batch", ...args, program.file], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      text += chunk;
    });
  }
  const done = new Promise<string>((resolve) => child.once("close", () => resolve(text)));
  // With what it runs itself.
  const kill = () => process.kill(-(child.pid ?? 0), "SIGKILL");
  return { child, done, kill, output: () => text };
}

const gdb = (...args: Parameters<typeof startGdb>) => startGdb(...args).done;
const running = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;

async function until(condition: () => unknown): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Processes of the app, its debug server and its emulator; a zombie runs no more. */
const processes = ({ file }: NativeProgram) =>
  execFileSync("ps", ["-ww", "-eo", "stat,args"], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(file) && !/gdb-multiarch/.test(line) && !line.startsWith("Z"));

/** A device with the fixture installed and stopped. */
async function startDevice(program: NativeProgram | undefined, request: AppRequest = {}) {
  const device = await startRest({ ...TRUSTING, packagedProgram: () => program });
  const put = async (next: AppRequest) => {
    assert.is((await device.call("PUT", "/update/stage", packApp(next))).status, 200);
    const mode = { appControlMode: "Manual" };
    assert.is((await device.call("POST", "/update/install", mode)).status, 200);
  };
  await put(request);
  return {
    ...{ device, put },
    log: () => device.lines.map(({ text }) => text),
    trigger: (name: string, component = ONE) =>
      device.call("PATCH", `/app/status/${component}`, { trigger: name }),
    state: async (component = ONE) => (await device.get(`/app/status/${component}`)).json.state,
    waits: () => device.lines.filter(({ text }) => text === "the app waits for a debugger").length,
  };
}

/** The end of a test: the device stops, and nothing is left. */
async function leaveNothing(device: TestRest, program: NativeProgram): Promise<void> {
  await device.stop();
  await until(() => processes(program).length === 0);
}

function reader(port: number) {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  return { socket, closed, text: () => text };
}

for (const [body, program] of BODIES) {
  test(`${body}: the app waits; gdb stops it at a line of TypeScript and lets it go`, async () => {
    const { device, log, trigger, state, waits } = await startDevice(program);
    const { json } = await trigger("startDebug");
    assert.equal(Object.keys(json), ["state", "gdbPort", "outPort"]);
    assert.is(json.state, "debugging");
    const output = reader(json.outPort);
    await until(() => waits() === 1);
    assert.not.ok(log().includes("fault nothing"));
    const line = lineOf(DIVISION);
    const stop = [`break faults.ts:${line}`, "continue", "info breakpoints"];
    const text = await gdb(program, json.gdbPort, ...stop, "detach");
    assert.match(text, new RegExp(`^Breakpoint 1 at .*faults.ts(:|, line )${line}`, "m"));
    assert.match(text, "breakpoint already hit 1 time");
    await until(() => output.text() === "fault nothing\n");
    assert.is(await state(), "debugging");
    assert.is((await trigger("stop")).json.state, "stopped");
    await output.closed;
    assert.equal(processes(program), []);
    await leaveNothing(device, program);
  });

  test(`${body}: a backtrace names functions and lines of TypeScript`, async () => {
    const { device, log, trigger } = await startDevice(program, { fault: "stack" });
    const { gdbPort } = (await trigger("startDebug")).json;
    const line = lineOf("deep(level + 1)");
    const stop = [`break faults.ts:${line}`, "continue", "continue 3", "backtrace", "list"];
    const text = await gdb(program, gdbPort, ...stop, "delete", "detach");
    const frame = `w\\d+_tests_fixtures_assembly_faults_deep \\(l0=\\S+\\) at ${SOURCE}:${line}`;
    assert.match(text, new RegExp(`#1 .*${frame}\n#2 .*${frame}`));
    assert.match(text, /#\d+ .* in main \(/);
    assert.match(text, "function deep(level: i32): i32");
    // The debug server does not tell how an app ended that it had let go.
    await until(() => log().some((each) => each.includes("exit code 72: trap: stack exhausted")));
    await leaveNothing(device, program);
  });

  test(`${body}: what happens to the app below a debugger is told and reported`, async () => {
    const { device, log, trigger, put } = await startDevice(program, { fault: "divide" });
    const { gdbPort } = (await trigger("startDebug")).json;
    assert.match(await gdb(program, gdbPort, "continue"), "exited with code 0104");
    await until(() => log().some((text) => text.includes("exit code 68: trap: integer division")));
    assert.match(device.system.errorReports.lines().at(-1) ?? "", "AppCrash (exit_status=136;");
    await until(() => log().includes("the app starts again in 1 s"));
    device.clock.advance(1000);
    await until(() => log().filter((text) => text.includes("waits for a debugger")).length === 2);
    await put({ fault: "exit", imageId: TWO });
    const again = (await trigger("startDebug")).json.gdbPort;
    assert.is(again, gdbPort);
    assert.match(await gdb(program, again, "continue"), "exited with code 05");
    await until(() => log().includes("the app ended with exit code 5"));
    await leaveNothing(device, program);
  });

  test(`${body}: when the debugger kills it, or goes, the app begins anew for the next`, async () => {
    const { device, waits, trigger, log } = await startDevice(program);
    const { gdbPort } = (await trigger("startDebug")).json;
    await until(() => waits() === 1);
    await gdb(program, gdbPort, FIRST, "continue", "kill");
    await until(() => waits() === 2);
    const lost = startGdb(program, gdbPort, FIRST, "continue", "shell sleep 60");
    await until(() => /Breakpoint 1[.,]/.test(lost.output()));
    lost.kill();
    await until(() => waits() === 3);
    const free = startGdb(program, gdbPort, "continue");
    await until(() => log().at(-1) === "fault nothing");
    free.kill();
    await until(() => waits() === 4);
    assert.not.match(device.system.errorReports.lines().join("\n"), /App(Crash|Exit)/);
    assert.is(processes(program).length > 0, true);
    await leaveNothing(device, program);
  });

  test(`${body}: one debugger at a time; the next one waits for the next run`, async () => {
    const { device, waits, trigger } = await startDevice(program);
    const { gdbPort } = (await trigger("startDebug")).json;
    const first = startGdb(program, gdbPort, "continue");
    await until(() => device.lines.some(({ text }) => text === "fault nothing"));
    const second = reader(gdbPort);
    await second.closed;
    assert.ok(running(first.child));
    first.kill();
    await until(() => waits() === 2);
    assert.match(await gdb(program, gdbPort, FIRST, "continue"), /Breakpoint 1[.,]/);
    await leaveNothing(device, program);
  });

  for (const held of [false, true]) {
    const when = held ? "a debugger holds" : "waits for a debugger";
    test(`${body}: stop, start, delete, restart and the end of the lab take an app along that ${when}`, async () => {
      const { device, trigger, state, waits, put } = await startDevice(program);
      let runs = 0;
      const debugged = async () => {
        const { gdbPort } = (await trigger("startDebug")).json;
        runs += 1;
        await until(() => waits() === runs);
        if (!held) return;
        const debug = startGdb(program, gdbPort, FIRST, "continue", "shell sleep 60");
        await until(() => /\d+\slog\.info/.test(debug.output()));
        return debug;
      };
      const end = (debug: Awaited<ReturnType<typeof debugged>>) => {
        if (!debug) return;
        debug.kill();
        return debug.done;
      };
      const stopped = await debugged();
      assert.is((await trigger("stop")).json.state, "stopped");
      assert.equal(processes(program), []);
      await end(stopped);
      const started = await debugged();
      assert.is((await trigger("start")).json.state, "running");
      await until(() => device.lines.at(-1)?.text === "fault nothing");
      await end(started);
      const deleted = await debugged();
      assert.is((await device.call("DELETE", `/app/image/${ONE}`)).status, 200);
      assert.is(await state(), "notPresent");
      assert.equal(processes(program), []);
      await end(deleted);
      await put({});
      const restarted = await debugged();
      assert.is((await device.call("POST", "/restart")).status, 200);
      await device.restarted();
      assert.is(await state(), "running");
      await end(restarted);
      const last = await debugged();
      await leaveNothing(device, program);
      await end(last);
    });
  }

  test(`${body}: a port that is taken is a refusal of the device, and the app stays as it was`, async () => {
    const taken = createServer();
    const { port } = await listen(taken, "127.0.0.1", 0);
    for (const ports of [{ gdbPort: port }, { outputPort: port }]) {
      const device = await startRest({
        ...{ ...TRUSTING, packagedProgram: () => program, rest: ports },
      });
      await device.call("PUT", "/update/stage", packApp());
      await device.call("POST", "/update/install", { appControlMode: "Manual" });
      const answer = await device.call("PATCH", `/app/status/${ONE}`, { trigger: "startDebug" });
      assert.equal(refusal(answer), [500, 10_485_765]);
      assert.match(device.lines.at(-1)?.text ?? "", `Port ${port} on 127.0.0.1 is taken`);
      assert.is((await device.get(`/app/status/${ONE}`)).json.state, "stopped");
      await leaveNothing(device, program);
    }
    await new Promise((resolve) => taken.close(resolve));
  });

  test(`${body}: memory is that of the app, while it waits and while it is debugged`, async () => {
    const { device, trigger, waits } = await startDevice(program);
    const memory = async () =>
      (await device.get("/stats/memory/groups/applications")).json.memoryStats;
    const { gdbPort } = (await trigger("startDebug")).json;
    await until(() => waits() === 1);
    const debug = startGdb(program, gdbPort, "continue");
    await until(() => device.lines.at(-1)?.text === "fault nothing");
    const { currentMemoryUsageInBytes: bytes } = await memory();
    assert.ok(bytes > 48 * 1024 && bytes < 256 * 1024, `${bytes} bytes`);
    debug.kill();
    await leaveNothing(device, program);
  });
}

/** Writes into so many pages of the C library's code what is there, as breakpoints do. */
const TOUCH =
  "python base = int(gdb.parse_and_eval('(unsigned long)&printf')) & ~4095; app = gdb.inferiors()[0]; " +
  "[app.write_memory(at, app.read_memory(at, 1)) for at in range(base, base + 64 * 4096, 4096)]";

test("pages that a debugger makes private are not held against an app below gdbserver", async () => {
  const [, program] = BODIES[0] ?? [];
  assert.ok(program);
  const { device, trigger, waits, log } = await startDevice(program);
  const { gdbPort } = (await trigger("startDebug")).json;
  await until(() => waits() === 1);
  const output = await gdb(program, gdbPort, FIRST, "continue", TOUCH, "detach");
  await until(() => log().includes("fault nothing"));
  const { bytes } = device.os.applications.memory();
  assert.ok(bytes > 256 * 1024, `${bytes} bytes, ${output}`);
  device.clock.advance(1_000);
  // Somebody who is killed is gone before `ps` has looked.
  assert.is(processes(program).length, 2);
  assert.is((await trigger("stop")).json.state, "stopped");
  await leaveNothing(device, program);
});

test("two apps: the one that was debugged before goes on by itself", async () => {
  const [, program] = BODIES[0] ?? [];
  assert.ok(program);
  const { device, trigger, put, state, waits } = await startDevice(program);
  await put({ component: TWO, name: "Second" });
  const first = (await trigger("startDebug")).json;
  const second = (await trigger("startDebug", TWO)).json;
  assert.equal([second.gdbPort, second.outPort], [first.gdbPort, first.outPort]);
  assert.equal([await state(), await state(TWO)], ["running", "debugging"]);
  await until(() => waits() === 2);
  assert.match(await gdb(program, second.gdbPort, FIRST, "continue"), /Breakpoint 1[.,]/);
  await leaveNothing(device, program);
});

test("several devices at once debug on ports of their own", async () => {
  const [, program] = BODIES[0] ?? [];
  assert.ok(program);
  const devices = await Promise.all([startDevice(program), startDevice(program)]);
  const ports = [];
  for (const { trigger } of devices) ports.push((await trigger("startDebug")).json.gdbPort);
  assert.is(new Set(ports).size, 2);
  const stops = [FIRST, "continue"];
  const texts = await Promise.all(ports.map((port) => gdb(program, port, ...stops)));
  for (const text of texts) assert.match(text, /Breakpoint 1[.,]/);
  for (const { device } of devices) await device.stop();
  await until(() => processes(program).length === 0);
});

test("without gdbserver the log says so, and the app runs at once", async () => {
  const [, program] = BODIES[0] ?? [];
  assert.ok(program);
  const { device, trigger, state, log } = await startDevice(program);
  const path = process.env.PATH;
  process.env.PATH = "/nowhere";
  const { json } = await trigger("startDebug");
  await until(() => log().includes("fault nothing"));
  process.env.PATH = path;
  assert.match(log().join("\n"), /gdbserver is not installed, so the app runs without a debugger/);
  assert.is(await state(), "debugging");
  await reader(json.gdbPort).closed;
  await leaveNothing(device, program);
});

test("an app that V8 runs has no debugger: nobody listens, it runs, and its output is told", async () => {
  const { device, trigger, log } = await startDevice(undefined);
  const { json } = await trigger("startDebug");
  assert.is(json.gdbPort, 2345);
  assert.match(log().join("\n"), "TestApp runs without a debugger: V8 runs it");
  const output = reader(json.outPort);
  await until(() => output.text() === "fault nothing\n");
  await device.stop();
});

test("packets are found however the stream is cut", () => {
  const stream = "+$qSupported:multiprocess+#c6$X10,4:a}\u0003b#77\u0003$D;1#b0+$vKill;a#00";
  const whole: string[] = [];
  packetReader((head) => whole.push(head))(Buffer.from(stream, "latin1"));
  assert.equal(whole, ["qSupported:multi", "X10,4:a}\u0003b", "D;1", "vKill;a"]);
  const cuts = fc.array(fc.integer({ min: 0, max: stream.length }));
  fc.assert(
    fc.property(cuts, (places) => {
      const found: string[] = [];
      const read = packetReader((head) => found.push(head));
      const ends = [...places, stream.length].sort((one, other) => one - other);
      let from = 0;
      for (const end of ends) {
        read(Buffer.from(stream.slice(from, end), "latin1"));
        from = end;
      }
      assert.equal(found, whole);
    }),
  );
});

test.run();
