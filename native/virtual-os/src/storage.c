#define _GNU_SOURCE
#include <applibs/storage.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "quota.h"

static int fail(int error)
{
    errno = error;
    return -1;
}

/** The image package is mounted where SPHERULE_IMAGE_PACKAGE says, or is the working directory. */
char *Storage_GetAbsolutePathInImagePackage(const char *relativePath)
{
    if (relativePath == NULL) {
        errno = EFAULT;
        return NULL;
    }
    if (relativePath[0] == '/' || relativePath[0] == '.' || strstr(relativePath, "..") != NULL) {
        errno = EINVAL;
        return NULL;
    }
    const char *folder = getenv("SPHERULE_IMAGE_PACKAGE");
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder == NULL ? "." : folder, relativePath) < 0) {
        errno = ENOMEM;
        return NULL;
    }
    return path;
}

int Storage_OpenFileInImagePackage(const char *relativePath)
{
    char *path = Storage_GetAbsolutePathInImagePackage(relativePath);
    if (path == NULL) {
        return -1;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = errno;
    free(path);
    errno = error;
    return fd;
}

/** Where the mutable file is, and how large it may become. @return 0 or a negative errno */
static int ask_for_file(char *path, size_t capacity, uint32_t *quota)
{
    uint8_t data[4 + 2 + PATH_MAX];
    struct wire_writer rest = { data, sizeof data, 0, false };
    struct channel_frame frame = { FRAME_STORAGE_OPEN, NULL, 0, NULL, 0 };
    int result = channel_control(&frame, &rest);
    if (result < 0) {
        return result;
    }
    struct wire_reader reader = { data, rest.length, false };
    *quota = wire_get_u32(&reader);
    struct wire_span text = wire_get_text(&reader);
    if (!wire_complete(&reader) || text.length == 0 || text.length >= capacity ||
        memchr(text.data, 0, text.length) != NULL) {
        return -EPROTO;
    }
    memcpy(path, text.data, text.length);
    path[text.length] = '\0';
    return 0;
}

int Storage_OpenMutableFile(void)
{
    char path[PATH_MAX];
    uint32_t quota = 0;
    int result = ask_for_file(path, sizeof path, &quota);
    if (result < 0) {
        return fail(-result);
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(EIO);
    }
    struct stat status;
    if (fstat(fd, &status) < 0) {
        close(fd);
        return fail(EIO);
    }
    quota_set(status.st_dev, status.st_ino, quota);
    return fd;
}

int Storage_DeleteMutableFile(void)
{
    struct channel_frame frame = { FRAME_STORAGE_DELETE, NULL, 0, NULL, 0 };
    int result = channel_control(&frame, NULL);
    return result < 0 ? fail(-result) : 0;
}
