#define _GNU_SOURCE
#include <errno.h>
#include <time.h>

#include "runtime.h"
#include "timers.h"

static struct timer app_timers[RT_MAX_TIMERS];

static void fire(void *context)
{
    const struct timer *timer = context;
    rt_timer((int32_t)(timer - app_timers));
}

static struct timer *timer_of(int32_t id)
{
    return id >= 0 && id < RT_MAX_TIMERS ? &app_timers[id] : NULL;
}

int64_t host_timers_now(void)
{
    struct timespec now;
    RT_ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t host_timers_monotonic(void)
{
    return timers_monotonic_ms();
}

int32_t host_timers_start(int32_t id, int32_t delay_ms, int32_t period_ms)
{
    struct timer *timer = timer_of(id);
    if (timer == NULL || delay_ms < 1 || period_ms < 0) {
        return -EINVAL;
    }
    timer->fire = fire;
    timer->context = timer;
    timer_start(timer, delay_ms, period_ms);
    return 0;
}

int32_t host_timers_stop(int32_t id)
{
    struct timer *timer = timer_of(id);
    if (timer == NULL) {
        return -EINVAL;
    }
    timer_stop(timer);
    return 0;
}
