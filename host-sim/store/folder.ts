import { open } from "lmdb";
import { LabError, messageOf } from "../errors.ts";
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
    entries: function* <T>(prefix: string) {
      for (const { key, value } of database.getRange({ start: prefix, end: prefix + AFTER_ALL })) {
        yield [key as string, value as T] as const;
      }
    },
    transaction: (change) => database.transactionSync(change),
    close: () => database.close(),
  };
}

function openDatabase(folder: string) {
  try {
    return open({ path: folder, encoding: "json", noSubdir: false });
  } catch (error) {
    throw new LabError(
      "state-corrupt",
      `The lab's state in ${folder} cannot be read: ${messageOf(error)}.`,
      "Keep a copy of the folder if you need it, then type `spherule reset`.",
      { cause: error },
    );
  }
}
