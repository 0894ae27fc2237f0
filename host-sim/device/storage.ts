import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/** The bytes of one app's file in mutable storage. */
export interface MutableStorage {
  read(offset: number, length: number): Uint8Array;
  /** When it returns, the bytes outlive the end of this process. */
  write(offset: number, bytes: Uint8Array): void;
  erase(): void;
  close(): void;
}

/** Mutable storage that ends with the process. */
export function memoryStorage(): MutableStorage {
  return cachedStorage(new Uint8Array(0), { write: () => {}, erase: () => {}, close: () => {} });
}

/** Mutable storage in a file of the computer. Reads come from memory: the file is at most 64 KiB. */
export function fileStorage(file: string): MutableStorage {
  const content = existsSync(file) ? readFileSync(file) : new Uint8Array(0);
  mkdirSync(dirname(file), { recursive: true });
  let handle: number | undefined;
  const close = () => {
    if (handle !== undefined) closeSync(handle);
    handle = undefined;
  };
  return cachedStorage(content, {
    write(offset, bytes) {
      handle ??= openSync(file, existsSync(file) ? "r+" : "w+");
      writeSync(handle, bytes, 0, bytes.length, offset);
    },
    erase() {
      close();
      rmSync(file, { force: true });
    },
    close,
  });
}

interface Medium {
  write(offset: number, bytes: Uint8Array): void;
  erase(): void;
  close(): void;
}

function cachedStorage(initial: Uint8Array, medium: Medium): MutableStorage {
  let content = initial;
  return {
    read: (offset, length) => content.subarray(offset, offset + length),
    write(offset, bytes) {
      const end = offset + bytes.length;
      // First the medium: what it refuses must not be readable either.
      medium.write(offset, bytes);
      if (end > content.length) {
        const grown = new Uint8Array(end);
        grown.set(content);
        content = grown;
      }
      content.set(bytes, offset);
    },
    erase() {
      content = new Uint8Array(0);
      medium.erase();
    },
    close: medium.close,
  };
}
