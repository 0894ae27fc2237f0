#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include <applibs/storage.h>

#include "app_config.h"
#include "runtime.h"

static int mutable_file = -1;

/** Opens the file at the first use. @return 0, or a negative errno */
static int32_t ready(void)
{
    if (APP_STORAGE_BYTES == 0) {
        return -EACCES;
    }
    if (mutable_file < 0) {
        mutable_file = Storage_OpenMutableFile();
    }
    if (mutable_file >= 0) {
        return 0;
    }
    return errno == EACCES ? -EACCES : -EIO;
}

int32_t host_storage_capacity(void)
{
    int32_t bytes = APP_STORAGE_BYTES;
    return bytes > 0 ? bytes : -EACCES;
}

int32_t host_storage_read(int32_t offset, int32_t buffer, int32_t length)
{
    int32_t problem = ready();
    if (problem != 0) {
        return problem;
    }
    uint8_t *bytes = rt_buffer(buffer, length);
    if (bytes == NULL || offset < 0) {
        return -EINVAL;
    }
    int32_t done = 0;
    while (done < length) {
        ssize_t got =
            pread(mutable_file, bytes + done, (size_t)(length - done), (off_t)offset + done);
        if (got < 0 && errno != EINTR) {
            return -EIO;
        }
        if (got == 0) {
            break;
        }
        done += got > 0 ? (int32_t)got : 0;
    }
    return done;
}

static int32_t write_all(int32_t offset, const uint8_t *bytes, int32_t length)
{
    int32_t done = 0;
    while (done < length) {
        ssize_t put =
            pwrite(mutable_file, bytes + done, (size_t)(length - done), (off_t)offset + done);
        if (put < 0 && errno != EINTR) {
            return errno == EDQUOT ? -EDQUOT : -EIO;
        }
        done += put > 0 ? (int32_t)put : 0;
    }
    return done;
}

int32_t host_storage_write(int32_t offset, int32_t buffer, int32_t length)
{
    const uint8_t *bytes = rt_buffer(buffer, length);
    if (bytes == NULL) {
        return -EINVAL;
    }
    int32_t problem = ready();
    if (problem != 0) {
        return problem;
    }
    if (offset < 0) {
        return -EINVAL;
    }
    // Asked for here, so that nothing is written when not everything fits.
    if ((int64_t)offset + length > (int64_t)APP_STORAGE_BYTES) {
        return -EDQUOT;
    }
    int32_t done = write_all(offset, bytes, length);
    return done < 0 || fsync(mutable_file) == 0 ? done : -EIO;
}

int32_t host_storage_erase(void)
{
    int32_t problem = ready();
    if (problem != 0) {
        return problem;
    }
    close(mutable_file);
    mutable_file = -1;
    if (Storage_DeleteMutableFile() == 0 || errno == ENOENT) {
        return 0;
    }
    return errno == EACCES ? -EACCES : -EIO;
}
