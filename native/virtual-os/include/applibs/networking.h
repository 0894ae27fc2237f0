/** The state of the network, as far as an app that only uses it has to know. */
#ifndef APPLIBS_NETWORKING_H
#define APPLIBS_NETWORKING_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** True when some interface is connected, has an address, and the clock is set. @return 0, or -1
 * with errno */
int Networking_IsNetworkingReady(bool *outIsNetworkingReady);

#ifdef __cplusplus
}
#endif

#endif
