/** A value to write under a key; `undefined` deletes it. */
export type Change = readonly [key: string, value: unknown];

/**
 * What the lab keeps: JSON values under text keys, in sorted order. Two kinds exist: in a folder
 * (LMDB, made to survive a kill at any moment and to be shared between processes) and in memory.
 *
 * Keys are `room/subject/id`; a room reads and writes only below its own first part.
 */
export interface Store {
  /** The value under `key`, or undefined. The caller owns the copy. */
  get<T>(key: string): T | undefined;
  /** Writes at once; after it returns a kill of the process does not lose the value. */
  put(key: string, value: unknown): void;
  delete(key: string): void;
  /** All entries whose key starts with `prefix`, in key order; from the key `from` on, if given. */
  entries<T>(prefix: string, from?: string): Iterable<readonly [key: string, value: T]>;
  /** Their keys alone, without reading the values. */
  keys(prefix: string): Iterable<string>;
  /** Runs `change` so that all of its writes are kept or none. Must not await. */
  transaction<T>(change: () => T): T;
  /**
   * Writes in one transaction without holding the caller up, unless there is a value under `unless`
   * by then. When it resolves a kill of the process does not lose the values, and reads see them.
   * Calls keep their order among themselves only.
   * @returns whether it wrote
   */
  putSoon(changes: readonly Change[], unless?: string): Promise<boolean>;
  /**
   * Lets reads see what other processes have written by now. All reads of a turn of the event loop
   * see the same otherwise.
   */
  refresh(): void;
  /** Writes all entries as a folder store into `folder`, as of one moment, while work goes on. */
  copyTo(folder: string): Promise<void>;
  close(): Promise<void>;
}
