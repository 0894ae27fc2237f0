export { openFolderStore } from "./folder.ts";
export { madeOnce } from "./made-once.ts";
export { openMemoryStore } from "./memory.ts";
export { storePart } from "./part.ts";
export type { Change, Store } from "./store.ts";
