#define _GNU_SOURCE
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x534f5053u
#define VERSION 1u
#define LOWEST_ERRNO (-4095)

static pthread_mutex_t control_lock = PTHREAD_MUTEX_INITIALIZER;
static int control_fd = -1;

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/** Waits until the descriptor is ready or the time is over. */
static int wait_for(int fd, short events, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - monotonic_ms();
        if (left <= 0) {
            return -ETIMEDOUT;
        }
        struct pollfd entry = { .fd = fd, .events = events };
        int ready = poll(&entry, 1, (int)left);
        if (ready > 0) {
            return 0;
        }
        if (ready < 0 && errno != EINTR) {
            return -errno;
        }
    }
}

/** What a failed send or receive means to the caller. */
static int lost(void)
{
    return errno == ECONNRESET || errno == EPIPE ? -ENOTCONN : -errno;
}

static int send_bytes(int fd, const uint8_t *bytes, size_t length, int64_t deadline)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno == EAGAIN) {
            int result = wait_for(fd, POLLOUT, deadline);
            if (result < 0) {
                return result;
            }
        } else if (errno != EINTR) {
            return lost();
        }
    }
    return 0;
}

static int receive_bytes(int fd, uint8_t *bytes, size_t length, int64_t deadline)
{
    while (length > 0) {
        ssize_t got = recv(fd, bytes, length, MSG_DONTWAIT);
        if (got > 0) {
            bytes += got;
            length -= (size_t)got;
        } else if (got == 0) {
            return -ENOTCONN;
        } else if (errno == EAGAIN) {
            int result = wait_for(fd, POLLIN, deadline);
            if (result < 0) {
                return result;
            }
        } else if (errno != EINTR) {
            return lost();
        }
    }
    return 0;
}

static int send_frame(int fd, const struct channel_frame *frame, uint16_t serial, int64_t deadline)
{
    size_t length = frame->head_length + frame->body_length;
    if (length > CHANNEL_LARGEST_PAYLOAD) {
        return -EMSGSIZE;
    }
    uint8_t header[CHANNEL_HEADER_BYTES];
    struct wire_writer writer = { header, sizeof header, 0, false };
    wire_put_u32(&writer, (uint32_t)length);
    wire_put_u16(&writer, frame->kind);
    wire_put_u16(&writer, serial);
    int result = send_bytes(fd, header, sizeof header, deadline);
    if (result == 0) {
        result = send_bytes(fd, frame->head, frame->head_length, deadline);
    }
    if (result == 0) {
        result = send_bytes(fd, frame->body, frame->body_length, deadline);
    }
    return result;
}

int channel_send(int fd, const struct channel_frame *frame)
{
    return send_frame(fd, frame, 0, monotonic_ms() + CHANNEL_TIMEOUT_MS);
}

/** Reads an answer: its data must fit into `rest` exactly as far as the request allows it. */
static int receive_answer(int fd, uint16_t serial, struct wire_writer *rest, int64_t deadline)
{
    uint8_t bytes[CHANNEL_HEADER_BYTES + 4];
    int result = receive_bytes(fd, bytes, CHANNEL_HEADER_BYTES, deadline);
    if (result < 0) {
        return result;
    }
    struct wire_reader reader = { bytes, sizeof bytes, false };
    uint32_t length = wire_get_u32(&reader);
    uint16_t kind = wire_get_u16(&reader);
    uint16_t answered = wire_get_u16(&reader);
    size_t room = rest == NULL ? 0 : rest->capacity;
    if (kind != FRAME_ANSWER || answered != serial || length < 4 || length - 4 > room) {
        return -EPROTO;
    }
    result = receive_bytes(fd, bytes + CHANNEL_HEADER_BYTES, 4, deadline);
    if (result == 0 && length > 4) {
        result = receive_bytes(fd, rest->data, length - 4, deadline);
    }
    if (result < 0) {
        return result;
    }
    if (rest != NULL) {
        rest->length = length - 4;
    }
    int32_t answer = (int32_t)wire_get_u32(&reader);
    return answer < LOWEST_ERRNO ? -EPROTO : answer;
}

/** Errors of the connection itself, after which nothing on it makes sense any more. */
static bool is_broken(int result)
{
    return result == -EPROTO || result == -ENOTCONN || result == -ETIMEDOUT;
}

int channel_request(int fd, const struct channel_frame *frame, struct wire_writer *rest)
{
    static _Atomic uint16_t last_serial;
    uint16_t serial = ++last_serial;
    if (serial == 0) {
        serial = ++last_serial;
    }
    int64_t deadline = monotonic_ms() + CHANNEL_TIMEOUT_MS;
    int result = send_frame(fd, frame, serial, deadline);
    if (result == 0) {
        result = receive_answer(fd, serial, rest, deadline);
    }
    // What comes later must not be taken for an answer to the next request.
    if (is_broken(result)) {
        shutdown(fd, SHUT_RDWR);
    }
    return result;
}

bool channel_configured(void)
{
    return getenv("SPHERULE_OS_SOCKET") != NULL;
}

static int connect_to_os(void)
{
    const char *path = getenv("SPHERULE_OS_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (path == NULL || strlen(path) >= sizeof address.sun_path) {
        return -ENOTCONN;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -ENOTCONN;
    }
    return fd;
}

int channel_open(enum channel_kind kind)
{
    int fd = connect_to_os();
    if (fd < 0) {
        return fd;
    }
    uint8_t hello[8];
    struct wire_writer writer = { hello, sizeof hello, 0, false };
    wire_put_u32(&writer, MAGIC);
    wire_put_u16(&writer, VERSION);
    wire_put_u16(&writer, (uint16_t)kind);
    struct channel_frame frame = { FRAME_HELLO, hello, sizeof hello, NULL, 0 };
    int result = channel_request(fd, &frame, NULL);
    if (result == 0) {
        return fd;
    }
    close(fd);
    return result < 0 ? result : -EPROTO;
}

static int control_exchange(const struct channel_frame *frame, struct wire_writer *rest,
                            bool answered)
{
    if (control_fd < 0) {
        int opened = channel_open(CHANNEL_CONTROL);
        if (opened < 0) {
            return opened;
        }
        control_fd = opened;
    }
    int result =
        answered ? channel_request(control_fd, frame, rest) : channel_send(control_fd, frame);
    if (is_broken(result)) {
        close(control_fd);
        control_fd = -1;
    }
    return result;
}

int channel_control(const struct channel_frame *frame, struct wire_writer *rest)
{
    pthread_mutex_lock(&control_lock);
    int result = control_exchange(frame, rest, true);
    pthread_mutex_unlock(&control_lock);
    return result;
}

int channel_control_send(const struct channel_frame *frame)
{
    pthread_mutex_lock(&control_lock);
    int result = control_exchange(frame, NULL, false);
    pthread_mutex_unlock(&control_lock);
    return result;
}

void channel_stream_init(struct channel_stream *stream, int fd)
{
    memset(stream, 0, sizeof *stream);
    stream->fd = fd;
}

void channel_stream_close(struct channel_stream *stream)
{
    if (stream->fd >= 0) {
        close(stream->fd);
    }
    free(stream->payload);
    channel_stream_init(stream, -1);
}

/** Reads towards `wanted` bytes of header and payload. @return 1 all there, 0 not yet, negative
 * errno */
static int read_towards(struct channel_stream *stream, uint8_t *target, size_t start, size_t wanted)
{
    while (stream->have < wanted) {
        ssize_t got =
            recv(stream->fd, target + (stream->have - start), wanted - stream->have, MSG_DONTWAIT);
        if (got == 0) {
            return -ENOTCONN;
        }
        if (got < 0 && errno == EAGAIN) {
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            return lost();
        }
        stream->have += got > 0 ? (size_t)got : 0;
    }
    return 1;
}

static int begin_payload(struct channel_stream *stream)
{
    struct wire_reader reader = { stream->header, sizeof stream->header, false };
    stream->length = wire_get_u32(&reader);
    if (stream->length > CHANNEL_LARGEST_PAYLOAD) {
        return -EPROTO;
    }
    stream->payload = malloc(stream->length > 0 ? stream->length : 1);
    return stream->payload == NULL ? -ENOMEM : 0;
}

int channel_stream_next(struct channel_stream *stream, struct channel_incoming *out)
{
    if (stream->payload != NULL && stream->have == CHANNEL_HEADER_BYTES + stream->length) {
        free(stream->payload);
        stream->payload = NULL;
        stream->have = 0;
    }
    int result = read_towards(stream, stream->header, 0, CHANNEL_HEADER_BYTES);
    if (result == 1 && stream->payload == NULL) {
        int begun = begin_payload(stream);
        if (begun < 0) {
            return begun;
        }
    }
    if (result == 1) {
        result = read_towards(stream, stream->payload, CHANNEL_HEADER_BYTES,
                              CHANNEL_HEADER_BYTES + stream->length);
    }
    if (result == 1) {
        struct wire_reader header = { stream->header + 4, 2, false };
        out->kind = wire_get_u16(&header);
        out->payload = (struct wire_reader){ stream->payload, stream->length, false };
    }
    return result;
}
