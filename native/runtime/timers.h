/** All timers of the process over one timer descriptor. */
#ifndef SPHERULE_TIMERS_H
#define SPHERULE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

/** Static, or at least alive while it is armed. Set `fire` and `context`, leave the rest to
 * timers.c. */
struct timer {
    void (*fire)(void *context);
    void *context;
    int64_t due_ms;
    int64_t period_ms;
    bool armed;
    struct timer *next;
};

/** @return 0, or -1 with errno: the process cannot go on */
int timers_initialize(void);

int64_t timers_monotonic_ms(void);

/** Fires after `delay_ms` and then every `period_ms`, or once when that is 0; replaces what it was
 * armed with. */
void timer_start(struct timer *timer, int64_t delay_ms, int64_t period_ms);
void timer_stop(struct timer *timer);

#endif
