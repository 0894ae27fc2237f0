#include <applibs/applications.h>

#include <errno.h>

#include "channel.h"

static int fail(int error)
{
    errno = error;
    return -1;
}

int z__Applications_GetMemoryInfo(z__Applications_MemoryAttribute attribute, void *value,
                                  size_t size)
{
    if (value == NULL) {
        return fail(EFAULT);
    }
    if (attribute > z__Applications_MemoryAttribute_PeakUserMode || size != sizeof(size_t)) {
        return fail(EINVAL);
    }
    uint8_t payload[4];
    struct wire_writer writer = { payload, sizeof payload, 0, false };
    wire_put_u32(&writer, attribute);
    uint8_t data[4];
    struct wire_writer rest = { data, sizeof data, 0, false };
    struct channel_frame frame = { FRAME_MEMORY_USAGE, payload, sizeof payload, NULL, 0 };
    int result = channel_control(&frame, &rest);
    struct wire_reader reader = { data, rest.length, false };
    uint32_t kilobytes = wire_get_u32(&reader);
    if (result != 0 || !wire_complete(&reader)) {
        return fail(EAGAIN);
    }
    *(size_t *)value = kilobytes;
    return 0;
}
