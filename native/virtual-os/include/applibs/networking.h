/** The state of the network, as far as an app that only uses it has to know. */
#ifndef APPLIBS_NETWORKING_H
#define APPLIBS_NETWORKING_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t Networking_InterfaceConnectionStatus;
enum {
    Networking_InterfaceConnectionStatus_InterfaceUp = 1 << 0,
    Networking_InterfaceConnectionStatus_ConnectedToNetwork = 1 << 1,
    Networking_InterfaceConnectionStatus_IpAvailable = 1 << 2,
    Networking_InterfaceConnectionStatus_ConnectedToInternet = 1 << 3,
};

/** True when some interface is connected, has an address, and the clock is set. @return 0, or -1 with errno */
int Networking_IsNetworkingReady(bool *outIsNetworkingReady);

/** @return 0, or -1 with errno EFAULT, ENOENT, EAGAIN */
int Networking_GetInterfaceConnectionStatus(const char *networkInterfaceName,
                                            Networking_InterfaceConnectionStatus *outStatus);

#ifdef __cplusplus
}
#endif

#endif
