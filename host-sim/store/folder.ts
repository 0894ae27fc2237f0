import { join } from "node:path";
import { open } from "lmdb";
import { LabError, messageOf } from "../errors.ts";
import { problemWith } from "./check.ts";
import type { Store } from "./store.ts";

/** The largest code point ends the range of all keys with a prefix. */
const AFTER_ALL = "\u{10ffff}";

/** A store in `folder` (made when absent), durable against a kill at any moment. */
export function openFolderStore(folder: string): Store {
  const database = openDatabase(folder);
  return {
    get: (key) => database.get(key),
    put: (key, value) => void database.putSync(key, value),
    delete: (key) => void database.removeSync(key),
    entries: function* <T>(prefix: string, from = prefix) {
      for (const { key, value } of database.getRange({ start: from, end: prefix + AFTER_ALL })) {
        yield [key as string, value as T] as const;
      }
    },
    keys: (prefix) =>
      database.getKeys({ start: prefix, end: prefix + AFTER_ALL }) as Iterable<string>,
    transaction: (change) => database.transactionSync(change),
    // LMDB's own thread commits; a commit in this one waits for the disk.
    putSoon: (changes, unless) => {
      const write = () => {
        for (const [key, value] of changes) {
          if (value === undefined) database.remove(key);
          else database.put(key, value);
        }
      };
      return unless === undefined ? database.batch(write) : database.ifNoExists(unless, write);
    },
    refresh: () => database.resetReadTxn(),
    copyTo: (target) => database.backup(target, true),
    close: () => database.close(),
  };
}

function openDatabase(folder: string) {
  const problem = problemWith(join(folder, "data.mdb"));
  if (problem) throw corrupt(folder, problem);
  try {
    return open({ path: folder, encoding: "json", noSubdir: false });
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
