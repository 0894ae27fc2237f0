import {
  EACCES,
  EBADF,
  EBUSY,
  EINVAL,
  EMFILE,
  ENODEV,
} from "../../../assembly/sphere/host/errors.ts";
import type { Clock, TimerHandle } from "../../clock/index.ts";
import type { Board } from "../board.ts";

interface OpenPin {
  readonly pin: number;
  readonly output: boolean;
  readonly mode: number;
  lastSeen: number;
  timer?: TimerHandle;
  stopWatching?: () => void;
}

const MAX_OPEN = 64;
const OPEN_DRAIN = 1;
const OPEN_SOURCE = 2;
const LONGEST_PERIOD_MS = 1000;

export interface GpioOptions {
  readonly clock: Clock;
  readonly board: Board;
  /** The manifest's `Gpio` capability, as numbers. */
  readonly allowed: readonly number[];
  /** A pin was refused for want of the capability. */
  readonly onDenied: (pin: number) => void;
  readonly onChange: (handle: number, level: number) => void;
}

/** The pins that one run of the app has open. */
export function createGpio(options: GpioOptions) {
  const { clock, board, allowed } = options;
  const open = new Map<number, OpenPin>();
  let nextHandle = 1;

  function openPin(pin: number, output: boolean, mode: number): number {
    if (!allowed.includes(pin)) {
      options.onDenied(pin);
      return EACCES;
    }
    if (!board.has(pin)) return ENODEV;
    if ([...open.values()].some((other) => other.pin === pin)) return EBUSY;
    if (open.size >= MAX_OPEN) return EMFILE;
    const handle = nextHandle++;
    open.set(handle, { pin, output, mode, lastSeen: board.level(pin) });
    return handle;
  }

  /** An open drain only pulls down, an open source only up; otherwise the board's pull-up wins. */
  function drive(pin: OpenPin, value: number): void {
    if (pin.mode === OPEN_DRAIN && value === 1) board.set(pin.pin, 1);
    else if (pin.mode === OPEN_SOURCE && value === 0) board.set(pin.pin, 1);
    else board.set(pin.pin, value);
  }

  function unwatch(pin: OpenPin): void {
    clock.clearTimer(pin.timer);
    pin.stopWatching?.();
    pin.stopWatching = undefined;
  }

  /** The app sees a change at its next look, and misses one that is undone before. */
  function look(handle: number, pin: OpenPin): void {
    pin.timer = undefined;
    const level = board.level(pin.pin);
    if (level === pin.lastSeen) return;
    pin.lastSeen = level;
    options.onChange(handle, level);
  }

  return {
    openOutput(pin: number, mode: number, value: number): number {
      if (mode < 0 || mode > OPEN_SOURCE || (value !== 0 && value !== 1)) return EINVAL;
      const handle = openPin(pin, true, mode);
      const opened = open.get(handle);
      if (opened) drive(opened, value);
      return handle;
    },
    openInput: (pin: number): number => openPin(pin, false, 0),
    read(handle: number): number {
      const pin = open.get(handle);
      return pin ? board.level(pin.pin) : EBADF;
    },
    write(handle: number, value: number): number {
      const pin = open.get(handle);
      if (!pin) return EBADF;
      if (value !== 0 && value !== 1) return EINVAL;
      if (pin.output) drive(pin, value);
      return 0;
    },
    watch(handle: number, periodMs: number): number {
      const pin = open.get(handle);
      if (!pin) return EBADF;
      if (periodMs < 0 || periodMs > LONGEST_PERIOD_MS) return EINVAL;
      unwatch(pin);
      pin.lastSeen = board.level(pin.pin);
      if (periodMs === 0) return pin.lastSeen;
      const since = clock.monotonic();
      pin.stopWatching = board.watch(pin.pin, () => {
        const sinceLook = (clock.monotonic() - since) % periodMs;
        pin.timer ??= clock.setTimer(periodMs - sinceLook, () => look(handle, pin));
      });
      return pin.lastSeen;
    },
    close(handle: number): number {
      const pin = open.get(handle);
      if (!pin) return EBADF;
      unwatch(pin);
      open.delete(handle);
      return 0;
    },
    /** The app has ended: its pins are free. Their levels stay, as on the chip. */
    end(): void {
      for (const pin of open.values()) unwatch(pin);
      open.clear();
    },
  };
}
