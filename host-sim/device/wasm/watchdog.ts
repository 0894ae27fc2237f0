import { Worker } from "node:worker_threads";

/** How deep in apps this thread is, and how often it has entered one. */
const state = new Int32Array(new SharedArrayBuffer(8));
const DEPTH = 0;
const ENTRIES = 1;

/** An app runs from now on. */
export function enterApp(): void {
  Atomics.add(state, DEPTH, 1);
  Atomics.add(state, ENTRIES, 1);
}

/** The app has come back. */
export function leaveApp(): void {
  Atomics.sub(state, DEPTH, 1);
}

/** In JavaScript, since it is no file of its own: bundlers would have to know about it. */
const WATCH = `
  const { writeSync } = require("node:fs");
  const { workerData } = require("node:worker_threads");
  const { state, seconds, text } = workerData;
  let entries = 0;
  let since = 0;
  setInterval(() => {
    const now = Atomics.load(state, 1);
    since = Atomics.load(state, 0) > 0 && now === entries ? since + 1 : 0;
    entries = now;
    if (since < seconds) return;
    writeSync(2, text);
    process.kill(process.pid, "SIGKILL");
  }, 1000);
`;

/**
 * Ends this process, with `text`, when an app that runs in it does not come back for so many seconds:
 * V8 runs it in the lab's own thread, which then hears no key and no signal.
 */
export function watchApps(seconds: number, text: string): void {
  new Worker(WATCH, { eval: true, workerData: { state, seconds, text } }).unref();
}
