#include <applibs/application.h>
#include <applibs/networking.h>

#include <errno.h>
#include <stddef.h>

#include "channel.h"

/** Asks a question whose answer is no or yes. */
static int ask(uint16_t kind, bool *out)
{
    if (out == NULL) {
        errno = EFAULT;
        return -1;
    }
    struct channel_frame frame = { kind, NULL, 0, NULL, 0 };
    int result = channel_control(&frame, NULL);
    if (result < 0 || result > 1) {
        errno = result < 0 ? -result : EPROTO;
        return -1;
    }
    *out = result == 1;
    return 0;
}

int Networking_IsNetworkingReady(bool *outIsNetworkingReady)
{
    return ask(FRAME_NETWORK_READY, outIsNetworkingReady);
}

int Application_IsDeviceAuthReady(bool *outIsDeviceAuthReady)
{
    return ask(FRAME_DEVICE_AUTH_READY, outIsDeviceAuthReady);
}
