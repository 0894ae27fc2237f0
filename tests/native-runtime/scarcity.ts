import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import wabt from "wabt";
import type { CompiledApp } from "../../host-sim/compiler/compile.ts";
import type { NativeProgram } from "../../host-sim/device/app.ts";
import {
  encodeFrame,
  type Frame,
  frameKind,
  i32,
  text16,
  u32,
} from "../../host-sim/device/native/frames.ts";
import { HUB_NAME } from "../hub/support.ts";
import { answerTo, type Reaction, type Script, startScriptedOs } from "./scripted-os.ts";
import { NO_MAP } from "./support.ts";

const QUOTA = 65_536;

/** Puts the fixture's question into the allocator: when it says so, no block is found. */
export async function failingAllocator({ wasm, ...rest }: CompiledApp): Promise<CompiledApp> {
  const module = (await wabt()).readWasm(wasm, { readDebugNames: true });
  module.applyNames();
  const text = module.toText({ foldExprs: false, inlineExport: false });
  const patched = text.replace(
    /(\(func \$~lib\/rt\/tlsf\/allocateBlock [\s\S]*?i32\.eqz)/,
    "$1 call $tests/fixtures/assembly/scarcity/outOfMemory i32.or",
  );
  if (patched === text) throw new Error("the allocator does not look as it did");
  const { buffer } = (await wabt())
    .parseWat("app.wat", patched, { bulk_memory: true })
    .toBinary({ write_debug_names: true });
  return { ...rest, wasm: buffer, sourceMap: NO_MAP };
}

export interface Life {
  readonly code: number | null;
  readonly signal: string | null;
  readonly log: readonly string[];
  readonly stderr: string;
  /** Bodies, as they came to the hub. */
  readonly telemetry: readonly string[];
  /** The mutable file. */
  readonly file: string;
  /** Number of this start, when its telemetry came as far as the storage; otherwise 0. */
  readonly kept: number;
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const TWIN = { desired: { mode: "night", $version: 2 }, reported: {} };
/** What the hub sends as soon as there is a connection. */
const BEGINNING = [
  encodeFrame(frameKind.hubStatus, 0, [u32(0), u32(6)]),
  encodeFrame(frameKind.twin, 0, [u32(0), json(TWIN)]),
  encodeFrame(frameKind.twin, 0, [u32(1), json({ mode: "day", $version: 3 })]),
  encodeFrame(frameKind.message, 0, [text16("urgency=very%20high"), Buffer.from("hello")]),
  encodeFrame(frameKind.method, 0, [u32(1), text16("echo"), json("hi")]),
];

const keptIn = (log: readonly string[]) => Number(/\] kept (\d+)$/m.exec(log.join("\n"))?.[1] ?? 0);

/** An operating system and a hub; `over` is called when the fixture has been through everything. */
function wholeLife(file: string, over: () => void) {
  const log: string[] = [];
  const telemetry: string[] = [];
  let level = 1;
  let reports = 0;
  let answered = false;
  function look(): void {
    const button = `{"button":${keptIn(log)}}`;
    const timer = log.some((line) => line.includes("] timer "));
    if (timer && answered && reports >= 3 && telemetry.includes(button)) over();
  }
  function react(frame: Frame): Reaction {
    switch (frame.kind) {
      case frameKind.log:
        log.push(frame.payload.rest().toString().trimEnd());
        return undefined;
      case frameKind.networkReady:
      case frameKind.deviceAuthReady:
        return answerTo(frame, 1);
      case frameKind.gpioGet:
        return answerTo(frame, level);
      case frameKind.storageOpen:
        return answerTo(frame, 0, u32(QUOTA), text16(file));
      case frameKind.hubOpen:
        // Now the button is pressed, too.
        level = 0;
        return { bytes: Buffer.concat([answerTo(frame, 0).bytes, ...BEGINNING]) };
      case frameKind.telemetry: {
        const id = frame.payload.u32();
        frame.payload.text();
        telemetry.push(frame.payload.rest().toString());
        return { bytes: encodeFrame(frameKind.telemetryDone, 0, [u32(id), i32(0)]) };
      }
      case frameKind.report:
        reports += 1;
        return {
          bytes: encodeFrame(frameKind.reportDone, 0, [u32(frame.payload.u32()), u32(204)]),
        };
      case frameKind.methodDone:
        answered = true;
        return undefined;
      default:
        return answerTo(frame, 0);
    }
  }
  const script: Script = (frame) => {
    const reaction = react(frame);
    look();
    return reaction;
  };
  return { log, telemetry, script };
}

/** The process and the system around it, for scripts that do more than answer. */
export interface Around {
  readonly child: ChildProcess | undefined;
  readonly log: readonly string[];
  readonly os: Awaited<ReturnType<typeof startScriptedOs>>;
}

export interface LifeOptions {
  /** The mutable file. */
  readonly file: string;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** An app that does nothing but look at its button is asked to end after so long, milliseconds. */
  readonly patience?: number;
  /** Answers in place of the well-behaved system, or leaves it to that by `ordinary`. */
  readonly script?: (frame: Frame, around: Around) => Reaction | typeof ordinary;
}

export const ordinary = Symbol("as a well-behaved system answers");

/** One life of the fixture, through every kind of event, until it ends. */
export async function live(program: NativeProgram, options: LifeOptions): Promise<Life> {
  const { file, args = [], env, patience = 20_000, script: special } = options;
  let child: ChildProcess | undefined;
  const terminate = () => void child?.kill("SIGTERM");
  const { log, telemetry, script } = wholeLife(file, terminate);
  let timer: NodeJS.Timeout | undefined;
  const os: Around["os"] = await startScriptedOs((frame, first) => {
    if (frame.kind !== frameKind.gpioGet) {
      clearTimeout(timer);
      timer = setTimeout(terminate, patience);
    }
    const reaction = special?.(frame, { child, log, os }) ?? ordinary;
    return reaction === ordinary ? script(frame, first) : reaction;
  });
  child = spawn(program.file, ["--Hostname", HUB_NAME, ...args], {
    env: { LD_LIBRARY_PATH: program.libraries, SPHERULE_OS_SOCKET: os.path, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  await os.stop();
  return { code, signal, log, stderr, telemetry, file, kept: keptIn(log) };
}

/** So many side by side: most of the time they wait. */
export const LANES = 12;

/**
 * Lives with 1, 2, 3 … until one is `over` or `most` is reached.
 * @param live is told its lane, too: lives of one lane come one after the other
 */
export async function inTurn<One>(options: {
  readonly live: (n: number, lane: number) => Promise<One>;
  readonly over: (life: One) => boolean;
  readonly most?: number;
}): Promise<readonly One[]> {
  const { most = Number.POSITIVE_INFINITY } = options;
  const lives: One[] = [];
  const lane = async (index: number) => {
    for (let n = index + 1; n <= most; n += LANES) {
      const life = await options.live(n, index);
      lives[n - 1] = life;
      if (options.over(life)) return;
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)));
  return lives.filter(Boolean);
}
