/** Wall-clock time in milliseconds since the Unix epoch; jumps when the clock is set. */
export declare function now(): i64;

/** Milliseconds since some fixed moment; never jumps. */
export declare function monotonic(): i64;

/**
 * Arms timer `id` (0 to MAX_TIMERS - 1), replacing what it was armed with: `onTimer(id)` comes after
 * `delayMs` (at least 1) and then every `periodMs`, or once when `periodMs` is 0.
 * @returns 0 or EINVAL
 */
export declare function start(id: i32, delayMs: i32, periodMs: i32): i32;

/** Disarms timer `id`. @returns 0 or EINVAL */
export declare function stop(id: i32): i32;
