import { EACCES, EBUSY, EINVAL, EMFILE, ENODEV } from "./host/errors";
import * as host from "./host/gpio";

/** Output modes. */
export const PUSH_PULL: i32 = 0;
export const OPEN_DRAIN: i32 = 1;
export const OPEN_SOURCE: i32 = 2;

export const LOW: i32 = 0;
export const HIGH: i32 = 1;

/** How often a watched input is looked at. */
const LOOK_EVERY_MS: i32 = 20;
const MAX_WATCHED: i32 = 16;

type LevelHandler = (level: i32) => void;
const watchedHandles = new StaticArray<i32>(MAX_WATCHED);
const watchers = new StaticArray<LevelHandler | null>(MAX_WATCHED);

@final
export class Output {
  constructor(private handle: i32) {}

  /** @param level LOW or HIGH */
  write(level: i32): void {
    host.write(this.handle, level);
  }

  close(): void {
    host.close(this.handle);
  }
}

@final
export class Input {
  constructor(private handle: i32) {}

  /** LOW or HIGH. */
  read(): i32 {
    return host.read(this.handle);
  }

  /** Calls `run` with the new level whenever it changes. */
  onChange(run: LevelHandler): void {
    for (let slot = 0; slot < MAX_WATCHED; slot++) {
      if (watchers[slot] !== null && watchedHandles[slot] !== this.handle) continue;
      watchedHandles[slot] = this.handle;
      watchers[slot] = run;
      host.watch(this.handle, LOOK_EVERY_MS);
      return;
    }
    throw new Error("16 inputs are watched already");
  }

  close(): void {
    for (let slot = 0; slot < MAX_WATCHED; slot++) {
      if (watchedHandles[slot] === this.handle) watchers[slot] = null;
    }
    host.close(this.handle);
  }
}

/** Opens a pin as output. Ends the app with an explanation when the system refuses. */
export function output(pin: i32, level: i32 = LOW, mode: i32 = PUSH_PULL): Output {
  return new Output(opened(pin, host.openOutput(pin, mode, level)));
}

/** Opens a pin as input. Ends the app with an explanation when the system refuses. */
export function input(pin: i32): Input {
  return new Input(opened(pin, host.openInput(pin)));
}

/** The runtime's entry. */
export function changed(handle: i32, level: i32): void {
  for (let slot = 0; slot < MAX_WATCHED; slot++) {
    const run = watchers[slot];
    if (run !== null && watchedHandles[slot] === handle) run(level);
  }
}

function opened(pin: i32, handle: i32): i32 {
  if (handle >= 0) return handle;
  throw new Error(`GPIO ${pin} cannot be opened: ${reason(handle)}`);
}

function reason(error: i32): string {
  if (error === EACCES) return "EACCES, it is not in the Gpio capability of app_manifest.json";
  if (error === EBUSY) return "EBUSY, it is open already";
  if (error === ENODEV) return "ENODEV, the board has no such pin";
  if (error === EMFILE) return "EMFILE, too many are open";
  return error === EINVAL ? "EINVAL, the mode or level is unknown" : error.toString();
}
