import { readFileSync } from "node:fs";
import type { Clock, TimerHandle } from "../../clock/index.ts";
import type { NativeProgram } from "../app.ts";

/** RAM of the device for the pages of its apps. */
export const MEMORY_LIMIT = 256 * 1024;
/** Reading the table of a process costs about a millisecond. */
const LOOK_EVERY_MS = 250;

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly file: string;
  /** Private pages, bytes. */
  readonly anonymous: number;
}

/** qemu-arm keeps the guest's whole address space in one piece of its own. */
const GUEST_BYTES = 2 ** 32;
/** qemu-arm adds a page of its own to the guest: the kernel's helpers. */
const KERNEL_PAGE = 4096;

/**
 * The pages of a process that count against the device's 256 KiB: private ones; code and constants stay
 * in flash there. Of an emulated process, the guest's.
 * @returns bytes, 0 when the process is gone
 */
export function privateBytes(processId: number | undefined, program: NativeProgram): number {
  let text: string;
  try {
    text = readFileSync(`/proc/${processId}/smaps`, "utf8");
  } catch {
    return 0;
  }
  const mappings = parseSmaps(text);
  if (!program.emulator) return sum(mappings);
  return Math.max(0, sum(guestOf(mappings, program.file)) - KERNEL_PAGE);
}

export function parseSmaps(text: string): Mapping[] {
  const header = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ *(.*)$/;
  const mappings: { -readonly [Key in keyof Mapping]: Mapping[Key] }[] = [];
  for (const line of text.split("\n")) {
    const [, start, end, file = ""] = header.exec(line) ?? [];
    if (start !== undefined && end !== undefined) {
      const from = Number.parseInt(start, 16);
      mappings.push({ start: from, end: Number.parseInt(end, 16), file, anonymous: 0 });
    }
    const last = mappings.at(-1);
    const kilobytes = /^Anonymous: +(\d+) kB/.exec(line)?.[1];
    if (last && kilobytes !== undefined) last.anonymous = Number(kilobytes) * 1024;
  }
  return mappings;
}

/** The mappings without a gap around the program's: the guest's space, reserved as a whole. */
export function guestOf(mappings: readonly Mapping[], file: string): readonly Mapping[] {
  const own = mappings.findIndex((mapping) => mapping.file === file);
  if (own < 0) return [];
  let first = own;
  while (first > 0 && mappings[first - 1]?.end === mappings[first]?.start) first -= 1;
  const start = mappings[first]?.start ?? 0;
  return mappings.slice(first).filter((mapping) => mapping.end <= start + GUEST_BYTES);
}

const sum = (mappings: readonly Mapping[]) =>
  mappings.reduce((total, mapping) => total + mapping.anonymous, 0);

/**
 * Looks at a process's memory from time to time.
 * @param then `exceeded` is called once, with the bytes that were over the limit; `looked` at each look
 * @returns ends it
 */
export function watchMemory(
  clock: Clock,
  measure: () => number,
  then: { readonly exceeded: (bytes: number) => void; readonly looked: () => void },
): () => void {
  let timer: TimerHandle | undefined;
  const next = () => {
    timer = clock.setTimer(LOOK_EVERY_MS, look);
  };
  function look(): void {
    const bytes = measure();
    then.looked();
    if (bytes > MEMORY_LIMIT) then.exceeded(bytes);
    else next();
  }
  next();
  return () => clock.clearTimer(timer);
}
