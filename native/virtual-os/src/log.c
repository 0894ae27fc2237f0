#define _GNU_SOURCE
#include <applibs/log.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"

/** The real limit is not documented; longer lines are cut here. */
#define LONGEST_LINE 4096u

int Log_DebugVarArgs(const char *fmt, va_list args)
{
    if (fmt == NULL) {
        errno = EFAULT;
        return -1;
    }
    char line[LONGEST_LINE];
    int length = vsnprintf(line, sizeof line, fmt, args);
    if (length < 0) {
        errno = EINVAL;
        return -1;
    }
    if (!channel_configured()) {
        fputs(line, stderr);
        return 0;
    }
    struct channel_frame frame = { FRAME_LOG, (const uint8_t *)line, strlen(line), NULL, 0 };
    // Nobody listens: as on the device, the line goes nowhere and that is no error.
    channel_control_send(&frame);
    return 0;
}

int Log_Debug(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int result = Log_DebugVarArgs(fmt, args);
    va_end(args);
    return result;
}
