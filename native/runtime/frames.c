#define _GNU_SOURCE
#include "frames.h"

#include <stdint.h>
#include <stdio.h>
#include <unwind.h>

#include <applibs/log.h>

#include "runtime.h"

#define MOST_FRAMES 32
#define DIGITS (2 * sizeof(uintptr_t))

#ifdef __arm__
static const char machine[] = "arm";
#else
static const char machine[] = "native";
#endif

/** Where the loader has put the beginning of the program; the linker knows it. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

struct walk {
    int count;
    size_t length;
    char text[MOST_FRAMES * (1 + DIGITS) + 1];
};

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    // The call is before the address that it comes back to.
    uintptr_t at = (uintptr_t)_Unwind_GetIP(context) - 1;
    uintptr_t begin = (uintptr_t)__ehdr_start;
    // Beyond the program are the libraries that have called it: nothing of the app is there.
    if (at < begin || walk->count == MOST_FRAMES) {
        return _URC_END_OF_STACK;
    }
    int written = snprintf(walk->text + walk->length, sizeof walk->text - walk->length, " %lx",
                           (unsigned long)(at - begin));
    walk->length += written > 0 ? (size_t)written : 0;
    walk->count++;
    return _URC_NO_REASON;
}

void frames_log(const char *build_id)
{
    struct walk walk = { 0, 0, "" };
    _Unwind_Backtrace(note, &walk);
    Log_Debug("[frames] %s %.16s%s\n", machine, build_id, walk.text);
}
