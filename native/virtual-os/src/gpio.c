#define _GNU_SOURCE
#include <applibs/gpio.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"

#define MOST_PINS 96u

/**
 * The open pins. A descriptor number alone proves nothing: the app may have closed the pin and
 * opened something else with that number, so the socket's identity is kept too.
 */
static struct open_pin {
    int fd;
    bool open;
    dev_t device;
    ino_t node;
} open_pins[MOST_PINS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int fail(int error)
{
    errno = error;
    return -1;
}

/** The entry of an open pin, or NULL; forgets one whose descriptor is something else by now. */
static struct open_pin *find(int fd)
{
    for (size_t index = 0; index < MOST_PINS; index++) {
        struct open_pin *pin = &open_pins[index];
        struct stat now;
        if (!pin->open || pin->fd != fd) {
            continue;
        }
        if (fstat(fd, &now) == 0 && now.st_dev == pin->device && now.st_ino == pin->node) {
            return pin;
        }
        pin->open = false;
    }
    return NULL;
}

static int remember(int fd)
{
    struct stat now;
    if (fstat(fd, &now) < 0) {
        return -errno;
    }
    for (size_t index = 0; index < MOST_PINS; index++) {
        if (!open_pins[index].open) {
            open_pins[index] = (struct open_pin){ fd, true, now.st_dev, now.st_ino };
            return 0;
        }
    }
    return -EMFILE;
}

static bool is_pin(int fd, bool forget)
{
    pthread_mutex_lock(&lock);
    struct open_pin *pin = find(fd);
    if (pin != NULL && forget) {
        pin->open = false;
    }
    pthread_mutex_unlock(&lock);
    return pin != NULL;
}

static int open_pin(GPIO_Id id, uint8_t direction, uint8_t mode, uint8_t value)
{
    int fd = channel_open(CHANNEL_GPIO);
    if (fd < 0) {
        return fail(-fd);
    }
    uint8_t payload[8];
    struct wire_writer writer = { payload, sizeof payload, 0, false };
    wire_put_u32(&writer, (uint32_t)id);
    wire_put_u8(&writer, direction);
    wire_put_u8(&writer, mode);
    wire_put_u8(&writer, value);
    wire_put_u8(&writer, 0);
    struct channel_frame frame = { FRAME_GPIO_OPEN, payload, writer.length, NULL, 0 };
    int result = channel_request(fd, &frame, NULL);
    if (result == 0) {
        pthread_mutex_lock(&lock);
        result = remember(fd);
        pthread_mutex_unlock(&lock);
    }
    if (result == 0) {
        return fd;
    }
    close(fd);
    return fail(result < 0 ? -result : EPROTO);
}

int GPIO_OpenAsInput(GPIO_Id gpioId)
{
    return open_pin(gpioId, 0, 0, 0);
}

int GPIO_OpenAsOutput(GPIO_Id gpioId, GPIO_OutputMode_Type outputMode, GPIO_Value_Type initialValue)
{
    return open_pin(gpioId, 1, outputMode, initialValue);
}

int GPIO_GetValue(int gpioFd, GPIO_Value_Type *outValue)
{
    if (outValue == NULL) {
        return fail(EFAULT);
    }
    if (!is_pin(gpioFd, false)) {
        return fail(EBADF);
    }
    struct channel_frame frame = { FRAME_GPIO_GET, NULL, 0, NULL, 0 };
    int result = channel_request(gpioFd, &frame, NULL);
    if (result < 0 || result > 1) {
        return fail(result < 0 ? -result : EPROTO);
    }
    *outValue = (GPIO_Value_Type)result;
    return 0;
}

int GPIO_SetValue(int gpioFd, GPIO_Value_Type value)
{
    if (!is_pin(gpioFd, false)) {
        return fail(EBADF);
    }
    uint8_t payload[4];
    struct wire_writer writer = { payload, sizeof payload, 0, false };
    wire_put_u32(&writer, value);
    struct channel_frame frame = { FRAME_GPIO_SET, payload, sizeof payload, NULL, 0 };
    int result = channel_request(gpioFd, &frame, NULL);
    return result < 0 ? fail(-result) : 0;
}

/**
 * In place of libc's, which it calls: when a pin is closed, the operating system has given it back
 * before this returns. Otherwise the app could not open it again at once.
 */
__attribute__((visibility("default"))) int close(int fd)
{
    static int (*libc_close)(int);
    if (libc_close == NULL) {
        *(void **)&libc_close = dlsym(RTLD_NEXT, "close");
    }
    if (is_pin(fd, true)) {
        struct channel_frame frame = { FRAME_GPIO_RELEASE, NULL, 0, NULL, 0 };
        channel_request(fd, &frame, NULL);
    }
    return libc_close(fd);
}
