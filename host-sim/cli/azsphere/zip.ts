import { crc32 } from "node:zlib";

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
/** 1 January 1980, the first day that the format knows. */
const DATE = 0x21;

export interface ZipFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/** A zip of files that are stored as they are (APPNOTE 6.3, without compression). */
export function zip(files: readonly ZipFile[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content } of files) {
    const label = Buffer.from(name);
    const common = commonFields(label.length, content);
    const head = Buffer.concat([word32(LOCAL), common, label]);
    directory.push(
      Buffer.concat([
        ...[word32(CENTRAL), word16(VERSION), common, word16(0), word16(0), word16(0)],
        ...[word32(0), word32(offset), label],
      ]),
    );
    parts.push(head, Buffer.from(content));
    offset += head.length + content.length;
  }
  const central = Buffer.concat(directory);
  const counts = [word16(files.length), word16(files.length)];
  const end = [word32(END), word16(0), word16(0), ...counts, word32(central.length)];
  return Buffer.concat([...parts, central, ...end, word32(offset), word16(0)]);
}

/** What the local header and the directory have in common, from the version on. */
function commonFields(nameLength: number, content: Uint8Array): Buffer {
  const size = word32(content.length);
  return Buffer.concat([
    ...[word16(VERSION), word16(0), word16(0), word16(0), word16(DATE)],
    ...[word32(crc32(content)), size, size, word16(nameLength), word16(0)],
  ]);
}

function word16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function word32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
