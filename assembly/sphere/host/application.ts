/**
 * Ends the app with an exit code of 1 to 63 (0 is kept for an end that the operating system asked
 * for, 64 and up for the runtime). Does not return; the operating system starts the app again.
 */
export declare function exit(code: i32): void;

/**
 * Copies the argument `index` (from 0) of the manifest's `CmdArgs`.
 * @returns its length in bytes, or ENOENT when there are fewer arguments
 */
export declare function argument(index: i32, buffer: usize, capacity: i32): i32;
