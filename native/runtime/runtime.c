#define _GNU_SOURCE
#include "runtime.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <applibs/log.h>

struct rt_process rt_process;

static jmp_buf way_out;
static bool inside;
static bool ended;
static int exit_code;

enum call_kind { CALL_START, CALL_TIMER, CALL_EVENT };

struct call {
    enum call_kind kind;
    int32_t arguments[3];
};

static void call_export(const struct call *call)
{
    switch (call->kind) {
    case CALL_START:
        wasm_initialize();
        if (wasm_export_abiVersion() > RT_ABI_VERSION) {
            rt_log_error("the app needs host ABI %d, this runtime offers %d",
                         (int)wasm_export_abiVersion(), RT_ABI_VERSION);
            rt_leave(RT_EXIT_NEWER_ABI);
        }
        wasm_export_start();
        break;
    case CALL_TIMER:
        wasm_export_onTimer(call->arguments[0]);
        break;
    case CALL_EVENT:
        wasm_export_onEvent(call->arguments[0], call->arguments[1], call->arguments[2]);
        break;
    }
    // Here no frame of the app is on the stack, so nothing that lives is missed.
    wasm_export_collect();
}

/**
 * A trap, an abort and exit leave the app's frames by longjmp, which crosses nothing but them and
 * the host function that was called: those hold no resources while they may leave.
 */
static void run(const struct call *call)
{
    RT_ASSERT(!inside);
    if (ended) {
        return;
    }
    inside = true;
    int code = setjmp(way_out);
    if (code == 0) {
        call_export(call);
    }
    inside = false;
    if (code != 0) {
        rt_end(code);
    }
}

void rt_start(void)
{
    const struct call call = { CALL_START, { 0, 0, 0 } };
    run(&call);
}

void rt_timer(int32_t id)
{
    const struct call call = { CALL_TIMER, { id, 0, 0 } };
    run(&call);
}

void rt_event(enum rt_event kind, int32_t id, int32_t value)
{
    const struct call call = { CALL_EVENT, { (int32_t)kind, id, value } };
    run(&call);
}

_Noreturn void rt_leave(int code)
{
    RT_ASSERT(inside && code != 0);
    longjmp(way_out, code);
}

void rt_end(int code)
{
    if (!ended) {
        ended = true;
        exit_code = code;
    }
}

bool rt_has_ended(void)
{
    return ended;
}

int rt_exit_code(void)
{
    return exit_code;
}

void rt_log_error(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    Log_Debug("[error] %s\n", text);
}

_Noreturn void rt_assertion_failed(const char *condition, const char *file, int line)
{
    Log_Debug("[error] the runtime's own assertion failed: %s (%s:%d)\n", condition, file, line);
    exit(RT_EXIT_ASSERTION);
}

void *rt_buffer(int32_t at, int32_t length)
{
    return length < 0 ? NULL : wasm_range((uint32_t)at, (uint32_t)length);
}

int32_t rt_give(const void *bytes, size_t length, int32_t at, int32_t capacity)
{
    void *buffer = rt_buffer(at, capacity);
    if (buffer == NULL || length > INT32_MAX) {
        return -EINVAL;
    }
    size_t fits = length < (size_t)capacity ? length : (size_t)capacity;
    if (fits > 0) {
        memcpy(buffer, bytes, fits);
    }
    return (int32_t)length;
}

const char *rt_argument_after(const char *name)
{
    for (int index = 1; index + 1 < rt_process.argument_count; index++) {
        if (strcmp(rt_process.arguments[index], name) == 0) {
            return rt_process.arguments[index + 1];
        }
    }
    return NULL;
}
