import { crc32 } from "node:zlib";
import { LabError } from "../errors.ts";
import {
  CRC_OFFSET,
  FLAGS,
  type ImageFile,
  INODE_SIZE,
  LIMITS,
  MAGIC,
  MODE,
  ROOT_TABLE,
  SIGNATURE_TEXT,
  SUPERBLOCK_SIZE,
  VOLUME_NAME,
} from "./asxipfs.ts";
import { PAGE, roundUp, viewOf } from "./bytes.ts";

interface FileNode {
  readonly name: Buffer;
  readonly file: ImageFile;
  offset: number;
}

interface FolderNode {
  readonly name: Buffer;
  readonly entries: Map<string, Node>;
  offset: number;
}

type Node = FileNode | FolderNode;

/**
 * Writes a file system. The order of `files` does not matter.
 * @returns a multiple of 4096 bytes
 * @throws LabError image-path-invalid, image-path-repeated, image-file-too-large
 */
export function writeFilesystem(files: readonly ImageFile[]): Uint8Array {
  const root: FolderNode = { name: Buffer.alloc(0), entries: new Map(), offset: ROOT_TABLE };
  for (const file of files) insert(root, file);
  const tablesEnd = placeTables(root, ROOT_TABLE + tableSize(root));
  const end = placeFiles(root, roundUp(tablesEnd, PAGE));
  const bytes = Buffer.alloc(roundUp(end, PAGE));
  writeSuperblock(bytes, countNodes(root));
  writeInode(bytes, SUPERBLOCK_SIZE, root);
  writeTables(bytes, root);
  bytes.writeUInt32LE(crc32(bytes), CRC_OFFSET);
  return bytes;
}

function insert(root: FolderNode, file: ImageFile): void {
  if (file.content.length > LIMITS.fileBytes) {
    throw new LabError(
      "image-file-too-large",
      `${file.path} has ${file.content.length} bytes; a file in an image has less than 16 MiB.`,
      "Leave it out or make it smaller.",
    );
  }
  const parts = file.path.split("/");
  let folder = root;
  for (const [index, part] of parts.entries()) {
    const name = checkedName(part, file.path);
    const known = folder.entries.get(part);
    if (index === parts.length - 1) {
      if (known) throw repeated(file.path);
      folder.entries.set(part, { name, file, offset: 0 });
    } else {
      if (known && !("entries" in known)) throw repeated(file.path);
      const next = known ?? { name, entries: new Map(), offset: 0 };
      folder.entries.set(part, next);
      folder = next;
    }
  }
}

function checkedName(name: string, path: string): Buffer {
  const bytes = Buffer.from(name, "utf8");
  const sound = bytes.length > 0 && bytes.length <= LIMITS.nameBytes && !name.includes("\0");
  if (sound && name !== "." && name !== ".." && bytes.toString("utf8") === name) return bytes;
  throw new LabError(
    "image-path-invalid",
    `${JSON.stringify(path)} cannot be a path in an image.`,
    "Paths are relative, without `.` and `..`; each part has 1 to 252 bytes of UTF-8.",
  );
}

function repeated(path: string): LabError {
  return new LabError(
    "image-path-repeated",
    `${path} would be in the image twice, or be both a file and a folder.`,
    "Name each file once.",
  );
}

/** By byte value, as the kernel searches: upper case before lower case. */
const sorted = (folder: FolderNode): Node[] =>
  [...folder.entries.values()].sort((a, b) => Buffer.compare(a.name, b.name));

const isFolder = (node: Node): node is FolderNode => "entries" in node;

const entrySize = (node: Node): number => INODE_SIZE + roundUp(node.name.length, 4);

const tableSize = (folder: FolderNode): number =>
  [...folder.entries.values()].reduce((sum, node) => sum + entrySize(node), 0);

/** A folder's table is followed by those of its own folders. @returns the end of the last */
function placeTables(folder: FolderNode, free: number): number {
  let next = free;
  for (const node of sorted(folder).filter(isFolder)) {
    node.offset = next;
    next = placeTables(node, next + tableSize(node));
  }
  return next;
}

/** Depth first; equal files are not shared, because the kernel numbers inodes by offset. */
function placeFiles(folder: FolderNode, free: number): number {
  let next = free;
  for (const node of sorted(folder)) {
    if (isFolder(node)) {
      next = placeFiles(node, next);
    } else if (node.file.content.length > 0) {
      node.offset = next;
      next = roundUp(next + node.file.content.length, PAGE);
    }
  }
  return next;
}

const countNodes = (folder: FolderNode): number =>
  [...folder.entries.values()].reduce(
    (sum, node) => sum + (isFolder(node) ? countNodes(node) : 1),
    1,
  );

function writeSuperblock(bytes: Buffer, inodes: number): void {
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.writeUInt32LE(FLAGS, 8);
  bytes.write(SIGNATURE_TEXT, 16, "latin1");
  bytes.writeUInt32LE(inodes, 44);
  bytes.write(VOLUME_NAME, 48, "latin1");
}

function writeInode(bytes: Buffer, at: number, node: Node): void {
  const view = viewOf(bytes);
  const mode = isFolder(node) ? MODE.directory : node.file.executable ? MODE.executable : MODE.file;
  const size = isFolder(node) ? tableSize(node) : node.file.content.length;
  view.setUint32(at, mode, true);
  view.setUint32(at + 4, size, true);
  // Six bits of name length and 26 of offset, both in units of four bytes.
  view.setUint32(at + 8, ((node.offset / 4) << 6) | (roundUp(node.name.length, 4) / 4), true);
}

function writeTables(bytes: Buffer, folder: FolderNode): void {
  let at = folder.offset;
  for (const node of sorted(folder)) {
    writeInode(bytes, at, node);
    bytes.set(node.name, at + INODE_SIZE);
    at += entrySize(node);
    if (isFolder(node)) writeTables(bytes, node);
    else bytes.set(node.file.content, node.offset);
  }
}
