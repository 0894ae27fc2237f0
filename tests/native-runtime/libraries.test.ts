// deadline: 400 s
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  encodeFrame,
  type Frame,
  frameKind,
  i32,
  LARGEST_PAYLOAD,
  text16,
  u32,
} from "../../host-sim/device/native/frames.ts";
import { AOT_C_FLAGS } from "../../native/aot/index.ts";
import { answerTo, honest, type Reaction, type Script, startScriptedOs } from "./scripted-os.ts";
import { buildFolder, buildLibraryTests, runScenario, VERSIONED } from "./support.ts";

const test = suite("libapplibs, libazureiot and libtlsutils against a scripted operating system");
const program = await buildLibraryTests(buildFolder("libraries"));

const EAGAIN = 11;
const EACCES = 13;
const EBUSY = 16;
const ENODEV = 19;
const EINVAL = 22;
const EPROTO = 71;
const ENOTCONN = 107;
const ETIMEDOUT = 110;
const EDQUOT = 122;

/** Runs a scenario against a script; the sanitizers and the C checks must have nothing to say. */
async function run(scenario: string, script: (file: string) => Script) {
  let file = "";
  const os = await startScriptedOs((frame, first) => script(file)(frame, first));
  file = join(os.folder, "mutable");
  const outcome = await runScenario(program, scenario, os.path);
  await os.stop();
  assert.is(outcome.code, 0, `${outcome.lines.join("\n")}\n${outcome.stderr}`);
  return { ...outcome, frames: os.frames };
}

/** Honest but for one kind of frame. */
const except =
  (kind: number, reaction: (frame: Frame) => Reaction) =>
  (file: string): Script =>
  (frame, first) =>
    frame.kind === kind ? reaction(frame) : honest(file)(frame, first);

test("the event loop keeps its promises: turns, recursion, stop, unregister", async () => {
  const { code, lines, stderr } = await runScenario(program, "eventloop");
  assert.equal(lines, ["eventloop ok"], stderr);
  assert.is(code, 0, stderr);
});

test("arguments that are wrong are refused without the operating system", async () => {
  const { lines } = await runScenario(program, "arguments");
  assert.equal(lines, [
    "log -1 14",
    "network -1 14",
    "get -1 14",
    "get-stdin -1 9",
    "set-nothing -1 9",
    "absolute -1 22",
    "dot -1 22",
    "parent -1 22",
    "missing -1 2",
    "null -1 14",
    "update -1 14",
    "unsubscribe -1 14",
  ]);
});

test("without an operating system every question is ENOTCONN and the log goes to stderr", async () => {
  const { lines, stderr, code } = await runScenario(program, "calls");
  assert.is(code, 0, stderr);
  assert.ok(lines.includes(`network -1 ${ENOTCONN}`));
  assert.ok(lines.includes(`mutable -1 ${ENOTCONN}`));
  assert.match(stderr, "a formatted line\n");
});

test("with one that says yes every call succeeds, and a closed pin is no pin", async () => {
  const { lines, frames } = await run("calls", honest);
  assert.equal(lines, [
    "network 1 0",
    "device-auth 1 0",
    "certificate /run/daa/tenant",
    "log 0 0",
    "open 0 0",
    "get 1 0",
    "set 0 0",
    "close 0 0",
    "closed -1 9",
    "mutable 0 0",
    "delete 0 0",
    "subscribe 0 0",
    "run 0 0",
    "defer 0 0",
    "resume 0 0",
    "unsubscribe 0 0",
  ]);
  const log = frames.find(({ kind }) => kind === frameKind.log);
  assert.is(log?.rest.toString(), "a formatted line\n");
  assert.ok(frames.some(({ kind }) => kind === frameKind.gpioRelease));
});

for (const [kind, scenario, line] of [
  [frameKind.gpioOpen, "gpio", "open"],
  [frameKind.storageOpen, "storage", "mutable"],
  [frameKind.storageDelete, "storage", "delete"],
  [frameKind.syseventSubscribe, "sysevent", "subscribe"],
  [frameKind.syseventDefer, "sysevent", "defer"],
  [frameKind.networkReady, "status", "network"],
] as const) {
  test(`an errno of the operating system reaches the caller: ${line}`, async () => {
    for (const errno of [EACCES, EBUSY]) {
      const { lines } = await run(
        scenario,
        except(kind, (frame) => answerTo(frame, -errno)),
      );
      assert.ok(lines.includes(`${line} -1 ${errno}`), lines.join("\n"));
    }
  });
}

test("a pin that was closed is free before close returns", async () => {
  const { frames } = await run("gpio", honest);
  const kinds = frames.map(({ kind }) => kind);
  assert.equal(kinds, [
    frameKind.hello,
    frameKind.gpioOpen,
    frameKind.gpioGet,
    frameKind.gpioSet,
    frameKind.gpioRelease,
  ]);
});

test("the mutable file does not grow beyond its quota, by whichever call", async () => {
  const { lines } = await run("quota", honest);
  assert.equal(lines, [
    "write-64 64 0",
    `write-1 -1 ${EDQUOT}`,
    "pwrite-inside 10 0",
    `pwrite-beyond -1 ${EDQUOT}`,
    `pwrite64-beyond -1 ${EDQUOT}`,
    `writev-70 -1 ${EDQUOT}`,
    "writev-10 10 0",
    "ftruncate-64 0 0",
    `ftruncate-65 -1 ${EDQUOT}`,
    `ftruncate64-65 -1 ${EDQUOT}`,
    `ftruncate-negative -1 ${EINVAL}`,
    "length 64 0",
    "ftruncate-0 0 0",
    "other-file 100 0",
  ]);
});

test("inline functions call exports that know the version of their structures", async () => {
  const script =
    (file: string): Script =>
    (frame, first) => {
      if (frame.kind === frameKind.memoryUsage) {
        return answerTo(frame, 0, u32(100 + frame.payload.u32()));
      }
      return frame.kind === frameKind.peripheralOpen
        ? answerTo(frame, -ENODEV)
        : honest(file)(frame, first);
    };
  const { lines, frames } = await run("versioned", script);
  assert.equal(lines, VERSIONED);
  const opened = frames.filter(({ kind }) => kind === frameKind.peripheralOpen);
  assert.equal(
    opened.map(({ rest }) => [rest.readUInt32LE(0), rest.readInt32LE(4)]),
    [
      [1, 4],
      [2, 1],
    ],
  );
});

test("memory that cannot be asked for is EAGAIN, and a bus is never opened by mistake", async () => {
  for (const rest of [[], [u32(1), u32(2)]]) {
    const { lines } = await run("versioned", () => (frame, first) => {
      const known = frame.kind === frameKind.memoryUsage || frame.kind === frameKind.peripheralOpen;
      return known ? answerTo(frame, 0, ...rest) : honest("")(frame, first);
    });
    assert.is(lines[0], `total 0 ${EAGAIN}`);
    assert.ok(lines.includes(`uart open -1 ${EPROTO}`), lines.join("\n"));
  }
});

const header = (length: number, kind: number, serial: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt16LE(kind, 4);
  bytes.writeUInt16LE(serial, 6);
  return bytes;
};

/** Answers that break the protocol, and what the caller must get for them. */
const hostile: readonly (readonly [string, (frame: Frame) => Reaction, number])[] = [
  ["of another serial", (frame) => answerTo({ ...frame, serial: frame.serial ^ 1 }, 0), EPROTO],
  ["of another kind", (frame) => ({ bytes: header(4, 99, frame.serial) }), EPROTO],
  ["without a result", (frame) => ({ bytes: header(0, 1, frame.serial) }), EPROTO],
  ["longer than asked for", (frame) => answerTo(frame, 0, Buffer.alloc(9000)), EPROTO],
  ["of 4 GiB", (frame) => ({ bytes: header(0xffff_ffff, 1, frame.serial) }), EPROTO],
  ["with an impossible errno", (frame) => answerTo(frame, -2_147_483_648), EPROTO],
  ["cut short", () => ({ bytes: Buffer.from([4, 0]), end: true }), ENOTCONN],
  ["that never comes, but an end", () => ({ end: true }), ENOTCONN],
];

for (const [what, reaction, errno] of hostile) {
  test(`an answer ${what} is errno ${errno}`, async () => {
    const status = await run("status", except(frameKind.networkReady, reaction));
    assert.is(status.lines[0], `network -1 ${errno}`);
    assert.is(status.lines[1], "device-auth 1 0", "the next question asks on a new connection");
    const gpio = await run("gpio", except(frameKind.gpioOpen, reaction));
    assert.is(gpio.lines[0], `open -1 ${errno}`);
    const hello = await run("gpio", except(frameKind.hello, reaction));
    assert.is(hello.lines[0], `open -1 ${errno}`);
  });
}

test("after an answer that was none of its own, a pin is over, and its close does not wait", async () => {
  const { lines } = await run(
    "gpio",
    except(frameKind.gpioGet, (frame) => answerTo({ ...frame, serial: frame.serial ^ 1 }, 0)),
  );
  assert.equal(lines, [
    "open 0 0",
    `get -1 ${EPROTO}`,
    `set -1 ${ENOTCONN}`,
    "close 0 0",
    "closed -1 9",
  ]);
});

test("a pin is a descriptor of the event loop: quiet while it is open, ready when it ends", async () => {
  const { lines } = await run(
    "pin",
    except(frameKind.gpioSet, () => ({ end: true })),
  );
  assert.equal(lines, ["quiet 0 0", "get 1 0", `set -1 ${ENOTCONN}`, "ended 1 0", "events 9"]);
});

test("an operating system that is silent costs 5 seconds, not for ever", async () => {
  const { lines } = await run(
    "gpio",
    except(frameKind.gpioOpen, () => undefined),
  );
  assert.is(lines[0], `open -1 ${ETIMEDOUT}`);
});

test("a path of the mutable file with a zero, too long or missing is EPROTO", async () => {
  for (const rest of [
    [u32(64), text16("/tmp/a\0b")],
    [u32(64), text16("")],
    [u32(64), text16("x".repeat(4096))],
    [u32(64)],
    [u32(64), Buffer.from([9, 0, 65])],
    [u32(64), text16("/tmp/x"), Buffer.from([0])],
  ]) {
    const { lines } = await run(
      "storage",
      except(frameKind.storageOpen, (frame) => answerTo(frame, 0, ...rest)),
    );
    assert.is(lines[0], `mutable -1 ${EPROTO}`);
  }
});

test("system events arrive with their data; one that is cut short ends the subscription", async () => {
  const notify = encodeFrame(frameKind.syseventNotify, 0, [u32(1), u32(1), u32(60), u32(2)]);
  const events = (...more: Buffer[]) =>
    run(
      "sysevent",
      except(frameKind.syseventSubscribe, (frame) => ({
        bytes: Buffer.concat([answerTo(frame, 0).bytes, ...more]),
      })),
    );
  const good = await events(notify, notify);
  assert.equal(good.lines.slice(0, 4), [
    "subscribe 0 0",
    "update 1 1 0 60 2",
    "update 1 1 0 60 2",
    "run 0 0",
  ]);
  const bad = await events(encodeFrame(frameKind.syseventNotify, 0, [u32(1)]), notify);
  assert.equal(bad.lines.slice(0, 2), ["subscribe 0 0", "run 0 0"]);
  assert.is(bad.lines.at(-1), "unsubscribe -1 2");
});

/** A hub: accepts, and sends these frames after the answer to HUB_OPEN. */
const hubOf = (...frames: Uint8Array[]) =>
  except(frameKind.hubOpen, (frame) => ({
    bytes: Buffer.concat([answerTo(frame, 0).bytes, ...frames]),
  }));
const AUTHENTICATED = encodeFrame(frameKind.hubStatus, 0, [u32(0), u32(6)]);
const LOST = encodeFrame(frameKind.hubStatus, 0, [u32(1), u32(4)]);

test("the hub client passes events on and sends in order, percent-encoded", async () => {
  const twin = encodeFrame(frameKind.twin, 0, [u32(1), Buffer.from('{"a":1}')]);
  const properties = text16("%24.mid=m1&urgency=very%20high&%24.to=x");
  const message = encodeFrame(frameKind.message, 0, [properties, Buffer.from("hello")]);
  const method = encodeFrame(frameKind.method, 0, [u32(7), text16("reboot"), Buffer.from("{}")]);
  const script =
    (file: string): Script =>
    (frame, first) => {
      if (frame.kind === frameKind.telemetry) {
        return { bytes: encodeFrame(frameKind.telemetryDone, 0, [u32(1), i32(0)]) };
      }
      if (frame.kind === frameKind.report) {
        const done = encodeFrame(frameKind.reportDone, 0, [u32(2), u32(204)]);
        return { bytes: Buffer.concat([done, LOST]) };
      }
      if (frame.kind === frameKind.methodDone) return undefined;
      return hubOf(AUTHENTICATED, twin, message, method)(file)(frame, first);
    };
  const { lines, frames } = await run("hub", script);
  assert.equal(lines, [
    "status 0 6",
    'twin 1 {"a":1}',
    "message hello very high m1",
    "method reboot {}",
    "confirmed first 0",
    "reported 204",
    "status 1 4",
    "confirmed last 1",
    "destroyed",
  ]);
  const telemetry =
    frames.find(({ kind }) => kind === frameKind.telemetry)?.rest ?? Buffer.alloc(0);
  const expected = 'place=a%26b%3d%c3%bc&%24.ct=application%2fjson{"t":21}';
  assert.is(telemetry.subarray(6).toString(), expected);
  const answer = frames.find(({ kind }) => kind === frameKind.methodDone)?.rest;
  assert.equal(answer, Buffer.concat([u32(7), u32(200), Buffer.from('{"done":true}')]));
});

for (const [what, bytes] of [
  ["a status that does not exist", encodeFrame(frameKind.hubStatus, 0, [u32(2), u32(6)])],
  ["a reason that does not exist", encodeFrame(frameKind.hubStatus, 0, [u32(0), u32(7)])],
  ["a status that is cut short", encodeFrame(frameKind.hubStatus, 0, [u32(0)])],
  ["a confirmation of nothing", encodeFrame(frameKind.telemetryDone, 0, [u32(99), i32(0)])],
  ["a report of nothing", encodeFrame(frameKind.reportDone, 0, [u32(99), u32(204)])],
  ["a twin of no kind", encodeFrame(frameKind.twin, 0, [u32(2), Buffer.from("{}")])],
  ["a twin without a kind", encodeFrame(frameKind.twin, 0, [Buffer.from([0, 0])])],
  ["a message with a bad escape", encodeFrame(frameKind.message, 0, [text16("a=%2")])],
  ["a message with a zero", encodeFrame(frameKind.message, 0, [text16("a=%00")])],
  ["a message that is too short", encodeFrame(frameKind.message, 0, [Buffer.from([9, 9, 65])])],
  [
    "a message with 65 properties",
    encodeFrame(frameKind.message, 0, [
      text16(Array.from({ length: 65 }, (_, index) => `p${index}=1`).join("&")),
    ]),
  ],
  ["a method name with a zero", encodeFrame(frameKind.method, 0, [u32(1), text16("a\0b")])],
  ["a frame that is too long", header(LARGEST_PAYLOAD + 1, frameKind.twin, 0)],
  ["a frame of no kind", encodeFrame(200, 0, [])],
] as const) {
  test(`${what} looks like a dead network to the hub client`, async () => {
    const { lines } = await run("hub", hubOf(bytes, AUTHENTICATED));
    assert.equal(lines, ["status 1 4", "confirmed first 1", "confirmed last 1", "destroyed"]);
  });
}

test("provisioning gives the hub, or TRANSPORT for an answer that is wrong", async () => {
  const done = (...parts: Uint8Array[]) =>
    run(
      "provisioning",
      except(frameKind.provRegister, (frame) => ({
        bytes: Buffer.concat([answerTo(frame, 0).bytes, encodeFrame(frameKind.provDone, 0, parts)]),
      })),
    );
  const good = await done(u32(0), text16("hub.example"), text16("device"));
  assert.equal(good.lines, ["registered 0 hub.example device"]);
  const { lines } = await done(u32(0), text16("hub.example"));
  assert.equal(lines, ["registered 5 - -"]);
  assert.equal((await done(u32(14), text16("a"), text16("b"))).lines, ["registered 5 - -"]);
});

test("whatever bytes come, at whatever point, the process ends in good order", async () => {
  const reaction = fc.record({
    at: fc.nat(12),
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .tuple(fc.constantFrom(...Object.values(frameKind)), fc.uint8Array({ maxLength: 40 }))
        .map(([kind, payload]) => encodeFrame(kind, 0, [payload])),
    ),
    end: fc.boolean(),
  });
  const scenario = fc.constantFrom("calls", "hub", "provisioning");
  await fc.assert(
    fc.asyncProperty(scenario, reaction, async (name, { at, bytes, end }) => {
      let count = 0;
      // The end spares the 5 seconds that a missing answer takes.
      await run(name, (file) => (frame, first) => {
        count += 1;
        if (count <= at) return honest(file)(frame, first);
        return { bytes, end: end || name === "calls" };
      });
    }),
    { numRuns: 40, seed: 20_260_601, endOnFailure: true },
  );
});

test("the libraries export the device's names, and nothing of their inside", () => {
  const writes = ["write", "pwrite", "writev", "pwritev", "pwrite64", "pwritev64"];
  const libc = ["close", ...writes, "ftruncate", "ftruncate64"];
  for (const [library, names] of [
    [
      "libapplibs.so.0",
      /^((Log|EventLoop|GPIO|Storage|Networking|Application|SysEvent)_\w+|z__(Applications|UART|SPIMaster)_\w+)$/,
    ],
    [
      "libazureiot.so.1",
      /^(IoTHub|Prov_Device_|MQTT_Protocol|Map_|iothub_security_|prov_dev_)\w*$/,
    ],
    ["libtlsutils.so.0", /^DeviceAuth_\w+$/],
  ] as const) {
    const file = join(program.libraries, library);
    const text = execFileSync("nm", ["-D", "--defined-only", file], { encoding: "utf8" });
    const exported = text.split("\n").map((line) => line.split(" ")[2] ?? "");
    const ours = exported.filter((name) => name !== "" && !/^__(asan|odr_asan|ubsan)/.test(name));
    assert.ok(ours.length > 0);
    assert.equal(
      ours.filter((name) => !names.test(name) && !libc.includes(name)),
      [],
    );
  }
});

test("CMake compiles the translated app with the flags that its meaning needs", () => {
  const text = readFileSync("CMakeLists.txt", "utf8");
  for (const flag of AOT_C_FLAGS) assert.match(text, flag);
});

test.run();
