/**
 * Opens a pin as output. Needs the pin in the manifest's `Gpio` capability.
 * @param mode 0 push-pull, 1 open drain, 2 open source
 * @param value 0 low, 1 high
 * @returns a handle, or EACCES, EBUSY, ENODEV, EINVAL, EMFILE
 */
export declare function openOutput(pin: i32, mode: i32, value: i32): i32;

/** Opens a pin as input. @returns a handle, or EACCES, EBUSY, ENODEV, EMFILE */
export declare function openInput(pin: i32): i32;

/** @returns 0 low, 1 high, or EBADF */
export declare function read(handle: i32): i32;

/** Sets an output; on an input it has no effect. @returns 0, EBADF or EINVAL */
export declare function write(handle: i32, value: i32): i32;

/**
 * Asks for EVENT_GPIO whenever the level differs from the last look, looking every `periodMs`
 * (1 to 1000); 0 ends it. The chip has no pin interrupts for applications.
 * @returns the level now, or EBADF, EINVAL
 */
export declare function watch(handle: i32, periodMs: i32): i32;

/** Gives the pin back. @returns 0 or EBADF */
export declare function close(handle: i32): i32;
