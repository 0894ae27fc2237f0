import type * as application from "../../../assembly/sphere/host/application.ts";
import { EINVAL } from "../../../assembly/sphere/host/errors.ts";
import type * as gpio from "../../../assembly/sphere/host/gpio.ts";
import type * as iothub from "../../../assembly/sphere/host/iothub.ts";
import type * as log from "../../../assembly/sphere/host/log.ts";
import type * as methods from "../../../assembly/sphere/host/methods.ts";
import type * as storage from "../../../assembly/sphere/host/storage.ts";
import type * as sysevent from "../../../assembly/sphere/host/sysevent.ts";
import type * as timers from "../../../assembly/sphere/host/timers.ts";
import type * as twin from "../../../assembly/sphere/host/twin.ts";
import type { AppSession } from "../session/session.ts";
import { AppExit } from "./exit.ts";

/** The import object; its type is the host ABI itself, so that no import can be forgotten. */
export interface HostImports extends Record<string, Record<string, unknown>> {
  readonly application: typeof application & Record<string, unknown>;
  readonly gpio: typeof gpio & Record<string, unknown>;
  readonly iothub: typeof iothub & Record<string, unknown>;
  readonly log: typeof log & Record<string, unknown>;
  readonly methods: typeof methods & Record<string, unknown>;
  readonly storage: typeof storage & Record<string, unknown>;
  readonly sysevent: typeof sysevent & Record<string, unknown>;
  readonly timers: typeof timers & Record<string, unknown>;
  readonly twin: typeof twin & Record<string, unknown>;
  readonly env: { abort(message: number, file: number, line: number, column: number): never };
}

/** Binds the ABI's imports to a session. `memory` is asked for at each call: it may have grown. */
export function createImports(session: AppSession, memory: () => ArrayBuffer): HostImports {
  const { gpio, iothub, storage, timers } = session;
  // What is the session's own is no import.
  const { end: _end, ...sysevent } = session.sysevent;
  const inside = (at: number, length: number) =>
    at >= 0 && length >= 0 && at + length <= memory().byteLength;
  const view = (at: number, length: number) => new Uint8Array(memory(), at, length);
  const text = (at: number, length: number, encoding: "utf8" | "latin1" = "utf8") =>
    Buffer.from(memory(), at, length).toString(encoding);

  /** Copies what a read import answers: as much as fits, and the length of the whole. */
  function give(result: Uint8Array | number, at: number, capacity: number): number {
    if (typeof result === "number") return result;
    if (!inside(at, capacity)) return EINVAL;
    view(at, capacity).set(result.subarray(0, capacity));
    return result.length;
  }

  return {
    application: {
      exit: (code) => {
        throw new AppExit(code >= 1 && code <= 63 ? code : 63);
      },
      argument: (index, at, capacity) => give(session.argument(index), at, capacity),
    },
    gpio: { ...gpio },
    iothub: {
      open: (at, length) => (inside(at, length) ? iothub.open(text(at, length)) : EINVAL),
      send(id, body, bodyLength, properties, propertiesLength) {
        if (!inside(body, bodyLength) || !inside(properties, propertiesLength)) return EINVAL;
        // A copy: the message leaves later, and the buffer is the app's again at once.
        // A character for each byte: what is not ASCII is refused, and bytes are what counts.
        const bag = text(properties, propertiesLength, "latin1");
        return iothub.send(id, view(body, bodyLength).slice(), bag);
      },
      messageBody: (at, capacity) => give(iothub.messageBody(), at, capacity),
      messageProperties: (at, capacity) => give(iothub.messageProperties(), at, capacity),
      settleMessage: (disposition) => iothub.settleMessage(disposition),
    },
    log: {
      write: (level, at, length) =>
        inside(at, length) ? session.log(level, upToZero(text(at, length))) : EINVAL,
    },
    methods: {
      name: (at, capacity) => give(iothub.methodName(), at, capacity),
      payload: (at, capacity) => give(iothub.methodPayload(), at, capacity),
      reply: (status, at, length) =>
        inside(at, length) ? iothub.reply(status, view(at, length).slice()) : EINVAL,
    },
    storage: {
      capacity: () => storage.capacity(),
      read(offset, at, length) {
        const result = storage.read(offset, length);
        return give(result, at, length);
      },
      write: (offset, at, length) =>
        inside(at, length) ? storage.write(offset, view(at, length)) : EINVAL,
      erase: () => storage.erase(),
    },
    sysevent,
    timers: {
      now: () => BigInt(Math.floor(session.now())),
      monotonic: () => BigInt(Math.floor(session.monotonic())),
      start: (id, delayMs, periodMs) => timers.start(id, delayMs, periodMs),
      stop: (id) => timers.stop(id),
    },
    twin: {
      report: (id, at, length) =>
        inside(at, length) ? iothub.report(id, view(at, length).slice()) : EINVAL,
      desired: (at, capacity) => give(iothub.desired(), at, capacity),
    },
    env: {
      abort(message, file, line, column): never {
        const place = `${managedText(memory(), file)}:${line}:${column}`;
        throw new AppExit(65, `abort: ${managedText(memory(), message) || "no message"}`, place);
      },
    },
  };
}

/** Halves of surrogate pairs, which no other body can write. */
const HALF_PAIRS = /\p{Surrogate}/gu;

/** A string of AssemblyScript: UTF-16, its byte length right before it. */
function managedText(memory: ArrayBuffer, at: number): string {
  if (at < 4 || at > memory.byteLength) return "";
  const length = new DataView(memory).getUint32(at - 4, true);
  if (at + length > memory.byteLength) return "";
  const text = Buffer.from(memory, at, length).toString("utf16le");
  return upToZero(text.replace(HALF_PAIRS, "\ufffd"));
}

/** Lines of a log are C's texts on the device: a zero ends them. */
const upToZero = (text: string): string => text.split("\0", 1)[0] ?? "";
