export { openFolderStore } from "./folder.ts";
export { openMemoryStore } from "./memory.ts";
export type { Store } from "./store.ts";
