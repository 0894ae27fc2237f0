/** Copies the name of the direct method of this event. @returns its length or ENOENT */
export declare function name(buffer: usize, capacity: i32): i32;

/** Copies its JSON payload; empty when the caller gave none. @returns its length or ENOENT */
export declare function payload(buffer: usize, capacity: i32): i32;

/**
 * Answers the method of this event; a method that is not answered in its event gets status 501.
 * @param status HTTP-like, 200 for success
 * @param json the response payload; JSON's null goes out when it is empty
 * @returns 0, ENOENT, EMSGSIZE (over 128 KiB)
 */
export declare function reply(status: i32, json: usize, length: i32): i32;
