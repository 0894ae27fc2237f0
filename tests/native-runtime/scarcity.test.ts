// deadline: 300 s
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeFrame, frameKind, i32, text16, u32 } from "../../host-sim/device/native/frames.ts";
import { compileFixture } from "../assembly/support.ts";
import { CAPABILITIES, manifest } from "../device/support.ts";
import { failingAllocator, inTurn, type Life, live } from "./scarcity.ts";
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
test.after(() => rmSync(files, { recursive: true, force: true }));

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
      assert.match(log.at(-1) ?? "", /^\[trap\] 66 /);
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

test.run();
