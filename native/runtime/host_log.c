#define _GNU_SOURCE
#include <errno.h>

#include <applibs/log.h>

#include "runtime.h"

int32_t host_log_write(int32_t level, int32_t text, int32_t length)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    const char *bytes = rt_buffer(text, length);
    if (bytes == NULL || level < 0 || level > 3) {
        return -EINVAL;
    }
    Log_Debug("[%s] %.*s\n", names[level], (int)length, bytes);
    return 0;
}
