export { openFolderStore } from "./folder.ts";
export { openMemoryStore } from "./memory.ts";
export { storePart } from "./part.ts";
export type { Change, Store } from "./store.ts";
