/** Events of the system: software updates. Needs `SystemEventNotifications`; deferring
 * `SoftwareUpdateDeferral`. */
#ifndef APPLIBS_SYSEVENT_H
#define APPLIBS_SYSEVENT_H

#include <stdint.h>

#include <applibs/eventloop.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bits of the mask. */
typedef uint32_t SysEvent_Events;
enum {
    SysEvent_Events_None = 0x00,
    SysEvent_Events_UpdateReadyForInstall = 0x01,
    SysEvent_Events_UpdateStarted = 0x02,
    SysEvent_Events_NoUpdateAvailable = 0x04,
    SysEvent_Events_Mask = 0x07,
};

/** Only a Pending event can be deferred; after Final the app gets SIGTERM soon. */
typedef uint32_t SysEvent_Status;
enum {
    SysEvent_Status_Invalid = 0,
    SysEvent_Status_Pending = 1,
    SysEvent_Status_Final = 2,
    SysEvent_Status_Deferred = 3,
    SysEvent_Status_Complete = 4,
};

typedef uint32_t SysEvent_UpdateType;
enum {
    SysEvent_UpdateType_Invalid = 0,
    SysEvent_UpdateType_App = 1,
    SysEvent_UpdateType_System = 2,
};

typedef struct SysEvent_Info SysEvent_Info;

typedef struct SysEvent_Info_UpdateData {
    unsigned int max_deferral_time_in_minutes;
    SysEvent_UpdateType update_type;
} SysEvent_Info_UpdateData;

typedef void (*SysEvent_EventsCallback)(SysEvent_Events event, SysEvent_Status status,
                                        const SysEvent_Info *info, void *context);

/** At most one registration at a time. @return it, or NULL with errno EACCES, EFAULT, EINVAL, EBUSY
 */
EventRegistration *SysEvent_RegisterForEventNotifications(EventLoop *el,
                                                          SysEvent_Events eventBitmask,
                                                          SysEvent_EventsCallback callback,
                                                          void *context);

/** @return 0, or -1 with errno EFAULT, ENOENT */
int SysEvent_UnregisterForEventNotifications(EventRegistration *reg);

/** Valid during the callback only. @return 0, or -1 with errno EFAULT, EINVAL (not an update) */
int SysEvent_Info_GetUpdateData(const SysEvent_Info *info, SysEvent_Info_UpdateData *update_info);

/** Too many minutes become the longest allowed. @return 0, or -1 with errno EACCES, EINVAL, ENOENT
 */
int SysEvent_DeferEvent(SysEvent_Events event, uint32_t requested_defer_time_in_minutes);

/** Ends a deferral. @return 0, or -1 with errno EACCES, EINVAL, ENOENT */
int SysEvent_ResumeEvent(SysEvent_Events event);

#ifdef __cplusplus
}
#endif

#endif
