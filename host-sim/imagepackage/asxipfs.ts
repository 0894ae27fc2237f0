/**
 * ASXipFS, the file system inside an application image: cramfs without compression, every file on
 * pages of its own. See docs/image-package.md.
 */
export const MAGIC = 0x28cd3d45;
export const SUPERBLOCK_SIZE = 64;
export const INODE_SIZE = 12;
/** Where the root's table begins: after the superblock and the root inode. */
export const ROOT_TABLE = SUPERBLOCK_SIZE + INODE_SIZE;
/** Version 2 of the numbering, and sorted directories. */
export const FLAGS = 3;
export const SIGNATURE_TEXT = "Compressed ROMFS";
export const VOLUME_NAME = "Compressed";
export const CRC_OFFSET = 32;

export const MODE = {
  directory: 0o040755,
  /** The sticky bit says: stored uncompressed, to be executed in place. */
  file: 0o101644,
  executable: 0o101755,
  sticky: 0o001000,
  typeMask: 0o170000,
  regular: 0o100000,
  anyExecute: 0o111,
} as const;

export const LIMITS = { nameBytes: 252, fileBytes: 0xffffff, offset: 0x0fffffff } as const;

/** A file of an image. */
export interface ImageFile {
  /** Relative to the root, `/` between parts, e.g. `bin/app`. */
  readonly path: string;
  readonly content: Uint8Array;
  readonly executable: boolean;
}

/** One that may be kept: what readers give is a view, which would keep the whole package in memory. */
export const keptFile = ({ path, content, executable }: ImageFile): ImageFile => ({
  path,
  content: Uint8Array.from(content),
  executable,
});
