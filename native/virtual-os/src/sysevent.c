#include <applibs/sysevent.h>

#include <errno.h>
#include <stddef.h>

#include "channel.h"

struct SysEvent_Info {
    SysEvent_Events event;
    SysEvent_Info_UpdateData update;
};

/** The one registration that an app may have. */
static struct {
    EventLoop *loop;
    EventRegistration *registration;
    SysEvent_EventsCallback callback;
    void *context;
    struct channel_stream stream;
} listener = { .stream = { .fd = -1 } };

static int fail(int error)
{
    errno = error;
    return -1;
}

static void stop_listening(void)
{
    EventLoop_UnregisterIo(listener.loop, listener.registration);
    listener.registration = NULL;
    channel_stream_close(&listener.stream);
}

/** @return 0, or -EPROTO */
static int notify(struct channel_incoming *frame)
{
    struct SysEvent_Info info;
    info.event = wire_get_u32(&frame->payload);
    SysEvent_Status status = wire_get_u32(&frame->payload);
    info.update.max_deferral_time_in_minutes = wire_get_u32(&frame->payload);
    info.update.update_type = wire_get_u32(&frame->payload);
    if (frame->kind != FRAME_SYSEVENT_NOTIFY || !wire_complete(&frame->payload)) {
        return -EPROTO;
    }
    listener.callback(info.event, status, &info, listener.context);
    return 0;
}

static void on_readable(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    (void)el;
    (void)fd;
    (void)events;
    (void)context;
    struct channel_incoming frame;
    int result = channel_stream_next(&listener.stream, &frame);
    if (result == 1) {
        result = notify(&frame);
    }
    // The callback may have ended the registration itself.
    if (result < 0 && listener.registration != NULL) {
        stop_listening();
    }
}

static int subscribe(SysEvent_Events mask)
{
    int fd = channel_open(CHANNEL_SYSEVENT);
    if (fd < 0) {
        return fd;
    }
    channel_stream_init(&listener.stream, fd);
    uint8_t payload[4];
    struct wire_writer writer = { payload, sizeof payload, 0, false };
    wire_put_u32(&writer, mask);
    struct channel_frame frame = { FRAME_SYSEVENT_SUBSCRIBE, payload, sizeof payload, NULL, 0 };
    int result = channel_request(fd, &frame, NULL);
    return result > 0 ? -EPROTO : result;
}

EventRegistration *SysEvent_RegisterForEventNotifications(EventLoop *el,
                                                          SysEvent_Events eventBitmask,
                                                          SysEvent_EventsCallback callback,
                                                          void *context)
{
    if (el == NULL || callback == NULL) {
        fail(EFAULT);
        return NULL;
    }
    if (listener.registration != NULL) {
        fail(EBUSY);
        return NULL;
    }
    int result = subscribe(eventBitmask);
    if (result == 0) {
        listener.loop = el;
        listener.callback = callback;
        listener.context = context;
        listener.registration =
            EventLoop_RegisterIo(el, listener.stream.fd, EventLoop_Input, on_readable, NULL);
        result = listener.registration == NULL ? -errno : 0;
    }
    if (result < 0) {
        channel_stream_close(&listener.stream);
        fail(-result);
        return NULL;
    }
    return listener.registration;
}

int SysEvent_UnregisterForEventNotifications(EventRegistration *reg)
{
    if (reg == NULL) {
        return fail(EFAULT);
    }
    if (reg != listener.registration) {
        return fail(ENOENT);
    }
    stop_listening();
    return 0;
}

int SysEvent_Info_GetUpdateData(const SysEvent_Info *info, SysEvent_Info_UpdateData *update_info)
{
    if (info == NULL || update_info == NULL) {
        return fail(EFAULT);
    }
    if (info->event != SysEvent_Events_UpdateReadyForInstall) {
        return fail(EINVAL);
    }
    *update_info = info->update;
    return 0;
}

int SysEvent_DeferEvent(SysEvent_Events event, uint32_t requested_defer_time_in_minutes)
{
    uint8_t payload[8];
    struct wire_writer writer = { payload, sizeof payload, 0, false };
    wire_put_u32(&writer, event);
    wire_put_u32(&writer, requested_defer_time_in_minutes);
    struct channel_frame frame = { FRAME_SYSEVENT_DEFER, payload, sizeof payload, NULL, 0 };
    int result = channel_control(&frame, NULL);
    return result < 0 ? fail(-result) : 0;
}

int SysEvent_ResumeEvent(SysEvent_Events event)
{
    uint8_t payload[4];
    struct wire_writer writer = { payload, sizeof payload, 0, false };
    wire_put_u32(&writer, event);
    struct channel_frame frame = { FRAME_SYSEVENT_RESUME, payload, sizeof payload, NULL, 0 };
    int result = channel_control(&frame, NULL);
    return result < 0 ? fail(-result) : 0;
}
