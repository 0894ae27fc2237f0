/** Reboot and power down. Needs the `PowerControls` capability. */
#ifndef APPLIBS_POWERMANAGEMENT_H
#define APPLIBS_POWERMANAGEMENT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t z__PowerManagement_SystemPowerState;
enum {
    z__PowerManagement_SystemReboot = 0,
    z__PowerManagement_SystemPowerDown = 1,
};

/** The versioned export; maximum_seconds may be NULL for a reboot. @return 0, or -1 with errno */
int z__PowerManagement_TransitionToSystemPowerState(z__PowerManagement_SystemPowerState state,
                                                    const unsigned int *maximum_seconds);

/** All apps get SIGTERM, perhaps before this returns. @return 0, or -1 with errno EACCES */
static inline int PowerManagement_ForceSystemReboot(void)
{
    return z__PowerManagement_TransitionToSystemPowerState(z__PowerManagement_SystemReboot, 0);
}

/** Starts again after at most so many seconds. @return 0, or -1 with errno EACCES, EINVAL */
static inline int PowerManagement_ForceSystemPowerDown(unsigned int maximum_residency_in_seconds)
{
    return z__PowerManagement_TransitionToSystemPowerState(z__PowerManagement_SystemPowerDown,
                                                           &maximum_residency_in_seconds);
}

#ifdef __cplusplus
}
#endif

#endif
