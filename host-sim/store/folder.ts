import { statfsSync } from "node:fs";
import { join } from "node:path";
import { open } from "lmdb";
import { LabError, messageOf } from "../errors.ts";
import { problemWith } from "./check.ts";
import type { Store } from "./store.ts";

/** The largest code point ends the range of all keys with a prefix. */
const AFTER_ALL = "\u{10ffff}";

/** LMDB's native code may crash over a write that fails: nothing is written on so little room. */
const LEAST_FREE_BYTES = 16 * 1024 * 1024;

function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

export interface FolderStoreOptions {
  /** How much room the disk of the folder has. */
  readonly freeBytes?: (folder: string) => number;
  /** Is told of a write that failed, beside the one who wrote. */
  readonly onFailure?: (error: LabError) => void;
}

/** Whoever wrote may answer a stranger with it and go on; a lab that keeps nothing must not. */
function endProcess(error: LabError): void {
  setImmediate(() => {
    throw error;
  });
}

/**
 * A store in `folder` (made when absent), durable against a kill at any moment.
 * @throws LabError state-corrupt; state-not-written of what writes, which then ends the process
 */
export function openFolderStore(folder: string, options: FolderStoreOptions = {}): Store {
  const { freeBytes = freeBytesOf, onFailure = endProcess } = options;
  const database = openDatabase(folder);
  const failed = (cause: unknown): LabError => {
    const error = notWritten(folder, cause);
    onFailure(error);
    return error;
  };
  const requireRoom = () => {
    const free = freeBytes(folder);
    if (free >= LEAST_FREE_BYTES) return;
    const megabytes = (free / 1024 / 1024).toFixed(1);
    throw failed(new Error(`its disk has only ${megabytes} MB left`));
  };
  /** Runs what writes; what it throws for reasons of its own goes through. */
  const written = <T>(write: () => T): T => {
    requireRoom();
    try {
      return write();
    } catch (error) {
      throw isFromLmdb(error) ? failed(error) : error;
    }
  };
  return {
    get: (key) => database.get(key),
    put: (key, value) => void written(() => database.putSync(key, value)),
    delete: (key) => void written(() => database.removeSync(key)),
    entries: function* <T>(prefix: string, from = prefix) {
      for (const { key, value } of database.getRange({ start: from, end: prefix + AFTER_ALL })) {
        yield [key as string, value as T] as const;
      }
    },
    keys: (prefix) =>
      database.getKeys({ start: prefix, end: prefix + AFTER_ALL }) as Iterable<string>,
    transaction: (change) => written(() => database.transactionSync(change)),
    // LMDB's own thread commits; a commit in this one waits for the disk.
    putSoon: async (changes, unless) => {
      requireRoom();
      const write = () => {
        for (const [key, value] of changes) {
          const each = value === undefined ? database.remove(key) : database.put(key, value);
          // The answer of the whole tells of it.
          each.catch(() => {});
        }
      };
      try {
        return await (unless === undefined
          ? database.batch(write)
          : database.ifNoExists(unless, write));
      } catch (error) {
        throw failed(await reasonOf(error));
      }
    },
    refresh: () => database.resetReadTxn(),
    copyTo: (target) => database.backup(target, true),
    close: () => database.close(),
  };
}

function isFromLmdb(error: unknown): boolean {
  return error instanceof Error && error.constructor === Error && "code" in error;
}

/** The reason of a failed commit is told later, and by a promise that is rejected with it. */
async function reasonOf(error: unknown): Promise<unknown> {
  try {
    await (error as { commitError?: Promise<never> }).commitError;
    return error;
  } catch (reason) {
    return reason;
  }
}

function notWritten(folder: string, cause: unknown): LabError {
  return new LabError(
    "state-not-written",
    `The lab's state in ${folder} cannot be written: ${messageOf(cause)}.`,
    "Make room on the disk and start again: all that was acknowledged is kept.",
    { cause },
  );
}

function openDatabase(folder: string) {
  const problem = problemWith(join(folder, "data.mdb"));
  if (problem) throw corrupt(folder, problem);
  try {
    return open({ path: folder, encoding: "json", noSubdir: false, eventTurnBatching: false });
  } catch (error) {
    throw corrupt(folder, messageOf(error), error);
  }
}

function corrupt(folder: string, problem: string, cause?: unknown): LabError {
  return new LabError(
    "state-corrupt",
    `The lab's state in ${folder} cannot be read: ${problem}. It was left as it is.`,
    "Keep a copy of the folder if you need it, then type `spherule reset`.",
    { cause },
  );
}
