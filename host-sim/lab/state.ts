import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStorage, type MutableStorage, memoryStorage } from "../device/storage.ts";
import { openFolderStore, openMemoryStore, type Store, storePart } from "../store/index.ts";
import { SIGNING_FOLDER } from "./signing-key.ts";
import { lockStateFolder } from "./state-folder.ts";

/** What one device keeps. */
export interface DeviceState {
  readonly number: number;
  readonly store: Store;
  /** Mutable storage of an app by its component id. */
  storage(componentId: string): MutableStorage;
}

/** Everything that a lab keeps. */
export interface LabState {
  readonly store: Store;
  /** Where the store is, for other processes; absent in memory. */
  readonly storeFolder?: string;
  /** For files that other programs read, such as the CA file. */
  readonly folder: string;
  /** What the lab's device with this number keeps; the first has number 1. */
  device(number: number): DeviceState;
  /** Copies the state as of now into a new folder. */
  exportTo(folder: string): Promise<void>;
  close(): Promise<void>;
}

/** @param stateFolder in memory, with a folder for files that goes at the end, when absent */
export function openState(stateFolder: string | undefined): LabState {
  return stateFolder === undefined ? memoryState() : folderState(stateFolder);
}

/** The first device has its part where a lab with one device has always had it. */
function deviceState(
  whole: Store,
  number: number,
  storage: (name: string) => MutableStorage,
): DeviceState {
  const name = `device-${number}`;
  return {
    number,
    store: number === 1 ? whole : storePart(whole, `devices/${name}/`),
    storage(componentId) {
      const file = componentId.toLowerCase();
      return storage(number === 1 ? file : join(name, file));
    },
  };
}

function memoryState(): LabState {
  const store = openMemoryStore();
  const folder = mkdtempSync(join(tmpdir(), "spherule-"));
  const kept = new Map<string, MutableStorage>();
  return {
    store,
    folder,
    device: (number) =>
      deviceState(store, number, (name) => {
        const storage = kept.get(name) ?? memoryStorage();
        kept.set(name, storage);
        return storage;
      }),
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
    storeFolder: join(folder, "store"),
    folder,
    device: (number) =>
      deviceState(store, number, (name) => fileStorage(join(folder, "storage", name))),
    async exportTo(target) {
      await store.copyTo(join(target, "store"));
      for (const name of ["storage", "ca.pem", "device-ca.pem", SIGNING_FOLDER]) {
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
