import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** The bytes of one app's file in mutable storage. */
export interface MutableStorage {
  read(offset: number, length: number): Uint8Array;
  /** When it returns, the bytes outlive the end of this process. */
  write(offset: number, bytes: Uint8Array): void;
  erase(): void;
  /** Lets a process have the bytes as a file; `folder` is for one that goes at the end of the run. */
  lend(folder: string): LentFile;
  close(): void;
}

/** The mutable file of an app's process. */
export interface LentFile {
  readonly path: string;
  /** The process has ended: what the file holds now counts. */
  giveBack(): void;
}

/** Mutable storage that ends with the process. */
export function memoryStorage(): MutableStorage {
  return cachedStorage(new Uint8Array(0), {
    write: () => {},
    erase: () => {},
    lend(folder, content) {
      const file = join(folder, "mutable-storage");
      if (content.length > 0) writeFileSync(file, content);
      return file;
    },
    close: () => {},
  });
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
    lend: () => file,
    close,
  });
}

interface Medium {
  write(offset: number, bytes: Uint8Array): void;
  erase(): void;
  /** @returns a file that holds the content, or is missing when that is empty */
  lend(folder: string, content: Uint8Array): string;
  close(): void;
}

function cachedStorage(initial: Uint8Array, medium: Medium): MutableStorage {
  let content = initial;
  /** The file that a process has now. */
  let lent: string | undefined;
  const contentOf = (file: string) => (existsSync(file) ? readFileSync(file) : new Uint8Array(0));
  return {
    read(offset, length) {
      const current = lent === undefined ? content : contentOf(lent);
      return current.subarray(offset, offset + length);
    },
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
    lend(folder) {
      medium.close();
      const path = medium.lend(folder, content);
      lent = path;
      return {
        path,
        giveBack() {
          lent = undefined;
          content = contentOf(path);
        },
      };
    },
    close: medium.close,
  };
}
