import { rmSync } from "node:fs";
import { EACCES, EINVAL, EIO, ENODEV, ENOENT } from "../../../assembly/sphere/host/errors.ts";
import { systemErrorCode } from "../../errors.ts";
import type { AppSession } from "../session/session.ts";
import { type Frame, frameKind, ProtocolError, text16, u32 } from "./frames.ts";
import type { Connection, OpenChannel } from "./server.ts";

export interface ControlOptions {
  readonly session: AppSession;
  /** The file that the process may change, or undefined without the capability. */
  readonly mutableFile: string;
  /** Writes the certificate where it answers. */
  readonly certificateFile: () => string;
  /** Private pages of the process in bytes: now, and the most so far. */
  readonly memory: () => { readonly now: number; readonly peak: number };
  /** A line `[trap] …`, `[abort] …` or `[frames] …`. */
  readonly onReport: (line: string) => void;
}

type Answer = readonly [result: number, ...rest: Uint8Array[]];

const LEVELS = ["[debug] ", "[info] ", "[warn] ", "[error] "];
const INFO = 1;
/** Kind of PERIPHERAL_OPEN → capability, and the id of ISU0. */
const SERIAL: Readonly<Record<number, readonly ["Uart" | "SpiMaster", number]>> = {
  1: ["Uart", 4],
  2: ["SpiMaster", 0],
};
const REPORT = /^\[(?:trap|abort|frames)\] /;

/** The control channel: the log, and questions with short answers. */
export function controlChannel(options: ControlOptions): OpenChannel {
  return (connection) => ({
    take: (frame) => take(frame, connection, options),
    closed() {},
  });
}

function take(frame: Frame, connection: Connection, options: ControlOptions): void {
  if (frame.kind === frameKind.log) {
    log(frame.payload.rest().toString("utf8"), options);
    return;
  }
  const [result, ...rest] = answer(frame, options);
  frame.payload.end();
  connection.answer(frame.serial, result, ...rest);
}

function log(line: string, { session, onReport }: ControlOptions): void {
  const text = line.replace(/\n$/, "");
  if (REPORT.test(text)) {
    onReport(text);
    return;
  }
  const level = LEVELS.findIndex((prefix) => text.startsWith(prefix));
  if (level < 0) session.log(INFO, text);
  else session.log(level, text.slice(LEVELS[level]?.length));
}

function answer({ kind, payload }: Frame, options: ControlOptions): Answer {
  const { session } = options;
  switch (kind) {
    case frameKind.networkReady:
      return [session.hubs.networkReady() ? 1 : 0];
    case frameKind.deviceAuthReady:
      return [session.hubs.deviceAuthReady() ? 1 : 0];
    case frameKind.storageOpen: {
      const quota = session.storage.capacity();
      return quota < 0 ? [quota] : [0, u32(quota), text16(options.mutableFile)];
    }
    case frameKind.storageDelete:
      return [session.storage.capacity() < 0 ? EACCES : remove(options.mutableFile)];
    case frameKind.certificatePath:
      return [0, text16(options.certificateFile())];
    case frameKind.memoryUsage:
      return memoryUsage(payload.u32(), options);
    case frameKind.peripheralOpen:
      return [peripheral(payload.u32(), payload.i32(), session)];
    case frameKind.syseventDefer:
      return [session.sysevent.defer(payload.u32(), payload.u32())];
    case frameKind.syseventResume:
      return [session.sysevent.resume(payload.u32())];
    default:
      throw new ProtocolError(`the control channel has no frame ${kind}`);
  }
}

/** Total, user mode and its peak; what the kernel has for the process is not counted. */
function memoryUsage(attribute: number, { memory }: ControlOptions): Answer {
  const { now, peak } = memory();
  const bytes = [now, now, peak][attribute];
  return bytes === undefined ? [EINVAL] : [0, u32(Math.floor(bytes / 1024))];
}

/** The manifest is asked first, as on the device; and then there is nothing at the board's buses. */
function peripheral(kind: number, id: number, { allowsSerial }: AppSession): number {
  const [capability, first] = SERIAL[kind] ?? [];
  if (capability === undefined || first === undefined) return EINVAL;
  return allowsSerial(capability, id - first) ? ENODEV : EACCES;
}

function remove(file: string): number {
  try {
    rmSync(file);
    return 0;
  } catch (error) {
    return systemErrorCode(error) === "ENOENT" ? ENOENT : EIO;
  }
}
