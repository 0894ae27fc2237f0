import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { controlChannel } from "../../host-sim/device/native/control.ts";
import {
  channelKind,
  encodeFrame,
  FrameSplitter,
  frameKind,
  i32,
  LARGEST_PAYLOAD,
  MAGIC,
  text16,
  u32,
  VERSION,
} from "../../host-sim/device/native/frames.ts";
import { gpioChannel } from "../../host-sim/device/native/gpio.ts";
import { hubChannel } from "../../host-sim/device/native/hub.ts";
import { provisioningChannel } from "../../host-sim/device/native/provisioning.ts";
import { createOsServer } from "../../host-sim/device/native/server.ts";
import { createSystemEvents } from "../../host-sim/device/native/sysevent.ts";
import { createSession } from "../../host-sim/device/session/session.ts";
import { createLogger } from "../../host-sim/log.ts";
import { BUTTON_A, CAPABILITIES, LED, manifest, startDevice } from "./support.ts";

interface Context {
  readonly device: Awaited<ReturnType<typeof startDevice>>;
  readonly lines: string[];
  readonly reports: string[];
  readonly path: string;
  stop(): Promise<void>;
}

const RIGHTS = { ...CAPABILITIES, Uart: ["ISU0"], SpiMaster: ["ISU1"] };
const test = suite<Context>("the operating system's side of the socket, with processes that lie");

test.before.each(async (context) => {
  const device = await startDevice();
  const lines: string[] = [];
  const reports: string[] = [];
  const logger = createLogger(
    "app",
    () => 0,
    ({ level, text }) => lines.push(`${level} ${text}`),
  );
  const session = createSession({
    ...device,
    ...{ manifest: manifest([], RIGHTS), logger, appLogger: logger },
    emit: () => {},
    onTimer: () => {},
  });
  const folder = mkdtempSync(join(tmpdir(), "spherule-test-"));
  const path = join(folder, "os");
  const mutableFile = join(folder, "mutable");
  const certificateFile = () => join(folder, "certificate");
  const onReport = (line: string) => reports.push(line);
  const memory = () => ({ now: 100_000, peak: 200_000 });
  const server = createOsServer({
    ...{ path, logger },
    channels: new Map([
      [
        channelKind.control,
        controlChannel({ session, mutableFile, certificateFile, onReport, memory }),
      ],
      [channelKind.gpio, gpioChannel(session)],
      [channelKind.hub, hubChannel(session)],
      [channelKind.provisioning, provisioningChannel(session)],
      [channelKind.sysevent, createSystemEvents().channelOf(session)],
    ]),
  });
  await server.start();
  const stop = async () => {
    await server.stop();
    await session.end();
    await device.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  Object.assign(context, { device, lines, reports, path, stop });
});
test.after.each(({ stop }) => stop());

const hello = (channel: number, version = VERSION, magic = MAGIC) =>
  encodeFrame(frameKind.hello, 1, [u32(magic), u32(version | (channel << 16))]);

/** Sends bytes, and answers what came back when the other side closed or enough frames are there. */
function talk(path: string, bytes: Uint8Array, answers = Number.POSITIVE_INFINITY) {
  return new Promise<{ results: number[]; rests: number[][]; closed: boolean }>((resolve) => {
    const socket: Socket = connect(path, () => socket.write(bytes));
    const splitter = new FrameSplitter();
    const results: number[] = [];
    /** What came with each result, in words of 32 bits. */
    const rests: number[][] = [];
    const done = (closed: boolean) => {
      socket.destroy();
      resolve({ results, rests, closed });
    };
    socket.on("data", (chunk: Buffer) => {
      for (const { payload } of splitter.push(chunk)) {
        results.push(payload.i32());
        const rest = payload.rest();
        rests.push(Array.from({ length: rest.length / 4 }, (_, at) => rest.readUInt32LE(4 * at)));
      }
      if (results.length >= answers) done(false);
    });
    socket.on("error", () => {});
    socket.on("close", () => done(true));
  });
}

test("a pin is the connection's: taken, read, driven, and free when the connection ends", async (context) => {
  const pin = (number: number, value: number) =>
    encodeFrame(frameKind.gpioOpen, 2, [i32(number), Buffer.from([1, 0, value, 0])]);
  const get = encodeFrame(frameKind.gpioGet, 3, []);
  const set = encodeFrame(frameKind.gpioSet, 4, [u32(0)]);
  const bytes = Buffer.concat([hello(channelKind.gpio), pin(LED, 1), get, set, get]);
  assert.equal((await talk(context.path, bytes, 5)).results, [0, 0, 1, 0, 0]);
  assert.is(context.device.board.level(LED), 0);
  let again: number[] = [];
  while (again[1] !== 0) {
    again = (await talk(context.path, Buffer.concat([hello(channelKind.gpio), pin(LED, 1)]), 2))
      .results;
  }
  assert.equal(again, [0, 0]);
});

test("a pin that another connection has is EBUSY, one that is not allowed EACCES", async ({
  path,
}) => {
  const open = (number: number) =>
    encodeFrame(frameKind.gpioOpen, 2, [i32(number), Buffer.from([0, 0, 0, 0])]);
  const first = connect(path, () =>
    first.write(Buffer.concat([hello(channelKind.gpio), open(BUTTON_A)])),
  );
  await new Promise((resolve) => first.once("data", resolve));
  for (const [pin, errno] of [
    [BUTTON_A, -16],
    [4, -13],
    [-1, -13],
  ] as const) {
    const bytes = Buffer.concat([hello(channelKind.gpio), open(pin)]);
    assert.equal((await talk(path, bytes, 2)).results, [0, errno]);
  }
  first.destroy();
});

test("log lines get their level from their prefix; reports are kept apart", async (context) => {
  const log = (text: string) => encodeFrame(frameKind.log, 0, [Buffer.from(text)]);
  const bytes = [
    hello(channelKind.control),
    log("[warn] careful\n"),
    log("plain\n"),
    log("[trap] 68 123 0011223344556677\n"),
    encodeFrame(frameKind.networkReady, 2, []),
  ];
  const { results } = await talk(context.path, Buffer.concat(bytes), 2);
  assert.equal(results, [0, 1]);
  assert.equal(context.lines.slice(-2), ["warn careful", "info plain"]);
  assert.equal(context.reports, ["[trap] 68 123 0011223344556677"]);
});

test("memory is told in KiB; a bus is EACCES, or ENODEV when the manifest lists it", async (context) => {
  const memory = (attribute: number) => encodeFrame(frameKind.memoryUsage, 2, [u32(attribute)]);
  const open = (kind: number, id: number) =>
    encodeFrame(frameKind.peripheralOpen, 3, [u32(kind), i32(id)]);
  const bytes = [
    hello(channelKind.control),
    open(1, 4),
    open(1, 5),
    open(2, 1),
    open(2, -1),
    open(3, 0),
  ];
  const { results } = await talk(context.path, Buffer.concat(bytes), 6);
  assert.equal(results, [0, -19, -13, -19, -13, -22]);
  assert.ok(context.lines.some((line) => /EACCES: ISU1 is not in the Uart capability/.test(line)));
  const asked = [hello(channelKind.control), ...[0, 1, 2, 3].map(memory)];
  const told = await talk(context.path, Buffer.concat(asked), 5);
  assert.equal(told.results, [0, 0, 0, 0, -22]);
  assert.equal(told.rests, [[], [97], [97], [195], []]);
});

const telemetry = (properties: string) =>
  encodeFrame(frameKind.telemetry, 0, [u32(1), text16(properties), Buffer.from("{}")]);
const hubOpen = encodeFrame(frameKind.hubOpen, 2, [text16("hub.example"), text16("")]);
const tooLong = Buffer.alloc(8);
tooLong.writeUInt32LE(LARGEST_PAYLOAD + 1);

for (const [what, bytes] of [
  ["no HELLO", encodeFrame(frameKind.gpioGet, 1, [])],
  ["another magic", hello(channelKind.control, VERSION, 7)],
  ["another version", hello(channelKind.control, 2)],
  ["an unknown channel", hello(99)],
  ["a HELLO that is too long", encodeFrame(frameKind.hello, 1, [Buffer.alloc(9)])],
  ["a frame that is too long", tooLong],
  ["HELLO twice", Buffer.concat([hello(channelKind.control), hello(channelKind.control)])],
  [
    "a payload that is too short",
    Buffer.concat([hello(channelKind.gpio), encodeFrame(frameKind.gpioOpen, 2, [u32(1)])]),
  ],
  [
    "a payload that is too long",
    Buffer.concat([hello(channelKind.control), encodeFrame(frameKind.networkReady, 2, [u32(1)])]),
  ],
  ["telemetry before HUB_OPEN", Buffer.concat([hello(channelKind.hub), telemetry("a=b")])],
  [
    "properties that would change the topic",
    Buffer.concat([hello(channelKind.hub), hubOpen, telemetry("a/+/#=b")]),
  ],
  [
    "an answer to a method that nobody called",
    Buffer.concat([
      hello(channelKind.hub),
      hubOpen,
      encodeFrame(frameKind.methodDone, 0, [u32(1), u32(200)]),
    ]),
  ],
  [
    "a host name with a zero",
    Buffer.concat([
      hello(channelKind.hub),
      encodeFrame(frameKind.hubOpen, 2, [text16("a\0b"), text16("")]),
    ]),
  ],
] as const) {
  test(`${what} ends the connection, and the log says why`, async ({ path, lines }) => {
    assert.ok((await talk(path, bytes)).closed);
    assert.ok(lines.some((line) => /^error the app's process broke the protocol/.test(line)));
  });
}

test("whatever bytes a process sends, the operating system goes on", async ({ path }) => {
  const kinds = fc.constantFrom(...Object.values(frameKind));
  const frame = fc
    .tuple(kinds, fc.nat(65_535), fc.uint8Array({ maxLength: 60 }))
    .map(([kind, serial, payload]) => encodeFrame(kind, serial, [payload]));
  const channel = fc.constantFrom(...Object.values(channelKind)).map((kind) => hello(kind));
  await fc.assert(
    fc.asyncProperty(channel, fc.array(frame, { maxLength: 4 }), async (first, frames) => {
      const rest = encodeFrame(255, 0, []);
      assert.ok((await talk(path, Buffer.concat([first, ...frames, rest]))).closed);
    }),
    { numRuns: 300, seed: 20_260_602, endOnFailure: true },
  );
  const bytes = Buffer.concat([
    hello(channelKind.control),
    encodeFrame(frameKind.networkReady, 2, []),
  ]);
  assert.equal((await talk(path, bytes, 2)).results, [0, 1]);
});

test("frames arrive whole however the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
      (payloads, cuts) => {
        const bytes = Buffer.concat(payloads.map((payload) => encodeFrame(54, 3, [payload])));
        const splitter = new FrameSplitter();
        const got: Buffer[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const length = cuts[turn % cuts.length] ?? 1;
          for (const frame of splitter.push(bytes.subarray(at, at + length))) {
            got.push(frame.payload.rest());
          }
          at += length;
        }
        assert.equal(
          got.map(String),
          payloads.map((payload) => String(Buffer.from(payload))),
        );
      },
    ),
  );
});

test("frame numbers are those of the C header", () => {
  const header = readFileSync("native/virtual-os/src/channel.h", "utf8");
  const inC = [...header.matchAll(/(FRAME|CHANNEL)_(\w+) = (\d+)/g)].map((match) =>
    [match[1], match[2]?.replaceAll("_", "").toLowerCase(), match[3]].join(" "),
  );
  const inTypeScript = [
    ...Object.entries(channelKind).map(([name, value]) => `CHANNEL ${name} ${value}`),
    ...Object.entries(frameKind).map(([name, value]) => `FRAME ${name} ${value}`),
  ].map((line) => line.replace(/ .* /, (name) => name.toLowerCase()));
  assert.equal(inC.sort(), inTypeScript.sort());
});

test.run();
