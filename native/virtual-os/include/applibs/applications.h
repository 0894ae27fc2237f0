/** How much memory the app takes. */
#ifndef APPLIBS_APPLICATIONS_H
#define APPLIBS_APPLICATIONS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t z__Applications_MemoryAttribute;
enum {
    z__Applications_TotalMemory = 0,
    z__Applications_UserModeMemory = 1,
    z__Applications_PeakUserModeMemory = 2,
};

/** The versioned export behind the three functions below. @return 0, or -1 with errno EFAULT, EINVAL, EAGAIN */
int z__Applications_GetMemoryInfo(z__Applications_MemoryAttribute attribute, void *out, size_t size);

static inline size_t z__Applications_MemoryInKB(z__Applications_MemoryAttribute attribute)
{
    size_t kilobytes = 0;
    return z__Applications_GetMemoryInfo(attribute, &kilobytes, sizeof kilobytes) == 0 ? kilobytes : 0;
}

/** With what the kernel holds for the app. @return KiB, or 0 with errno EAGAIN */
static inline size_t Applications_GetTotalMemoryUsageInKB(void)
{
    return z__Applications_MemoryInKB(z__Applications_TotalMemory);
}

/** Pages of the app and its libraries; 256 KiB is the limit. @return KiB, or 0 with errno EAGAIN */
static inline size_t Applications_GetUserModeMemoryUsageInKB(void)
{
    return z__Applications_MemoryInKB(z__Applications_UserModeMemory);
}

/** The most that it ever was. @return KiB, or 0 with errno EAGAIN */
static inline size_t Applications_GetPeakUserModeMemoryUsageInKB(void)
{
    return z__Applications_MemoryInKB(z__Applications_PeakUserModeMemory);
}

#ifdef __cplusplus
}
#endif

#endif
