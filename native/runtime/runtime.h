/**
 * The runtime: runs the app's exports one at a time, and whatever ends the app. Everything here
 * belongs to the main thread. Errors of host functions are the negative numbers of
 * assembly/sphere/host/errors.ts.
 */
#ifndef SPHERULE_RUNTIME_H
#define SPHERULE_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <applibs/eventloop.h>

#include "app_wasm.h"
#include "host_abi.h"

/** The version of the host ABI that this runtime offers; assembly/sphere/host/abi.ts counts it. */
#define RT_ABI_VERSION 1
#define RT_MAX_TIMERS 32
#define RT_MAX_IN_FLIGHT 32

/** docs/exit-codes.md; what traps end with is in app_wasm.h. */
enum rt_exit {
    RT_EXIT_STOPPED = 0,
    RT_EXIT_ABORT = 65,
    RT_EXIT_NEWER_ABI = 80,
    RT_EXIT_EVENT_LOOP = 81,
    RT_EXIT_TIMER = 82,
    RT_EXIT_NETWORK_STATE = 83,
    RT_EXIT_ASSERTION = 84,
};

/** Kinds of onEvent, as in assembly/sphere/host/abi.ts. */
enum rt_event {
    RT_EVENT_GPIO = 1,
    RT_EVENT_CONNECTION = 2,
    RT_EVENT_TELEMETRY = 3,
    RT_EVENT_MESSAGE = 4,
    RT_EVENT_DESIRED = 5,
    RT_EVENT_REPORTED = 6,
    RT_EVENT_METHOD = 7,
    RT_EVENT_STOP = 8,
    RT_EVENT_UPDATE = 9,
};

/** Runs one export and then the collection, unless the app has ended. Never from inside the app. */
void rt_start(void);
void rt_timer(int32_t id);
void rt_event(enum rt_event kind, int32_t id, int32_t value);

/** Leaves the app's export that is running, for good. */
_Noreturn void rt_leave(int code);

/** The app runs no more; the process ends with this code after the present callback. */
void rt_end(int code);
bool rt_has_ended(void);
int rt_exit_code(void);

/** One line of the log; formats like printf. */
void rt_log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Our own mistakes: says where and ends the process with 84, whatever the build. */
#define RT_ASSERT(condition)                                                                       \
    ((condition) ? (void)0 : rt_assertion_failed(#condition, __FILE__, __LINE__))
_Noreturn void rt_assertion_failed(const char *condition, const char *file, int line);

/** @return the address of a buffer of the app, or NULL when it does not lie in its memory */
void *rt_buffer(int32_t at, int32_t length);

/**
 * Answers a read import: copies as much as fits. @return `length`, or -EINVAL for a buffer outside.
 */
int32_t rt_give(const void *bytes, size_t length, int32_t at, int32_t capacity);

/** What the subjects need at the start and the end of the process. The loop lives as long. */
struct rt_process {
    EventLoop *loop;
    int argument_count;
    char **arguments;
};
extern struct rt_process rt_process;

/** The argument that follows `name`, or NULL. */
const char *rt_argument_after(const char *name);

#endif
