/**
 * The app's one file in mutable storage; it outlives restarts and updates. Needs the manifest's
 * `MutableStorage` capability.
 */

/** @returns the manifest's `SizeKB` in bytes, or EACCES */
export declare function capacity(): i32;

/**
 * Reads up to `length` bytes from `offset`.
 * @returns the bytes read, fewer at the end of the file, or EACCES, EINVAL, EIO
 */
export declare function read(offset: i32, buffer: usize, length: i32): i32;

/**
 * Writes `length` bytes at `offset`, growing the file unless there are none; a gap reads as zeros. When it returns the
 * bytes outlive a loss of power; a loss during the call may leave any prefix of them.
 * @returns `length`, or EACCES, EINVAL, EIO, EDQUOT (nothing written)
 */
export declare function write(offset: i32, buffer: usize, length: i32): i32;

/** Deletes the file. @returns 0, EACCES or EIO */
export declare function erase(): i32;
