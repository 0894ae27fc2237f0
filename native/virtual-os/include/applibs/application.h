/** What the operating system knows about this app. */
#ifndef APPLIBS_APPLICATION_H
#define APPLIBS_APPLICATION_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** True when the device authentication certificate is there and valid. @return 0, or -1 with errno
 * EFAULT, … */
int Application_IsDeviceAuthReady(bool *outIsDeviceAuthReady);

#ifdef __cplusplus
}
#endif

#endif
