#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "runtime.h"

#define LAST_APP_CODE 63

void host_application_exit(int32_t code)
{
    rt_leave(code >= 1 && code <= LAST_APP_CODE ? code : LAST_APP_CODE);
}

int32_t host_application_argument(int32_t index, int32_t buffer, int32_t capacity)
{
    // The first is the program's own name.
    if (index < 0 || index >= rt_process.argument_count - 1) {
        return -ENOENT;
    }
    const char *text = rt_process.arguments[index + 1];
    return rt_give(text, strlen(text), buffer, capacity);
}
