import type { Duplex, Readable, Writable } from "node:stream";

/** Enough of a packet to tell what it is. */
const HEAD_LENGTH = 16;
const DOLLAR = "$".charCodeAt(0);
const HASH = "#".charCodeAt(0);

export interface DebugStubOptions {
  /** What the debug server takes, and what it says. */
  readonly input: Writable;
  readonly output: Readable;
  /** The debugger ended the app, or has left without letting it go. */
  readonly onAbandoned: () => void;
}

export type DebugStub = ReturnType<typeof createDebugStub>;

/**
 * Connects a debugger with the debug server of one run of an app, and listens to what becomes of the app:
 * the server's own exit code does not tell.
 */
export function createDebugStub({ input, output, onAbandoned }: DebugStubOptions) {
  let detached = false;
  let abandoned = false;
  let end: { readonly kind: "exit" | "signal"; readonly number: number } | undefined;
  let connection: Duplex | undefined;

  function abandon(): void {
    if (abandoned || detached || end) return;
    abandoned = true;
    onAbandoned();
  }

  function onCommand(head: string): void {
    if (/^D(;|$)/.test(head)) detached = true;
    // What follows is the end of the app, whoever is quicker.
    if (/^(k$|vKill;)/.test(head)) abandoned = true;
  }

  function onReply(head: string): void {
    const [, kind, number = ""] = /^([WX])([0-9a-f]{1,2})/.exec(head) ?? [];
    if (kind === undefined) return;
    end = { kind: kind === "W" ? "exit" : "signal", number: Number.parseInt(number, 16) };
    // A server that would wait for another program to run has none.
    input.end();
  }

  for (const stream of [input, output]) stream.on("error", () => {});
  return {
    /** Hands a debugger over. */
    connect(debug: Duplex): void {
      connection = debug;
      debug.on("error", () => {});
      debug.on("data", packetReader(onCommand));
      output.on("data", packetReader(onReply));
      debug.pipe(input);
      output.pipe(debug);
      debug.once("close", () => {
        input.destroy();
        abandon();
      });
    },
    /** The run is over. */
    close(): void {
      connection?.end();
      for (const stream of [input, output]) stream.destroy();
    },
    /** The debugger let the app go, which runs by itself now. */
    get detached(): boolean {
      return detached;
    },
    get abandoned(): boolean {
      return abandoned;
    },
    /** What the server told the debugger of the app's end; numbers of signals are gdb's. */
    get end() {
      return end;
    },
  };
}

/**
 * Finds the packets of gdb's remote protocol in a stream, however it is cut: a `$` begins one, and is
 * nothing else.
 * @param found gets the first characters of each, without `$`
 */
export function packetReader(found: (head: string) => void): (chunk: Buffer) => void {
  let head: string | undefined;
  return (chunk) => {
    for (const byte of chunk) {
      if (byte === DOLLAR) {
        head = "";
      } else if (head !== undefined) {
        if (byte !== HASH) head += String.fromCharCode(byte);
        if (byte === HASH || head.length === HEAD_LENGTH) {
          found(head);
          head = undefined;
        }
      }
    }
  };
}
