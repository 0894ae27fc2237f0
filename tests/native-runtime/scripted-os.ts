import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  encodeFrame,
  type Frame,
  FrameSplitter,
  frameKind,
  i32,
  text16,
  u32,
} from "../../host-sim/device/native/frames.ts";

/** What the script sends for a frame: bytes as they are, or nothing. `end` closes the connection. */
export type Reaction = { readonly bytes?: Uint8Array; readonly end?: boolean } | undefined;

export type Script = (frame: Frame, first: boolean) => Reaction;

/** An operating system that does what a test says, also what a real one never would. */
export async function startScriptedOs(script: Script) {
  const folder = mkdtempSync(join(tmpdir(), "spherule-test-"));
  const path = join(folder, "os");
  const frames: { readonly kind: number; readonly rest: Buffer }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const splitter = new FrameSplitter();
    let first = true;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      for (const frame of splitter.push(chunk)) {
        const reaction = script(frame, first);
        first = false;
        frames.push({ kind: frame.kind, rest: frame.payload.rest() });
        if (reaction?.bytes && !socket.destroyed) socket.write(reaction.bytes);
        if (reaction?.end) socket.end();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    folder,
    /** What the process sent. */
    frames,
    /** Ends all connections and takes no new ones, as when the process has died. */
    die(): void {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
    async stop(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** An answer as a well-behaved system gives it. */
export const answerTo = (frame: Frame, result: number, ...rest: Uint8Array[]) => ({
  bytes: encodeFrame(frameKind.answer, frame.serial, [i32(result), ...rest]),
});

/** Says yes to everything; the mutable file is `file`, with 64 bytes. */
export function honest(file: string): Script {
  return (frame) => {
    switch (frame.kind) {
      case frameKind.log:
        return undefined;
      case frameKind.networkReady:
      case frameKind.deviceAuthReady:
      case frameKind.gpioGet:
        return answerTo(frame, 1);
      case frameKind.storageOpen:
        return answerTo(frame, 0, u32(64), text16(file));
      case frameKind.certificatePath:
        return answerTo(frame, 0, text16("/run/daa/tenant"));
      default:
        return answerTo(frame, 0);
    }
  };
}
