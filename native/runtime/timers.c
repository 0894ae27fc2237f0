#define _GNU_SOURCE
#include "timers.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "runtime.h"

static int descriptor = -1;
static struct timer *armed;

int64_t timers_monotonic_ms(void)
{
    struct timespec now;
    RT_ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void fail(const char *what)
{
    rt_log_error("%s: %s", what, strerror(errno));
    rt_end(RT_EXIT_TIMER);
}

static struct timer *earliest(void)
{
    struct timer *best = armed;
    for (struct timer *timer = armed; timer != NULL; timer = timer->next) {
        if (timer->due_ms < best->due_ms) {
            best = timer;
        }
    }
    return best;
}

/** Sets the descriptor to the next timer that is due; one in the past is due at once. */
static void arm_descriptor(void)
{
    struct itimerspec value;
    memset(&value, 0, sizeof value);
    const struct timer *next = earliest();
    if (next != NULL) {
        int64_t due = next->due_ms < 1 ? 1 : next->due_ms;
        value.it_value.tv_sec = (time_t)(due / 1000);
        value.it_value.tv_nsec = (long)(due % 1000) * 1000000;
    }
    if (timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &value, NULL) < 0) {
        fail("a timer cannot be set");
    }
}

static void unlink_timer(struct timer *timer)
{
    struct timer **link = &armed;
    while (*link != NULL && *link != timer) {
        link = &(*link)->next;
    }
    if (*link == timer) {
        *link = timer->next;
    }
    timer->armed = false;
}

/** At the end, so that of two that are due together the one that was started first fires first. */
static void link_timer(struct timer *timer)
{
    struct timer **link = &armed;
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = timer;
    timer->next = NULL;
    timer->armed = true;
}

void timer_start(struct timer *timer, int64_t delay_ms, int64_t period_ms)
{
    RT_ASSERT(timer->fire != NULL && delay_ms >= 0 && period_ms >= 0);
    if (timer->armed) {
        unlink_timer(timer);
    }
    timer->due_ms = timers_monotonic_ms() + delay_ms;
    timer->period_ms = period_ms;
    link_timer(timer);
    arm_descriptor();
}

void timer_stop(struct timer *timer)
{
    if (timer->armed) {
        unlink_timer(timer);
        arm_descriptor();
    }
}

/** The next period that is still to come: ticks that were missed altogether are not made up for. */
static void schedule_again(struct timer *timer, int64_t now_ms)
{
    if (timer->period_ms == 0) {
        unlink_timer(timer);
        return;
    }
    int64_t late = now_ms > timer->due_ms ? now_ms - timer->due_ms : 0;
    timer->due_ms += timer->period_ms * (1 + late / timer->period_ms);
}

static void on_expired(EventLoop *loop, int fd, EventLoop_IoEvents events, void *context)
{
    (void)loop;
    (void)events;
    (void)context;
    uint64_t expirations;
    if (read(fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN) {
        fail("a timer cannot be read");
        return;
    }
    struct timer *timer = earliest();
    int64_t now_ms = timers_monotonic_ms();
    // One a turn of the event loop: others that are due make the descriptor readable at once again.
    if (timer != NULL && timer->due_ms <= now_ms) {
        schedule_again(timer, now_ms);
        timer->fire(timer->context);
    }
    arm_descriptor();
}

int timers_initialize(void)
{
    descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (descriptor < 0) {
        return -1;
    }
    EventRegistration *registration =
        EventLoop_RegisterIo(rt_process.loop, descriptor, EventLoop_Input, on_expired, NULL);
    return registration == NULL ? -1 : 0;
}
