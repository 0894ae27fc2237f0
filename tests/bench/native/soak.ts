import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileApp } from "../../../host-sim/compiler/compile.ts";

/** Bytes of linear memory for many cycles. */
export const SMALL_MEMORY = 24 * 1024;

/** Compiles the app for a small memory. @param folder for its sources; made anew */
export async function compileSmallApp(root: string, folder: string): Promise<Uint8Array> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "assembly"), join(folder, "assembly"), { recursive: true });
  const config = JSON.parse(readFileSync(join(root, "asconfig.json"), "utf8"));
  config.options.lowMemoryLimit = SMALL_MEMORY;
  writeFileSync(join(folder, "asconfig.json"), JSON.stringify(config));
  const { wasm } = await compileApp({ projectFolder: folder, target: "release" });
  return wasm;
}

interface App {
  readonly memory: WebAssembly.Memory;
  start(): void;
  onTimer(id: number): void;
  onEvent(kind: number, id: number, value: number): void;
  collect(): void;
}

const ENOENT = -2;
const PERIOD_MS = 5000;
const EVENT_CONNECTION = 2;
const EVENT_TELEMETRY = 3;
const REASON_OK = 6;

/** The device of app.c again, for V8. */
function deviceOfNothing(app: () => App) {
  const state = { hash: 2166136261, now: 1767225600000, timer: 0, pending: -1, handles: 0 };
  const storage = new Uint8Array(8192);
  let stored = 0;
  const bytes = (at: number, length: number) => new Uint8Array(app().memory.buffer, at, length);
  const take = (at: number, length: number) => {
    for (const byte of bytes(at, length)) state.hash = Math.imul(state.hash ^ byte, 16777619);
    return 0;
  };
  const open = () => ++state.handles;
  const none = () => ENOENT;
  const nothing = () => 0;
  const now = () => BigInt(state.now);
  function abort(...args: number[]): never {
    throw new Error(`abort ${args}`);
  }
  function send(id: number, body: number, length: number, bag: number, bagLength: number) {
    state.pending = id;
    take(body, length);
    return take(bag, bagLength);
  }
  function read(offset: number, at: number, length: number) {
    const count = Math.min(length, Math.max(0, stored - offset));
    bytes(at, count).set(storage.subarray(offset, offset + count));
    return count;
  }
  function write(offset: number, at: number, length: number) {
    storage.set(bytes(at, length), offset);
    stored = Math.max(stored, offset + length);
    return length;
  }
  function startTimer(id: number, _delay: number, period: number) {
    if (period > 0) state.timer = id;
    return 0;
  }
  const imports = {
    env: { abort },
    gpio: { openInput: open, openOutput: open, watch: nothing, write: nothing },
    iothub: { messageBody: none, messageProperties: none, open: take, send },
    log: { write: (_level: number, text: number, length: number) => take(text, length) },
    methods: { name: none, payload: none, reply: nothing },
    storage: { capacity: () => storage.length, read, write },
    sysevent: {
      ...{ subscribe: nothing, maxDeferralMinutes: none, updateType: none },
      ...{ defer: none, resume: none },
    },
    timers: { now, monotonic: now, start: startTimer, stop: nothing },
    twin: {
      desired: none,
      report: (_id: number, json: number, length: number) => take(json, length),
    },
  };
  return { state, imports };
}

/** @returns the sum over all that went out, after each of these numbers of telemetry cycles */
export function runSoakInV8(wasm: Uint8Array, stops: readonly number[]): string[] {
  let app: App | undefined;
  const { state, imports } = deviceOfNothing(() => app as App);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), imports);
  const running = exports as unknown as App;
  app = running;
  const event = (kind: number, id: number, value: number) => {
    running.onEvent(kind, id, value);
    running.collect();
  };
  const settle = () => {
    while (state.pending >= 0) {
      const id = state.pending;
      state.pending = -1;
      event(EVENT_TELEMETRY, id, 0);
    }
  };
  running.start();
  running.collect();
  event(EVENT_CONNECTION, 0, REASON_OK);
  settle();
  let cycle = 0;
  return stops.map((stop) => {
    for (; cycle < stop; cycle++) {
      state.now += PERIOD_MS;
      running.onTimer(state.timer);
      running.collect();
      settle();
    }
    return String(state.hash >>> 0);
  });
}
