/** Waits for descriptors and calls back. One loop belongs to one thread; only EventLoop_Stop may
 * come from others. */
#ifndef APPLIBS_EVENTLOOP_H
#define APPLIBS_EVENTLOOP_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct EventLoop EventLoop;
typedef struct EventRegistration EventRegistration;

typedef int EventLoop_Run_Result;
enum {
    EventLoop_Run_Failed = -1,
    EventLoop_Run_FinishedEmpty = 0,
    EventLoop_Run_Finished = 1,
};

/** Bits; Error is always reported, asked for or not. */
typedef uint32_t EventLoop_IoEvents;
enum {
    EventLoop_None = 0x00,
    EventLoop_Input = 0x01,
    EventLoop_Output = 0x04,
    EventLoop_Error = 0x08,
};

typedef void EventLoopIoCallback(EventLoop *el, int fd, EventLoop_IoEvents events, void *context);

/** @return a loop, or NULL with errno */
EventLoop *EventLoop_Create(void);

/** Frees the loop and its registrations; the descriptors stay open. */
void EventLoop_Close(EventLoop *el);

/**
 * Handles events. duration_in_milliseconds 0: what is ready now, at most one event; above 0: for
 * that long; below 0: until stopped. With process_one_event it returns after the first.
 * @return Finished, FinishedEmpty (nothing happened), or Failed with errno EFAULT, EBUSY
 * (recursion), EINTR
 */
EventLoop_Run_Result EventLoop_Run(EventLoop *el, int duration_in_milliseconds,
                                   bool process_one_event);

/** Ends a run after the callback that is being handled. @return 0, or -1 with errno EFAULT */
int EventLoop_Stop(EventLoop *el);

/** A descriptor that is readable while an event waits. @return it, or -1 with errno EFAULT */
int EventLoop_GetWaitDescriptor(EventLoop *el);

/** @return a registration, or NULL with errno EFAULT, EINVAL (mask), EBADF, EEXIST, ENOMEM */
EventRegistration *EventLoop_RegisterIo(EventLoop *el, int fd, EventLoop_IoEvents eventBitmask,
                                        EventLoopIoCallback *callback, void *context);

/** Changes what a registration waits for. @return 0, or -1 with errno EFAULT, EINVAL */
int EventLoop_ModifyIoEvents(EventLoop *el, EventRegistration *reg,
                             EventLoop_IoEvents eventBitmask);

/** No callback follows; a NULL registration is fine. @return 0, or -1 with errno EFAULT */
int EventLoop_UnregisterIo(EventLoop *el, EventRegistration *reg);

#ifdef __cplusplus
}
#endif

#endif
