/**
 * Errors of the host ABI: an import that fails returns one of these negative numbers, which are the
 * `errno` values of the device's Linux with the sign turned.
 */

/** No such file, argument or object. */
export const ENOENT: i32 = -2;
/** The operating system could not read or write the storage. */
export const EIO: i32 = -5;
/** Not a handle that this app has open. */
export const EBADF: i32 = -9;
/** Not now: the queue is full or the service is not ready. Try again later. */
export const EAGAIN: i32 = -11;
/** The capability is missing from app_manifest.json. */
export const EACCES: i32 = -13;
/** Somebody else has it open. */
export const EBUSY: i32 = -16;
/** The board has no such peripheral. */
export const ENODEV: i32 = -19;
/** An argument is out of its range. */
export const EINVAL: i32 = -22;
/** Too many of these are open. */
export const EMFILE: i32 = -24;
/** A text or message is longer than the service takes. */
export const EMSGSIZE: i32 = -90;
/** Not connected to the IoT Hub. */
export const ENOTCONN: i32 = -107;
/** The mutable storage is full: `MutableStorage.SizeKB` of the manifest. */
export const EDQUOT: i32 = -122;
