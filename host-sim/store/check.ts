import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { systemErrorCode } from "../errors.ts";

const META_MAGIC = 0xbeefc0de;
const PAGE_HEADER = 24;
/** Offsets within a meta page, after the page's own header. */
const PAGE_SIZE_AT = PAGE_HEADER + 24;
const LAST_PAGE_AT = PAGE_HEADER + 120;
const TRANSACTION_AT = PAGE_HEADER + 128;
const META_LENGTH = PAGE_HEADER + 136;

/**
 * Looks at the head of an LMDB file before the library maps it: a file that is no database or that
 * was cut short would end the process with a signal instead of an error.
 * @returns what is wrong, or undefined when the file is absent or looks whole
 */
export function problemWith(file: string): string | undefined {
  const handle = openIfThere(file);
  if (handle === undefined) return undefined;
  try {
    const size = fstatSync(handle).size;
    if (size === 0) return undefined;
    const first = readMeta(handle, 0);
    if (!first) return "it is not a database";
    const second = readMeta(handle, first.pageSize);
    if (!second) return "its second header is damaged";
    const newest = second.transaction > first.transaction ? second : first;
    const needed = (newest.lastPage + 1) * first.pageSize;
    return size < needed ? `it is cut short (${size} of at least ${needed} bytes)` : undefined;
  } finally {
    closeSync(handle);
  }
}

function readMeta(handle: number, at: number) {
  const page = Buffer.alloc(META_LENGTH);
  if (readSync(handle, page, 0, META_LENGTH, at) < META_LENGTH) return undefined;
  if (page.readUInt32LE(PAGE_HEADER) !== META_MAGIC) return undefined;
  return {
    pageSize: page.readUInt32LE(PAGE_SIZE_AT),
    lastPage: Number(page.readBigUInt64LE(LAST_PAGE_AT)),
    transaction: page.readBigUInt64LE(TRANSACTION_AT),
  };
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, "r");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
