/**
 * Writes one line to the debug log. A zero byte ends it, and a device cuts it at 4095 bytes.
 * @param level 0 debug, 1 information, 2 warning, 3 error
 * @returns 0
 */
export declare function write(level: i32, text: usize, length: i32): i32;
