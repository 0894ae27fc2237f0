/** Frames of docs/virtual-os-protocol.md, from and to bytes. Everything that comes in is checked. */

export const MAGIC = 0x534f5053;
export const VERSION = 1;
export const HEADER_BYTES = 8;
export const LARGEST_PAYLOAD = 266_240;
/** Linux's EPROTO with the sign turned; not one of the host ABI's errors. */
export const EPROTO = -71;

export const channelKind = {
  control: 1,
  gpio: 2,
  hub: 3,
  provisioning: 4,
  sysevent: 5,
} as const;

export const frameKind = {
  answer: 1,
  hello: 2,
  log: 16,
  networkReady: 17,
  deviceAuthReady: 18,
  storageOpen: 19,
  storageDelete: 20,
  certificatePath: 21,
  memoryUsage: 22,
  peripheralOpen: 23,
  syseventDefer: 24,
  syseventResume: 25,
  gpioOpen: 32,
  gpioGet: 33,
  gpioSet: 34,
  gpioRelease: 35,
  hubOpen: 48,
  hubStatus: 49,
  telemetry: 50,
  telemetryDone: 51,
  report: 52,
  reportDone: 53,
  twin: 54,
  message: 55,
  method: 56,
  methodDone: 57,
  provRegister: 64,
  provDone: 65,
  syseventSubscribe: 80,
  syseventNotify: 81,
} as const;

export interface Frame {
  readonly kind: number;
  readonly serial: number;
  readonly payload: PayloadReader;
}

/** The app's process broke the protocol; its connection ends. */
export class ProtocolError extends Error {}

/** Reads the fields of a payload in their order; `end` refuses what is left over. */
export class PayloadReader {
  #at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new ProtocolError("a payload is too short");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  u8(): number {
    return this.#take(1).readUInt8();
  }

  u16(): number {
    return this.#take(2).readUInt16LE();
  }

  u32(): number {
    return this.#take(4).readUInt32LE();
  }

  i32(): number {
    return this.#take(4).readInt32LE();
  }

  text(): string {
    return decoded(this.#take(this.u16()));
  }

  rest(): Buffer {
    return this.#take(this.#bytes.length - this.#at);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new ProtocolError("a payload is too long");
  }
}

function decoded(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  if (text.includes("\0")) throw new ProtocolError("a text has a zero in it");
  return text;
}

export const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};

export const i32 = (value: number) => u32(value);

export const text16 = (text: string) => {
  const bytes = Buffer.from(text, "utf8");
  const length = Buffer.alloc(2);
  length.writeUInt16LE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** @param parts fields of the payload, in order */
export function encodeFrame(kind: number, serial: number, parts: readonly Uint8Array[]): Buffer {
  const payload = Buffer.concat(parts);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt16LE(kind, 4);
  header.writeUInt16LE(serial, 6);
  return Buffer.concat([header, payload]);
}

/** Cuts a stream of bytes into frames. */
export class FrameSplitter {
  #chunks: Buffer[] = [];
  #length = 0;

  /** @throws ProtocolError for a length that is not allowed */
  *push(chunk: Buffer): Generator<Frame> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (let frame = this.#next(); frame; frame = this.#next()) yield frame;
  }

  #next(): Frame | undefined {
    if (this.#length < HEADER_BYTES) return undefined;
    const bytes = this.#joined();
    const length = bytes.readUInt32LE(0);
    if (length > LARGEST_PAYLOAD) throw new ProtocolError(`a frame of ${length} bytes`);
    const end = HEADER_BYTES + length;
    if (bytes.length < end) return undefined;
    this.#chunks = [bytes.subarray(end)];
    this.#length = bytes.length - end;
    return {
      kind: bytes.readUInt16LE(4),
      serial: bytes.readUInt16LE(6),
      payload: new PayloadReader(bytes.subarray(HEADER_BYTES, end)),
    };
  }

  #joined(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }
}
