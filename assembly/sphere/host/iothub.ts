/**
 * Starts the IoT Hub client: the runtime waits for network and device authentication, connects with
 * the device authentication certificate to the hub of the manifest's arguments (`--Hostname` or
 * `--ScopeID`, which counts if both are there), and connects again whenever the connection is lost.
 * EVENT_CONNECTION tells.
 * @param modelId the app's DTDL model id, announced on connect; empty for none
 * @returns 0, EBUSY when it is started already, EINVAL when the arguments name no hub or the model id
 *   has more than 256 bytes or others than letters, digits and `_.:;`
 */
export declare function open(modelId: usize, length: i32): i32;

/**
 * Sends a telemetry message; EVENT_TELEMETRY with `id` tells when the hub has it (at least once).
 * @param properties `name=value&…`, percent-encoded; system properties start with `$.`
 * @returns 0, ENOTCONN, EAGAIN (MAX_IN_FLIGHT wait already, or no memory at present: later it may
 *   work), EMSGSIZE (more than 64 properties or 16 KiB of them, or over 256 KiB in all, where each
 *   byte of the properties counts three times), EINVAL (escapes that are no UTF-8 or have a zero byte)
 */
export declare function send(
  id: i32,
  body: usize,
  bodyLength: i32,
  properties: usize,
  propertiesLength: i32,
): i32;

/** Copies the body of the cloud-to-device message of this event. @returns its length or ENOENT */
export declare function messageBody(buffer: usize, capacity: i32): i32;

/** Copies its properties as `name=value&…`, percent-encoded. @returns their length or ENOENT */
export declare function messageProperties(buffer: usize, capacity: i32): i32;

/**
 * Settles the message of this event; without it the message is accepted.
 * @param disposition 0 accepted, 1 rejected, 2 abandoned (MQTT can only accept)
 * @returns 0, ENOENT or EINVAL
 */
export declare function settleMessage(disposition: i32): i32;
