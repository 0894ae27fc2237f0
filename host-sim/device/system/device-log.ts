import type { Store } from "../../store/index.ts";
import { kept } from "./kept.ts";

export type LogPriority = "fatal" | "error" | "warning" | "info" | "debug" | "trace";

export type LogParameter =
  | { readonly type: "integer" | "unsigned" | "error"; readonly value: number }
  | { readonly type: "guid" | "string" | "address"; readonly value: string };

/** Category and message of the entries that the virtual system writes. */
export const LOG_EVENTS = {
  /** component, image, image type */
  staged: [6, 148],
  /** method, path */
  request: [6, 153],
  /** component */
  deleted: [6, 156],
  /** version */
  osVersion: [6, 169],
  /** device id */
  deviceId: [12, 16],
  /** component */
  appStopping: [16, 11],
  appDebugging: [16, 14],
  appStarting: [16, 16],
} as const;

const PRIORITIES: readonly LogPriority[] = ["fatal", "error", "warning", "info", "debug", "trace"];
const BANK_BYTES = 4096;
/** No entry begins in the last bytes of a bank. */
const BANK_TAIL = 16;
/** Counter and status. */
const TRAILER_BYTES = 4;
const HEADER_BYTES = 12;
const MOST_BANKS = 4;
const LONGEST_TEXT = 255;

export type DeviceLog = ReturnType<typeof createDeviceLog>;

/**
 * The device's binary log: a ring of banks of 4096 bytes, in the format that the public parser of
 * Azure Sphere's tools reads. `docs/device-rest.md` describes it.
 * @param sinceBoot milliseconds
 */
export function createDeviceLog(store: Store, sinceBoot: () => number) {
  const saved = kept<readonly string[]>(store, "log", () => []);
  const banks: Buffer[][] = saved.value.map((text) => [Buffer.from(text, "base64")]);
  const used = (bank: readonly Buffer[]) => bank.reduce((sum, entry) => sum + entry.length, 0);

  function room(bytes: number): Buffer[] {
    const last = banks.at(-1);
    const at = last ? used(last) : BANK_BYTES;
    if (last && at < BANK_BYTES - BANK_TAIL && at + bytes <= BANK_BYTES - TRAILER_BYTES) {
      return last;
    }
    const fresh: Buffer[] = [];
    banks.push(fresh);
    if (banks.length > MOST_BANKS) banks.shift();
    return fresh;
  }

  return {
    add(
      priority: LogPriority,
      event: keyof typeof LOG_EVENTS,
      parameters: readonly LogParameter[],
    ): void {
      const entry = entryOf(priority, LOG_EVENTS[event], sinceBoot(), parameters);
      room(entry.length).push(entry);
    },
    /** Whole banks, oldest first. */
    bytes: (): Buffer => Buffer.concat(banks.map(bankOf)),
    /** Writes the ring into the store; done when the system goes down, not at each entry. */
    save: (): void => saved.set(banks.map((bank) => Buffer.concat(bank).toString("base64"))),
  };
}

function bankOf(entries: readonly Buffer[], index: number): Buffer {
  const bank = Buffer.alloc(BANK_BYTES, 0xff);
  Buffer.concat(entries).copy(bank);
  bank.writeUInt16LE(index, BANK_BYTES - 4);
  bank.writeUInt16LE(0, BANK_BYTES - 2);
  return bank;
}

function entryOf(
  priority: LogPriority,
  [category, message]: readonly [number, number],
  milliseconds: number,
  parameters: readonly LogParameter[],
): Buffer {
  const body = Buffer.concat(parameters.map(encode));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16LE(HEADER_BYTES + body.length, 0);
  header.writeUInt8(PRIORITIES.indexOf(priority) + 1, 3);
  header.writeUInt16LE(category, 4);
  header.writeUInt16LE(message, 6);
  header.writeUInt32LE(Math.floor(milliseconds) >>> 0, 8);
  return Buffer.concat([header, body]);
}

function encode(parameter: LogParameter): Buffer {
  switch (parameter.type) {
    case "string":
      return Buffer.from(`${parameter.value.slice(0, LONGEST_TEXT)}\0`, "utf8");
    case "guid":
      return guidBytes(parameter.value);
    case "address":
      return Buffer.from(parameter.value.split(".").map(Number));
    default: {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(parameter.value >>> 0);
      return bytes;
    }
  }
}

/** Microsoft's order: the first three groups byte-reversed. */
export function guidBytes(guid: string): Buffer {
  const [a = "", b = "", c = "", ...rest] = guid.split("-");
  const reversed = [a, b, c].map((group) => Buffer.from(group, "hex").reverse());
  return Buffer.concat([...reversed, Buffer.from(rest.join(""), "hex")]);
}
