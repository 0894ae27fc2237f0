/**
 * The host ABI: what an app and the machine below it say to each other. Every other file in this
 * folder declares the imports of one subject; the name of the file is the wasm module's name.
 *
 * Rules that all imports keep:
 * - integers only; a buffer is (address, byte length) in linear memory and stays the app's;
 * - text is UTF-8 without a terminating zero;
 * - a read import copies at most `capacity` bytes and returns the length of the whole, so a result
 *   above `capacity` says how large the buffer has to be;
 * - a negative result is an error of `errors.ts`;
 * - no import calls back into the app: the host calls an export only when none is running.
 *
 * The app exports: `start()` runs the top level of the modules once; `onTimer(id)`;
 * `onEvent(kind, id, value)`; `collect()` frees garbage and is called between events;
 * `abiVersion()` answers ABI_VERSION.
 */

/** Counts up with every change that an older host cannot serve. */
export const ABI_VERSION: i32 = 1;

/** Timer ids are 0 to MAX_TIMERS - 1. */
export const MAX_TIMERS: i32 = 32;

/** At most this many telemetry messages may wait for their acknowledgement. */
export const MAX_IN_FLIGHT: i32 = 32;

/** `onEvent` kinds. A watched input changed: id = handle, value = level. */
export const EVENT_GPIO: i32 = 1;
/** The IoT Hub connection changed: id = CONNECTED or DISCONNECTED, value = a REASON. */
export const EVENT_CONNECTION: i32 = 2;
/** A telemetry message was settled: id as given to `send`, value = 0 acknowledged, else an error. */
export const EVENT_TELEMETRY: i32 = 3;
/** A cloud-to-device message is readable during this event: value = body length. */
export const EVENT_MESSAGE: i32 = 4;
/** Desired properties are readable during this event: id = DESIRED_*, value = length. */
export const EVENT_DESIRED: i32 = 5;
/** Reported properties were settled: id as given to `report`, value = HTTP-like status. */
export const EVENT_REPORTED: i32 = 6;
/** A direct method is readable during this event and must be replied to in it: value = length. */
export const EVENT_METHOD: i32 = 7;
/** The operating system asks the app to end (SIGTERM); it is ended after this event. */
export const EVENT_STOP: i32 = 8;
/** A software update event: id = an UPDATE_* kind, value = an UPDATE_STATUS_*. */
export const EVENT_UPDATE: i32 = 9;

export const CONNECTED: i32 = 0;
export const DISCONNECTED: i32 = 1;

/** Reasons of EVENT_CONNECTION, as the Azure IoT C SDK numbers them. */
export const REASON_EXPIRED_SAS_TOKEN: i32 = 0;
export const REASON_DEVICE_DISABLED: i32 = 1;
export const REASON_BAD_CREDENTIAL: i32 = 2;
export const REASON_RETRY_EXPIRED: i32 = 3;
export const REASON_NO_NETWORK: i32 = 4;
export const REASON_COMMUNICATION_ERROR: i32 = 5;
export const REASON_OK: i32 = 6;

/** The whole twin: `{"desired":{…},"reported":{…}}`. */
export const DESIRED_COMPLETE: i32 = 0;
/** A patch of the desired properties: `{"name":…,"$version":n}`. */
export const DESIRED_PARTIAL: i32 = 1;
