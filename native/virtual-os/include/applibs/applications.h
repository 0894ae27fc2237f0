/** How much memory this app takes. */
#ifndef APPLIBS_APPLICATIONS_H
#define APPLIBS_APPLICATIONS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the library exports; call the functions below. */
typedef uint32_t z__Applications_MemoryAttribute;
enum {
    z__Applications_MemoryAttribute_Total = 0,
    z__Applications_MemoryAttribute_UserMode = 1,
    z__Applications_MemoryAttribute_PeakUserMode = 2,
};
/** @param value of `size` bytes, KiB. @return 0, or -1 with errno EFAULT, EINVAL, EAGAIN */
int z__Applications_GetMemoryInfo(z__Applications_MemoryAttribute attribute, void *value,
                                  size_t size);

/** With what the kernel has for it. @return KiB, or 0 with errno EAGAIN */
static inline size_t Applications_GetTotalMemoryUsageInKB(void)
{
    size_t value = 0;
    int result = z__Applications_GetMemoryInfo(z__Applications_MemoryAttribute_Total, &value,
                                               sizeof value);
    return result < 0 ? 0 : value;
}

/** Private pages of the app and its libraries: what counts against the limit. @return KiB, or 0
 * with errno EAGAIN */
static inline size_t Applications_GetUserModeMemoryUsageInKB(void)
{
    size_t value = 0;
    int result = z__Applications_GetMemoryInfo(z__Applications_MemoryAttribute_UserMode, &value,
                                               sizeof value);
    return result < 0 ? 0 : value;
}

/** The most of them that there ever were. @return KiB, or 0 with errno EAGAIN */
static inline size_t Applications_GetPeakUserModeMemoryUsageInKB(void)
{
    size_t value = 0;
    int result = z__Applications_GetMemoryInfo(z__Applications_MemoryAttribute_PeakUserMode,
                                               &value, sizeof value);
    return result < 0 ? 0 : value;
}

#ifdef __cplusplus
}
#endif

#endif
