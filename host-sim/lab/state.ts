import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStorage, type MutableStorage, memoryStorage } from "../device/storage.ts";
import { openFolderStore, openMemoryStore, type Store } from "../store/index.ts";
import { SIGNING_FOLDER } from "./signing-key.ts";
import { lockStateFolder } from "./state-folder.ts";

/** Everything that a lab keeps. */
export interface LabState {
  readonly store: Store;
  /** For files that other programs read, such as the CA file. */
  readonly folder: string;
  /** Mutable storage of an app by its component id. */
  storage(componentId: string): MutableStorage;
  /** Copies the state as of now into a new folder. */
  exportTo(folder: string): Promise<void>;
  close(): Promise<void>;
}

/** @param stateFolder in memory, with a folder for files that goes at the end, when absent */
export function openState(stateFolder: string | undefined): LabState {
  return stateFolder === undefined ? memoryState() : folderState(stateFolder);
}

function memoryState(): LabState {
  const store = openMemoryStore();
  const folder = mkdtempSync(join(tmpdir(), "spherule-"));
  const kept = new Map<string, MutableStorage>();
  return {
    store,
    folder,
    storage(componentId) {
      const storage = kept.get(componentId) ?? memoryStorage();
      kept.set(componentId, storage);
      return storage;
    },
    exportTo: (target) => store.copyTo(join(target, "store")),
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @throws LabError state-locked, state-corrupt */
function folderState(folder: string): LabState {
  const unlock = lockStateFolder(folder);
  let store: Store;
  try {
    store = openFolderStore(join(folder, "store"));
  } catch (error) {
    unlock();
    throw error;
  }
  return {
    store,
    folder,
    storage: (componentId) => fileStorage(join(folder, "storage", componentId.toLowerCase())),
    async exportTo(target) {
      await store.copyTo(join(target, "store"));
      for (const name of ["storage", "ca.pem", SIGNING_FOLDER]) {
        const source = join(folder, name);
        if (existsSync(source)) cpSync(source, join(target, name), { recursive: true });
      }
    },
    async close() {
      await store.close();
      unlock();
    },
  };
}
