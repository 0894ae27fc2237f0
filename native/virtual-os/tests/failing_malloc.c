/**
 * An allocator that fails, for LD_PRELOAD before a program with the address sanitizer.
 * SPHERULE_FAIL_MALLOC is `17`: the 17th call has no memory; or `17+`: that and all that follow.
 * Each failure writes one `!` to standard error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/** The sanitizer's own, which it exports for allocators that stand before it. */
void *__interceptor_malloc(size_t size);
void *__interceptor_calloc(size_t count, size_t size);
void *__interceptor_realloc(void *block, size_t size);

static long first = -1;
static bool for_ever;
static _Atomic long calls;

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("SPHERULE_FAIL_MALLOC");
    if (text != NULL) {
        char *end = NULL;
        first = strtol(text, &end, 10);
        for_ever = *end == '+';
    }
}

static bool fails(void)
{
    if (first < 0) {
        return false;
    }
    long call = ++calls;
    if (call < first || (call > first && !for_ever)) {
        return false;
    }
    // Not write(): libapplibs has one of its own, which is a part of what is tested.
    syscall(SYS_write, STDERR_FILENO, "!", 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __interceptor_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __interceptor_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return fails() ? NULL : __interceptor_realloc(block, size);
}

/** The sanitizer has one of its own, which would not come here. */
char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}
