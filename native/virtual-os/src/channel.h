/**
 * Connections to the virtual Sphere OS (docs/virtual-os-protocol.md). What comes from there is not
 * trusted: a frame that breaks a rule is -EPROTO, never more. Errors are negative errno values.
 */
#ifndef VIRTUAL_OS_CHANNEL_H
#define VIRTUAL_OS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

enum channel_kind {
    CHANNEL_CONTROL = 1,
    CHANNEL_GPIO = 2,
    CHANNEL_HUB = 3,
    CHANNEL_PROVISIONING = 4,
    CHANNEL_SYSEVENT = 5,
};

enum frame_kind {
    FRAME_ANSWER = 1,
    FRAME_HELLO = 2,
    FRAME_LOG = 16,
    FRAME_NETWORK_READY = 17,
    FRAME_DEVICE_AUTH_READY = 18,
    FRAME_STORAGE_OPEN = 19,
    FRAME_STORAGE_DELETE = 20,
    FRAME_CERTIFICATE_PATH = 21,
    FRAME_MEMORY_USAGE = 22,
    FRAME_PERIPHERAL_OPEN = 23,
    FRAME_SYSEVENT_DEFER = 24,
    FRAME_SYSEVENT_RESUME = 25,
    FRAME_GPIO_OPEN = 32,
    FRAME_GPIO_GET = 33,
    FRAME_GPIO_SET = 34,
    FRAME_GPIO_RELEASE = 35,
    FRAME_HUB_OPEN = 48,
    FRAME_HUB_STATUS = 49,
    FRAME_TELEMETRY = 50,
    FRAME_TELEMETRY_DONE = 51,
    FRAME_REPORT = 52,
    FRAME_REPORT_DONE = 53,
    FRAME_TWIN = 54,
    FRAME_MESSAGE = 55,
    FRAME_METHOD = 56,
    FRAME_METHOD_DONE = 57,
    FRAME_PROV_REGISTER = 64,
    FRAME_PROV_DONE = 65,
    FRAME_SYSEVENT_SUBSCRIBE = 80,
    FRAME_SYSEVENT_NOTIFY = 81,
};

#define CHANNEL_HEADER_BYTES 8u
#define CHANNEL_LARGEST_PAYLOAD 266240u
#define CHANNEL_TIMEOUT_MS 5000

/** A frame whose payload lies in two pieces, so that large bodies are not copied. */
struct channel_frame {
    uint16_t kind;
    const uint8_t *head;
    size_t head_length;
    const uint8_t *body;
    size_t body_length;
};

/** Says HELLO on a new connection. @return a descriptor, or -ENOTCONN, -EPROTO, -ETIMEDOUT … */
int channel_open(enum channel_kind kind);

/** Sends a frame that wants no answer. @return 0 or a negative errno */
int channel_send(int fd, const struct channel_frame *frame);

/**
 * Sends a request and waits for its answer. After -EPROTO and -ETIMEDOUT the connection is over: every
 * later request is -ENOTCONN.
 * @param rest NULL when the answer must have no data
 * @return the answer's result, or a negative errno of the channel or of the operating system
 */
int channel_request(int fd, const struct channel_frame *frame, struct wire_writer *rest);

/** The same on this library's control connection, which it opens first. Thread-safe. */
int channel_control(const struct channel_frame *frame, struct wire_writer *rest);

/** Sends on the control connection without an answer. Thread-safe. */
int channel_control_send(const struct channel_frame *frame);

/** Whether the process was given an operating system at all. */
bool channel_configured(void);

/** Frames that come at any time. `fd` is closed by channel_stream_close. */
struct channel_stream {
    int fd;
    uint8_t header[CHANNEL_HEADER_BYTES];
    size_t have;
    uint32_t length;
    uint8_t *payload;
};

struct channel_incoming {
    uint16_t kind;
    struct wire_reader payload;
};

void channel_stream_init(struct channel_stream *stream, int fd);

/**
 * Takes the next frame without waiting. Its payload is valid until the next call.
 * @return 1 a frame, 0 none yet, or -EPROTO, -ENOTCONN, -ENOMEM
 */
int channel_stream_next(struct channel_stream *stream, struct channel_incoming *out);

void channel_stream_close(struct channel_stream *stream);

#endif
