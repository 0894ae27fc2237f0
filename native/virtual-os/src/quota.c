#define _GNU_SOURCE
#include "quota.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool limited;
static dev_t limited_device;
static ino_t limited_node;
static uint32_t limit;

void quota_set(dev_t device, ino_t node, uint32_t bytes)
{
    pthread_mutex_lock(&lock);
    limited = true;
    limited_device = device;
    limited_node = node;
    limit = bytes;
    pthread_mutex_unlock(&lock);
}

/** The limit of this descriptor's file, or -1 when it has none. */
static int64_t limit_of(int fd)
{
    int error = errno;
    struct stat status;
    int64_t result = -1;
    pthread_mutex_lock(&lock);
    if (limited && fstat(fd, &status) == 0 && status.st_dev == limited_device &&
        status.st_ino == limited_node) {
        result = limit;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

/** Whether `length` bytes at `offset` are too many; sets errno then. @param offset -1: where the
 * file stands */
static bool refused(int fd, int64_t offset, size_t length)
{
    int64_t most = limit_of(fd);
    if (most < 0 || length == 0) {
        return false;
    }
    int64_t at = offset < 0 ? (int64_t)lseek(fd, 0, SEEK_CUR) : offset;
    if (at < 0 || (uint64_t)at + length <= (uint64_t)most) {
        return false;
    }
    errno = EDQUOT;
    return true;
}

static size_t sum_of(const struct iovec *parts, int count)
{
    size_t length = 0;
    for (int index = 0; index < count; index++) {
        length += parts[index].iov_len;
    }
    return length;
}

EXPORTED ssize_t write(int fd, const void *bytes, size_t length)
{
    static ssize_t (*next)(int, const void *, size_t);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "write");
    }
    return refused(fd, -1, length) ? -1 : next(fd, bytes, length);
}

EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    static ssize_t (*next)(int, const void *, size_t, off_t);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "pwrite");
    }
    return offset >= 0 && refused(fd, offset, length) ? -1 : next(fd, bytes, length, offset);
}

EXPORTED ssize_t writev(int fd, const struct iovec *parts, int count)
{
    static ssize_t (*next)(int, const struct iovec *, int);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "writev");
    }
    return refused(fd, -1, sum_of(parts, count)) ? -1 : next(fd, parts, count);
}

EXPORTED ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    static ssize_t (*next)(int, const struct iovec *, int, off_t);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "pwritev");
    }
    bool full = offset >= 0 && refused(fd, offset, sum_of(parts, count));
    return full ? -1 : next(fd, parts, count, offset);
}

EXPORTED int ftruncate(int fd, off_t length)
{
    static int (*next)(int, off_t);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "ftruncate");
    }
    // What makes it shorter is no more than what it has.
    return length > 0 && refused(fd, 0, (size_t)length) ? -1 : next(fd, length);
}

/** The names for large files; with musl these are macros for the ones above. */
_Static_assert(sizeof(off_t) == 8, "one offset for both names");
#ifndef pwrite64
EXPORTED ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset)
    __attribute__((alias("pwrite")));
#endif
#ifndef ftruncate64
EXPORTED int ftruncate64(int fd, off_t length) __attribute__((alias("ftruncate")));
#endif
#ifndef pwritev64
EXPORTED ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
    __attribute__((alias("pwritev")));
#endif
