import { crc32 } from "node:zlib";
import {
  CRC_OFFSET,
  FLAGS,
  type ImageFile,
  INODE_SIZE,
  MAGIC,
  MODE,
  ROOT_TABLE,
  SIGNATURE_TEXT,
  SUPERBLOCK_SIZE,
  VOLUME_NAME,
} from "./asxipfs.ts";
import { damaged, firstNonZero, hex, PAGE, viewOf } from "./bytes.ts";

/** A file with the place of its content in the file system; 0 for an empty one. */
export interface PlacedFile extends ImageFile {
  readonly offset: number;
}

interface Inode {
  readonly mode: number;
  readonly size: number;
  readonly nameBytes: number;
  readonly offset: number;
}

interface Extent {
  readonly start: number;
  readonly end: number;
  readonly what: string;
}

/** What one pass over the tables collects. */
interface Walk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly files: PlacedFile[];
  readonly extents: Extent[];
  inodes: number;
}

/** Deeper trees do not occur; the bound keeps a damaged table from exhausting the stack. */
const DEEPEST = 32;

/** Whether bytes begin as a file system does. */
export const isFilesystem = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === MAGIC;

/**
 * Reads a file system with every check that the device's kernel, cramfsck and the packer's habits
 * allow. Contents are views into `bytes`.
 * @returns files in the order of their tables, depth first
 * @throws LabError asxipfs-…
 */
export function readFilesystem(bytes: Uint8Array): PlacedFile[] {
  const inodes = checkSuperblock(bytes);
  const view = viewOf(bytes);
  const walk: Walk = { bytes, view, files: [], extents: [], inodes: 1 };
  const root = readInode(view, SUPERBLOCK_SIZE);
  if ((root.mode & MODE.typeMask) !== 0o040000 || root.nameBytes !== 0) {
    throw damaged("asxipfs-superblock", "The root of the file system is no folder.");
  }
  if (root.offset !== ROOT_TABLE && root.size > 0) {
    throw damaged("asxipfs-superblock", `The root's table is at ${hex(root.offset)}, not 0x4c.`);
  }
  walk.extents.push({ start: 0, end: ROOT_TABLE, what: "the superblock" });
  readTable(walk, root, "", 0);
  checkExtents(bytes, walk.extents);
  if (walk.inodes !== inodes) {
    throw damaged(
      "asxipfs-inode-count",
      `The superblock counts ${inodes} inodes, the tables have ${walk.inodes}.`,
    );
  }
  return walk.files;
}

/** @returns the number of inodes that the superblock states */
function checkSuperblock(bytes: Uint8Array): number {
  if (bytes.length < PAGE || !isFilesystem(bytes)) {
    throw damaged("asxipfs-magic", "The payload does not begin as an ASXipFS file system.");
  }
  const view = viewOf(bytes);
  const size = view.getUint32(4, true);
  if (size !== bytes.length || size % PAGE !== 0) {
    throw damaged(
      "asxipfs-size",
      `The file system says it has ${size} bytes; the payload has ${bytes.length}.`,
    );
  }
  const crc = view.getUint32(CRC_OFFSET, true);
  const found = checksum(bytes);
  if (crc !== found) {
    throw damaged(
      "asxipfs-crc",
      `The file system's checksum is ${hex(found)}, the superblock says ${hex(crc)}.`,
    );
  }
  const text = Buffer.from(bytes.subarray(16, SUPERBLOCK_SIZE)).toString("latin1");
  const constant =
    view.getUint32(8, true) === FLAGS &&
    [12, 36, 40].every((offset) => view.getUint32(offset, true) === 0) &&
    text.startsWith(SIGNATURE_TEXT) &&
    text.slice(32) === VOLUME_NAME.padEnd(16, "\0");
  if (!constant) {
    throw damaged("asxipfs-superblock", "Flags or names of the superblock are not ASXipFS's.");
  }
  return view.getUint32(44, true);
}

/** CRC-32 of the image with the field of the checksum taken as zero. */
export function checksum(bytes: Uint8Array): number {
  const before = crc32(bytes.subarray(0, CRC_OFFSET));
  return crc32(bytes.subarray(CRC_OFFSET + 4), crc32(new Uint8Array(4), before));
}

function readInode(view: DataView, at: number): Inode {
  const owner = view.getUint16(at + 2, true) | view.getUint8(at + 7);
  if (owner !== 0) {
    throw damaged("asxipfs-owner", `The inode at ${hex(at)} has an owner; images have none.`);
  }
  const place = view.getUint32(at + 8, true);
  return {
    mode: view.getUint16(at, true),
    size: view.getUint32(at + 4, true) & 0xffffff,
    nameBytes: (place & 63) * 4,
    offset: (place >>> 6) * 4,
  };
}

function readTable(walk: Walk, folder: Inode, path: string, depth: number): void {
  const end = folder.offset + folder.size;
  if (folder.size > 0) take(walk, folder.offset, end, `the table of /${path}`);
  if (depth > DEEPEST) throw damaged("asxipfs-depth", `/${path} is nested too deeply.`);
  let at = folder.offset;
  let last: Buffer = Buffer.alloc(0);
  while (at < end) {
    if (at + INODE_SIZE > end) throw outOfTable(at);
    const inode = readInode(walk.view, at);
    const name = readName(walk.bytes, at + INODE_SIZE, inode.nameBytes, end);
    if (Buffer.compare(last, name) >= 0) {
      throw damaged("asxipfs-order", `/${path} is not sorted by name: ${name} after ${last}.`);
    }
    last = name;
    walk.inodes += 1;
    // Tables that contain each other would otherwise be walked without end.
    if (walk.inodes > walk.bytes.length / INODE_SIZE) {
      throw damaged("asxipfs-overlap", `The tables of the file system overlap at /${path}.`);
    }
    readEntry(walk, inode, path + decodeName(name), depth);
    at += INODE_SIZE + inode.nameBytes;
  }
}

function readName(bytes: Uint8Array, at: number, size: number, end: number): Buffer {
  if (at + size > end) throw outOfTable(at);
  const padded = Buffer.from(bytes.buffer, bytes.byteOffset + at, size);
  const zero = padded.indexOf(0);
  const length = zero < 0 ? size : zero;
  const padding = size - length;
  if (length === 0 || padding > 3 || firstNonZero(padded, length, size) >= 0) {
    throw damaged("asxipfs-name", `The name at ${hex(at)} is empty or wrongly padded.`);
  }
  return padded.subarray(0, length);
}

function decodeName(name: Buffer): string {
  const text = name.toString("utf8");
  const sound = !text.includes("/") && text !== "." && text !== "..";
  if (sound && Buffer.from(text, "utf8").equals(name)) return text;
  throw damaged("asxipfs-name", `${JSON.stringify(text)} cannot be the name of a file.`);
}

function outOfTable(at: number) {
  return damaged("asxipfs-bounds", `The entry at ${hex(at)} runs over the end of its table.`);
}

function readEntry(walk: Walk, inode: Inode, path: string, depth: number): void {
  const type = inode.mode & MODE.typeMask;
  if (type === 0o040000) {
    readTable(walk, inode, `${path}/`, depth + 1);
    return;
  }
  if (type !== MODE.regular) {
    throw damaged("asxipfs-file-type", `/${path} is neither a file nor a folder.`);
  }
  if ((inode.mode & MODE.sticky) === 0) {
    throw damaged(
      "asxipfs-not-in-place",
      `/${path} lacks the sticky bit of files that are executed in place; the kernel refuses it.`,
    );
  }
  const { offset, size } = inode;
  if (offset % PAGE !== 0) {
    throw damaged("asxipfs-alignment", `/${path} begins at ${hex(offset)}, within a page.`);
  }
  if (size > 0) take(walk, offset, offset + size, `/${path}`);
  const content = walk.bytes.subarray(offset, offset + size);
  const executable = (inode.mode & MODE.anyExecute) !== 0;
  walk.files.push({ path, content, executable, offset });
}

/** Notes bytes as used; bounds are checked at once, overlaps at the end. */
function take(walk: Walk, start: number, end: number, what: string): void {
  if (start < ROOT_TABLE || end > walk.bytes.length) {
    throw damaged(
      "asxipfs-bounds",
      `${what} lies at ${hex(start)} to ${hex(end)}, outside of the file system.`,
    );
  }
  walk.extents.push({ start, end, what });
}

/** No byte belongs to two, and what belongs to none is zero. */
function checkExtents(bytes: Uint8Array, extents: readonly Extent[]): void {
  const ordered = [...extents].sort((a, b) => a.start - b.start);
  const end = { start: bytes.length, end: bytes.length, what: "the end" };
  let last: Extent = { start: 0, end: 0, what: "" };
  for (const extent of [...ordered, end]) {
    if (extent.start < last.end) {
      throw damaged(
        "asxipfs-overlap",
        `${extent.what} and ${last.what} share bytes at ${hex(extent.start)}.`,
      );
    }
    const stray = firstNonZero(bytes, last.end, extent.start);
    if (stray >= 0) {
      throw damaged("asxipfs-gap", `The byte at ${hex(stray)} belongs to no file and is not zero.`);
    }
    last = extent;
  }
}
