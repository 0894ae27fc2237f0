import { type Clock, sleep } from "../clock/index.ts";

/** The pins of a board and their levels: what a hand, a wire or the app does to them. */
export interface Board {
  readonly name: string;
  has(pin: number): boolean;
  level(pin: number): number;
  /** Drives a pin; watchers hear of it when the level changes. */
  set(pin: number, level: number): void;
  /** Calls `listener` at each change; the answer ends it. */
  watch(pin: number, listener: (level: number) => void): () => void;
  /** The pin of a name in the hardware definition, such as `BUTTON_A`. */
  find(peripheral: string): number | undefined;
}

/** All inputs are pulled up, so an untouched button reads 1. */
const PULLED_UP = 1;

/** @param peripherals names of the hardware definition with their GPIO numbers */
export function createBoard(
  name: string,
  pins: readonly number[],
  peripherals: ReadonlyMap<string, number>,
): Board {
  const known = new Set(pins);
  const levels = new Map<number, number>();
  const watchers = new Map<number, Set<(level: number) => void>>();
  const level = (pin: number) => levels.get(pin) ?? PULLED_UP;
  return {
    name,
    has: (pin) => known.has(pin),
    level,
    find: (peripheral) => peripherals.get(peripheral),
    set(pin, next) {
      if (level(pin) === next) return;
      levels.set(pin, next);
      for (const watcher of watchers.get(pin) ?? []) watcher(next);
    },
    watch(pin, listener) {
      const all = watchers.get(pin) ?? new Set();
      watchers.set(pin, all.add(listener));
      return () => void all.delete(listener);
    },
  };
}

/** As long as a quick finger. */
const PRESS_MS = 150;

/** Presses and lets go of a button, which pulls its pin down. Ends when the app may have seen both. */
export async function press(board: Board, clock: Clock, pin: number): Promise<void> {
  board.set(pin, 0);
  await sleep(clock, PRESS_MS);
  board.set(pin, 1);
  await sleep(clock, PRESS_MS);
}
