#define _GNU_SOURCE
#include <errno.h>

#include <applibs/sysevent.h>

#include "runtime.h"

static EventRegistration *registration;
/** The event that the app handles now, or NULL. */
static const SysEvent_Info *present;

static void on_event(SysEvent_Events event, SysEvent_Status status, const SysEvent_Info *info,
                     void *context)
{
    (void)context;
    present = info;
    rt_event(RT_EVENT_UPDATE, (int32_t)event, (int32_t)status);
    present = NULL;
}

int32_t host_sysevent_subscribe(int32_t mask)
{
    SysEvent_UnregisterForEventNotifications(registration);
    registration = SysEvent_RegisterForEventNotifications(rt_process.loop, (SysEvent_Events)mask,
                                                          on_event, NULL);
    if (registration == NULL) {
        // An empty mask only ends the subscription; whether the app may have one is told all the
        // same.
        return mask == 0 && errno == EINVAL ? 0 : -errno;
    }
    if (mask == 0) {
        SysEvent_UnregisterForEventNotifications(registration);
        registration = NULL;
    }
    return 0;
}

static int32_t update_data(SysEvent_Info_UpdateData *data)
{
    return present != NULL && SysEvent_Info_GetUpdateData(present, data) == 0 ? 0 : -ENOENT;
}

int32_t host_sysevent_maxDeferralMinutes(void)
{
    SysEvent_Info_UpdateData data;
    int32_t result = update_data(&data);
    return result < 0 ? result : (int32_t)data.max_deferral_time_in_minutes;
}

int32_t host_sysevent_updateType(void)
{
    SysEvent_Info_UpdateData data;
    int32_t result = update_data(&data);
    return result < 0 ? result : (int32_t)data.update_type;
}

int32_t host_sysevent_defer(int32_t event, int32_t minutes)
{
    if (minutes < 1) {
        return -EINVAL;
    }
    return SysEvent_DeferEvent((SysEvent_Events)event, (uint32_t)minutes) < 0 ? -errno : 0;
}

int32_t host_sysevent_resume(int32_t event)
{
    return SysEvent_ResumeEvent((SysEvent_Events)event) < 0 ? -errno : 0;
}
