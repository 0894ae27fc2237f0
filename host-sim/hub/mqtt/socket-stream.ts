import type { Socket } from "node:net";
import { Duplex } from "node:stream";

type Done = (error?: Error | null) => void;

/**
 * The bytes of a socket as a stream that is no socket. Over a socket Node's TLS reads into 64 KB that
 * it keeps for each connection, and a third of that stays resident; from a stream it takes the chunks
 * that come. An idle device costs 38 KB instead of 48 (docs/hub-performance.md).
 */
export class SocketStream extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    // TLS says goodbye in its own way after the other end has; it has to be let out.
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on("data", (chunk) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on("end", () => this.push(null));
    // A reset is told by the end of the stream.
    socket.on("error", () => {});
    socket.on("close", () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.#socket.write(chunk, done);
  }

  /** What TLS makes of one turn in several parts leaves in one system call. */
  override _writev(parts: readonly { readonly chunk: Buffer }[], done: Done): void {
    const socket = this.#socket;
    const last = parts.length - 1;
    socket.cork();
    parts.forEach(({ chunk }, index) => {
      if (index === last) socket.write(chunk, done);
      else socket.write(chunk);
    });
    socket.uncork();
  }

  override _final(done: Done): void {
    if (this.#socket.destroyed) done();
    else this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy();
    done(error);
  }
}
