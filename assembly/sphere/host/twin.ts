/**
 * Sends a patch of the reported properties, a JSON object; EVENT_REPORTED with `id` tells the result.
 * @returns 0, ENOTCONN, EAGAIN, EMSGSIZE (over 32 KiB), EINVAL (nothing at all)
 */
export declare function report(id: i32, json: usize, length: i32): i32;

/** Copies the JSON of this EVENT_DESIRED. @returns its length or ENOENT */
export declare function desired(buffer: usize, capacity: i32): i32;
