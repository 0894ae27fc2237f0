/** The program: sets the event loop up, starts the app, and ends with a code of docs/exit-codes.md.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "hub.h"
#include "runtime.h"
#include "timers.h"

/** The app hears of it, and whatever it does then, it ends. */
static void on_terminate(EventLoop *loop, int fd, EventLoop_IoEvents events, void *context)
{
    (void)loop;
    (void)events;
    (void)context;
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != (ssize_t)sizeof info) {
        return;
    }
    rt_event(RT_EVENT_STOP, 0, 0);
    rt_end(RT_EXIT_STOPPED);
}

/** SIGTERM comes through the event loop: no code of the app or of ours runs in a signal handler. */
static int watch_terminate(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
        return -1;
    }
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    return EventLoop_RegisterIo(rt_process.loop, fd, EventLoop_Input, on_terminate, NULL) == NULL
               ? -1
               : 0;
}

static void initialize(void)
{
    rt_process.loop = EventLoop_Create();
    if (rt_process.loop == NULL || watch_terminate() < 0) {
        rt_log_error("the event loop cannot be set up: %s", strerror(errno));
        rt_end(RT_EXIT_EVENT_LOOP);
    } else if (timers_initialize() < 0) {
        rt_log_error("the timers cannot be set up: %s", strerror(errno));
        rt_end(RT_EXIT_TIMER);
    }
}

int main(int argc, char **argv)
{
    rt_process.argument_count = argc;
    rt_process.arguments = argv;
    initialize();
    if (!rt_has_ended()) {
        rt_start();
    }
    while (!rt_has_ended()) {
        if (EventLoop_Run(rt_process.loop, -1, true) == EventLoop_Run_Failed && errno != EINTR) {
            rt_log_error("the event loop failed: %s", strerror(errno));
            rt_end(RT_EXIT_EVENT_LOOP);
        }
    }
    hub_end();
    EventLoop_Close(rt_process.loop);
    return rt_exit_code();
}
