#define _GNU_SOURCE
#include <applibs/eventloop.h>

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct EventRegistration {
    EventLoop *loop;
    EventLoopIoCallback *callback;
    void *context;
    int fd;
    /** Unregistered while the loop runs; freed when the run ends. */
    bool dead;
    EventRegistration *next;
};

struct EventLoop {
    int epoll;
    /** Readable after EventLoop_Stop, so that a wait ends. */
    int wake;
    atomic_bool stopping;
    bool running;
    EventRegistration *registrations;
};

_Static_assert((int)EventLoop_Input == (int)EPOLLIN && (int)EventLoop_Output == (int)EPOLLOUT &&
                   (int)EventLoop_Error == (int)EPOLLERR,
               "the masks are those of epoll");

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

EventLoop *EventLoop_Create(void)
{
    EventLoop *el = calloc(1, sizeof *el);
    if (el == NULL) {
        return NULL;
    }
    el->epoll = epoll_create1(EPOLL_CLOEXEC);
    el->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    if (el->epoll < 0 || el->wake < 0 ||
        epoll_ctl(el->epoll, EPOLL_CTL_ADD, el->wake, &event) < 0) {
        EventLoop_Close(el);
        return NULL;
    }
    return el;
}

/** Frees what was unregistered, or everything. */
static void sweep(EventLoop *el, bool all)
{
    EventRegistration **link = &el->registrations;
    while (*link != NULL) {
        EventRegistration *reg = *link;
        if (all || reg->dead) {
            *link = reg->next;
            free(reg);
        } else {
            link = &reg->next;
        }
    }
}

void EventLoop_Close(EventLoop *el)
{
    if (el == NULL) {
        return;
    }
    assert(!el->running);
    sweep(el, true);
    if (el->epoll >= 0) {
        close(el->epoll);
    }
    if (el->wake >= 0) {
        close(el->wake);
    }
    free(el);
}

/** Waits for one event and handles it. @return 1 handled, 0 none in time, -1 with errno */
static int turn(EventLoop *el, int timeout_ms)
{
    struct epoll_event event;
    // One at a time: what a callback closes cannot be in a list of events that are still to come.
    int count = epoll_wait(el->epoll, &event, 1, timeout_ms);
    if (count <= 0) {
        return count;
    }
    EventRegistration *reg = event.data.ptr;
    if (reg == NULL || reg->dead) {
        return 0;
    }
    uint32_t events = event.events & (EPOLLIN | EPOLLOUT | EPOLLERR);
    if ((event.events & EPOLLHUP) != 0) {
        events |= EPOLLERR;
    }
    reg->callback(el, reg->fd, events, reg->context);
    return 1;
}

static EventLoop_Run_Result run_until(EventLoop *el, int duration_ms, bool process_one_event)
{
    int64_t end = monotonic_ms() + duration_ms;
    EventLoop_Run_Result result = EventLoop_Run_FinishedEmpty;
    while (!atomic_load(&el->stopping)) {
        int64_t left = duration_ms < 0 ? -1 : end - monotonic_ms();
        int handled = turn(el, left < 0 ? (duration_ms < 0 ? -1 : 0) : (int)left);
        if (handled < 0) {
            return EventLoop_Run_Failed;
        }
        result = handled == 1 ? EventLoop_Run_Finished : result;
        bool over = duration_ms >= 0 && monotonic_ms() >= end;
        if ((handled == 1 && process_one_event) || over) {
            break;
        }
    }
    return result;
}

EventLoop_Run_Result EventLoop_Run(EventLoop *el, int duration_in_milliseconds,
                                   bool process_one_event)
{
    if (el == NULL) {
        return fail(EFAULT);
    }
    if (el->running) {
        return fail(EBUSY);
    }
    el->running = true;
    EventLoop_Run_Result result = run_until(el, duration_in_milliseconds, process_one_event);
    int error = errno;
    el->running = false;
    if (atomic_exchange(&el->stopping, false)) {
        uint64_t count;
        ssize_t drained = read(el->wake, &count, sizeof count);
        (void)drained;
    }
    sweep(el, false);
    errno = error;
    return result;
}

int EventLoop_Stop(EventLoop *el)
{
    if (el == NULL) {
        return fail(EFAULT);
    }
    atomic_store(&el->stopping, true);
    const uint64_t one = 1;
    return write(el->wake, &one, sizeof one) == (ssize_t)sizeof one ? 0 : -1;
}

int EventLoop_GetWaitDescriptor(EventLoop *el)
{
    return el == NULL ? fail(EFAULT) : el->epoll;
}

static bool is_mask(EventLoop_IoEvents events)
{
    return (events & ~(uint32_t)(EventLoop_Input | EventLoop_Output | EventLoop_Error)) == 0;
}

EventRegistration *EventLoop_RegisterIo(EventLoop *el, int fd, EventLoop_IoEvents eventBitmask,
                                        EventLoopIoCallback *callback, void *context)
{
    if (el == NULL || callback == NULL) {
        errno = EFAULT;
        return NULL;
    }
    if (!is_mask(eventBitmask)) {
        errno = EINVAL;
        return NULL;
    }
    EventRegistration *reg = malloc(sizeof *reg);
    if (reg == NULL) {
        return NULL;
    }
    *reg = (EventRegistration){ el, callback, context, fd, false, el->registrations };
    struct epoll_event event = { .events = eventBitmask, .data.ptr = reg };
    if (epoll_ctl(el->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        int error = errno;
        free(reg);
        errno = error;
        return NULL;
    }
    el->registrations = reg;
    return reg;
}

int EventLoop_ModifyIoEvents(EventLoop *el, EventRegistration *reg, EventLoop_IoEvents eventBitmask)
{
    if (el == NULL || reg == NULL) {
        return fail(EFAULT);
    }
    if (!is_mask(eventBitmask) || reg->loop != el) {
        return fail(EINVAL);
    }
    struct epoll_event event = { .events = eventBitmask, .data.ptr = reg };
    return epoll_ctl(el->epoll, EPOLL_CTL_MOD, reg->fd, &event);
}

int EventLoop_UnregisterIo(EventLoop *el, EventRegistration *reg)
{
    if (reg == NULL) {
        return 0;
    }
    if (el == NULL) {
        return fail(EFAULT);
    }
    // A descriptor that was closed before is out of the set already.
    if (epoll_ctl(el->epoll, EPOLL_CTL_DEL, reg->fd, NULL) < 0 && errno != EBADF &&
        errno != ENOENT) {
        return -1;
    }
    reg->dead = true;
    if (!el->running) {
        sweep(el, false);
    }
    return 0;
}
