// deadline: 300 s
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeFrame, frameKind, i32, text16, u32 } from "../../host-sim/device/native/frames.ts";
import { compileFixture } from "../assembly/support.ts";
import { CAPABILITIES, manifest } from "../device/support.ts";
import { failingAllocator, inTurn, type Life, live, ordinary } from "./scarcity.ts";
import { answerTo, honest, type Script, startScriptedOs } from "./scripted-os.ts";
import { buildApp, buildFolder, buildLibraryTests, runScenario } from "./support.ts";

const test = suite("memory that is short, at every allocation in turn, with sanitizers");
const folder = buildFolder("scarcity");
const libraryTests = await buildLibraryTests(folder);
const rights = { ...CAPABILITIES, MutableStorage: { SizeKB: 64 } };
const program = await buildApp({
  ...{ folder, name: "scarce", manifest: manifest([], rights) },
  app: await failingAllocator(await compileFixture("scarce")),
});
const files = mkdtempSync(join(tmpdir(), "spherule-scarcity-"));

const EIO = 5;
const OUT_OF_MEMORY = 66;
/** docs/exit-codes.md: asked to end, event loop, timer. */
const CLEAN = [0, 81, 82];

/** What a preloaded allocator does: `17`, or `17+` for that call and all that follow. */
const withFailing = (call: string) => ({
  ASAN_OPTIONS: "verify_asan_link_order=0",
  LD_PRELOAD: join(dirname(libraryTests.file), "libfailing_malloc.so"),
  SPHERULE_FAIL_MALLOC: call,
});

/** What came to the hub in all these lives is what the app had put into its storage. */
async function assertStorageWhole(lives: readonly Life[]) {
  assert.ok(
    lives.filter(({ kept }) => kept > 0).length > 10,
    "most come as far as their telemetry",
  );
  for (const file of new Set(lives.map((life) => life.file))) {
    const last = await live(program, { file });
    assert.is(last.code, 0, last.stderr);
    const own = [...lives.filter((life) => life.file === file), last];
    const boots = own.flatMap(({ kept }) => (kept > 0 ? [kept] : []));
    assert.equal([...new Set(boots)], boots, "each start counted one more");
    const bodies = own.flatMap(({ telemetry }) => telemetry);
    const received = [...new Set(bodies.flatMap((body) => JSON.parse(body).boot ?? []))];
    assert.equal(received, received.toSorted(ascending), "they come in their order");
    assert.equal(
      boots.filter((boot) => !received.includes(boot)),
      [],
      "none is missing",
    );
  }
}
const ascending = (a: number, b: number) => a - b;

for (const [what, argument] of [
  ["each allocation of the app", (n: number) => `allocation=${n - 1}`],
  ["every size of the app's heap", (n: number) => `leave=${(n - 1) * 16}`],
] as const) {
  test(`${what}: exit code 66, and the storage stays whole`, async () => {
    const fileOf = (lane: number) => join(files, `${argument(1)}-${lane}`);
    const over = ({ code }: Life) => code === 0;
    const lives = await inTurn({
      live: (n, lane) => live(program, { file: fileOf(lane), args: [argument(n)] }),
      over,
    });
    const failed = lives.filter((life) => !over(life));
    assert.ok(failed.length > 50, `${failed.length} allocations failed`);
    for (const { code, signal, stderr, log } of failed) {
      assert.is(stderr, "");
      assert.is(code ?? signal, OUT_OF_MEMORY);
      const [trap = "", frames = "", ...more] = log.slice(
        log.findIndex((line) => /^\[trap/.test(line)),
      );
      assert.match(trap, /^\[trap\] 66 /);
      assert.match(frames, /^\[frames\] native [0-9a-f]{16}( [0-9a-f]+)+$/);
      assert.equal(more, [], "nothing of the app runs afterwards");
    }
    await assertStorageWhole(lives);
  });
}

let mallocs = 0;
for (const [what, more, patience] of [
  // A lost connection is made anew after a second.
  ["alone", "", 1500],
  ["and all that follow", "+", 300],
] as const) {
  test(`each malloc of the program, ${what}: refused or an exit code, and the storage stays whole`, async () => {
    const lives = await inTurn({
      live: (n, lane) => {
        const file = join(files, `malloc${more}-${lane}`);
        return live(program, { file, env: withFailing(`${n}${more}`), patience });
      },
      over: ({ stderr }) => more === "" && !stderr.includes("!"),
      // Later ones would only send what the ones before have left.
      most: more === "" ? undefined : mallocs,
    });
    const failed = lives.filter(({ stderr }) => stderr.includes("!"));
    mallocs = failed.length;
    assert.ok(failed.length > 50, `${failed.length} calls failed`);
    for (const { code, signal, stderr } of lives) {
      assert.match(stderr, /^!*$/);
      assert.ok(CLEAN.includes(code ?? -1), `${code ?? signal}`);
    }
    await assertStorageWhole(lives);
  });
}

/** A hub with something of each kind, and a service that knows the device. */
const generous =
  (file: string): Script =>
  (frame, first) => {
    const then = (...frames: Uint8Array[]) => ({
      bytes: Buffer.concat([answerTo(frame, 0).bytes, ...frames]),
    });
    switch (frame.kind) {
      case frameKind.syseventSubscribe:
        return then(encodeFrame(frameKind.syseventNotify, 0, [u32(1), u32(1), u32(60), u32(1)]));
      case frameKind.hubOpen:
        return then(...HUB_FRAMES);
      case frameKind.telemetry:
        return {
          bytes: encodeFrame(frameKind.telemetryDone, 0, [u32(frame.payload.u32()), i32(0)]),
        };
      case frameKind.report:
        return {
          bytes: encodeFrame(frameKind.reportDone, 0, [u32(frame.payload.u32()), u32(204)]),
        };
      case frameKind.methodDone:
        return undefined;
      case frameKind.provRegister:
        return then(
          encodeFrame(frameKind.provDone, 0, [u32(0), text16("hub.example"), text16("device")]),
        );
      default:
        return honest(file)(frame, first);
    }
  };
const HUB_FRAMES = [
  encodeFrame(frameKind.hubStatus, 0, [u32(0), u32(6)]),
  encodeFrame(frameKind.twin, 0, [u32(1), Buffer.from('{"a":1}')]),
  encodeFrame(frameKind.message, 0, [
    text16("%24.mid=m1&urgency=very%20high"),
    Buffer.from("hello"),
  ]),
  encodeFrame(frameKind.method, 0, [u32(7), text16("reboot"), Buffer.from("{}")]),
];
const LONG = "x".repeat(3000);
const PROPERTIES = `one=${LONG}&two=${LONG}&%24.ct=${LONG}`;

for (const more of ["", "+"]) {
  test(`each malloc of the libraries, ${more ? "and all that follow" : "alone"}: refused, nothing half done`, async () => {
    const outcomes = await inTurn({
      async live(n, lane) {
        const os = await startScriptedOs(generous(join(files, `libraries${more}-${lane}`)));
        const outcome = await runScenario(
          libraryTests,
          "exhausted",
          os.path,
          withFailing(`${n}${more}`),
        );
        await os.stop();
        const sent = os.frames.filter(({ kind }) => kind === frameKind.telemetry);
        return { ...outcome, sent: sent.map(({ rest }) => rest.subarray(2).toString()) };
      },
      over: ({ stderr }) => !stderr.includes("!"),
    });
    assert.ok(outcomes.length > 60, `${outcomes.length} calls failed`);
    for (const { code, lines, stderr, sent } of outcomes) {
      assert.match(stderr, /^!*$/);
      assert.is(code, 0, lines.join("\n"));
      const torn = sent.filter((text) => text !== `${PROPERTIES}{"t":21}`);
      assert.is(torn.length, 0, "a message that was sent has all its properties");
    }
    assert.is(outcomes.at(-1)?.lines.at(-1), "taken 2 2 methods 1");
  });
}

const around = suite("what goes wrong around a program");
around.after(() => rmSync(files, { recursive: true, force: true }));
const fresh = () => join(mkdtempSync(join(files, "life-")), "mutable");
const boots = ({ telemetry }: Life) => telemetry.flatMap((body) => JSON.parse(body).boot ?? []);
const NOTHING = { bytes: new Uint8Array(0) };

around("SIGTERM during a send: it ends with 0, and what had no answer is sent again", async () => {
  const file = fresh();
  const first = await live(program, {
    file,
    script(frame, { child }) {
      if (frame.kind !== frameKind.telemetry) return ordinary;
      child?.kill("SIGTERM");
      return NOTHING;
    },
  });
  assert.is(first.code, 0, first.stderr);
  assert.is(first.log.at(-1), "[info] stop 1");
  assert.equal(boots(await live(program, { file })), [1, 2]);
});

around("SIGTERM before there is a connection, and twice", async () => {
  const { code, log, stderr } = await live(program, {
    file: fresh(),
    script(frame, { child }) {
      if (frame.kind !== frameKind.hubOpen) return ordinary;
      child?.kill("SIGTERM");
      child?.kill("SIGTERM");
      return ordinary;
    },
  });
  assert.is(code, 0, stderr);
  assert.is(log.filter((line) => line === "[info] stop 1").length, 1);
});

around("the operating system dies: exit code 83; with the next one it is all there", async () => {
  const file = fresh();
  const first = await live(program, {
    file,
    script(frame, { os }) {
      if (frame.kind !== frameKind.telemetry) return ordinary;
      os.die();
      return NOTHING;
    },
  });
  assert.is(first.code, 83, first.stderr);
  assert.is(first.stderr, "");
  const second = await live(program, { file });
  assert.is(second.code, 0, second.stderr);
  assert.equal(boots(second), [1, 2]);
});

around("a network whose state cannot be read ends the app with 83, and says so", async () => {
  const { code, log } = await live(program, {
    file: fresh(),
    script: (frame) => (frame.kind === frameKind.networkReady ? answerTo(frame, -EIO) : ordinary),
  });
  assert.is(code, 83);
  assert.match(log.at(-1) ?? "", /^\[error\] the state of the network cannot be read: /);
});

for (const [what, kind] of [
  ["network", frameKind.networkReady],
  ["device authentication", frameKind.deviceAuthReady],
] as const) {
  around(`${what} that is not ready is waited for, and told once`, async () => {
    let asked = 0;
    const { code, log, telemetry } = await live(program, {
      file: fresh(),
      script(frame) {
        if (frame.kind !== kind) return ordinary;
        asked += 1;
        return answerTo(frame, asked > 2 ? 1 : 0);
      },
    });
    assert.is(code, 0);
    assert.is(asked, 3);
    const connections = log.filter((line) => line.includes("] connection "));
    assert.equal(connections, ["[info] connection false 4", "[info] connection true 6"]);
    assert.ok(telemetry.length > 0);
  });
}

around("a device authentication that cannot be asked for is one that is not ready", async () => {
  let asked = 0;
  const { code, log } = await live(program, {
    file: fresh(),
    script(frame) {
      if (frame.kind !== frameKind.deviceAuthReady) return ordinary;
      asked += 1;
      return asked > 1 ? ordinary : answerTo(frame, -EIO);
    },
  });
  assert.is(code, 0);
  assert.ok(log.includes("[info] connection true 6"));
});

around("a full storage: the app hears of it, and what is in the file stays whole", async () => {
  const file = fresh();
  const first = await live(program, { file });
  const kept = readFileSync(file);
  const full = await live(program, {
    file,
    // So much that the outbox begins, and no more.
    script: (frame) =>
      frame.kind === frameKind.storageOpen
        ? answerTo(frame, 0, u32(kept.length), text16(file))
        : ordinary,
  });
  assert.is(full.code, 65, full.stderr);
  assert.match(full.log.at(-2) ?? "", "The outbox cannot write to the mutable storage");
  assert.ok(readFileSync(file).length <= kept.length);
  const next = await live(program, { file });
  assert.is(next.code, 0, next.stderr);
  assert.is(Math.max(...boots(next)), first.kept + 2);
});

around(
  "a file that cannot be opened is no storage: it ends the app with its own words",
  async () => {
    const { code, log } = await live(program, { file: "/nowhere/mutable" });
    assert.is(code, 65);
    assert.match(log.at(-2) ?? "", "The outbox cannot write to the mutable storage");
  },
);

around("a hub that breaks the protocol is left, and found again after a second", async () => {
  let opened = 0;
  const { code, log, telemetry } = await live(program, {
    file: fresh(),
    script(frame) {
      if (frame.kind !== frameKind.hubOpen) return ordinary;
      opened += 1;
      if (opened > 1) return ordinary;
      const bad = encodeFrame(frameKind.hubStatus, 0, [u32(7), u32(7)]);
      return { bytes: Buffer.concat([answerTo(frame, 0).bytes, bad]) };
    },
  });
  assert.is(code, 0);
  assert.is(opened, 2);
  assert.ok(log.includes("[info] connection false 4"));
  assert.ok(telemetry.length > 0);
});

/** Frames of every kind with any payload, and texts and numbers where some belong. */
const hostileFrame = fc
  .tuple(
    fc.constantFrom(...Object.values(frameKind), 99),
    fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .tuple(fc.nat(3), fc.string({ unit: "binary", maxLength: 20 }), fc.json())
        .map(([number, name, json]) =>
          Buffer.concat([u32(number), text16(name.replaceAll("\0", "")), Buffer.from(json)]),
        ),
      fc.json().map((json) => Buffer.concat([u32(1), Buffer.from(json)])),
    ),
  )
  .map(([kind, payload]) => encodeFrame(kind, 0, [payload]));
const attack = fc.record({
  /** The frame that is answered so. */
  kind: fc.constantFrom(
    ...[frameKind.hubOpen, frameKind.hubOpen, frameKind.telemetry, frameKind.report],
    ...[frameKind.methodDone, frameKind.gpioGet, frameKind.networkReady, frameKind.storageOpen],
  ),
  /** A well-formed answer comes first. */
  answered: fc.boolean(),
  frames: fc.array(hostileFrame, { minLength: 1, maxLength: 4 }),
});

around("whatever the operating system sends, the app ends in good order", async () => {
  const attacks = fc.sample(attack, { numRuns: 120, seed: 20_260_603 });
  const lives = await inTurn({
    most: attacks.length,
    over: () => false,
    live: (n) =>
      live(program, {
        file: fresh(),
        patience: 250,
        script(frame) {
          const { kind, answered, frames } = attacks[n - 1] as (typeof attacks)[number];
          if (frame.kind !== kind) return ordinary;
          const status = encodeFrame(frameKind.hubStatus, 0, [u32(0), u32(6)]);
          const first = answered ? [answerTo(frame, 0).bytes, status] : [];
          return { bytes: Buffer.concat([...first, ...frames]) };
        },
      }),
  });
  for (const [index, { code, signal, stderr, log }] of lives.entries()) {
    const what = `${index}: ${JSON.stringify(attacks[index])}\n${log.join("\n")}\n${stderr}`;
    assert.is(stderr, "", what);
    // Without its storage the app gives up by itself: 65.
    assert.ok([0, 65, 83].includes(code ?? -1), `${code ?? signal} ${what}`);
  }
});

test.run();
around.run();
