/**
 * The connection to IoT Hub: waits for network and device authentication, provisions if the
 * arguments name an id scope, connects, and connects again. docs/virtual-os-protocol.md is not
 * known here: this is the public interface of libazureiot, as on the device.
 */
#ifndef SPHERULE_HUB_H
#define SPHERULE_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iothub_device_client_ll.h>

/** @return 0, -EBUSY when it is open already, -EINVAL when the arguments name no hub or the model
 * id is none */
int hub_open(const char *model_id, size_t length);

/** The client while the hub has accepted the device, otherwise NULL. */
IOTHUB_DEVICE_CLIENT_LL_HANDLE hub_client(void);

/** The error of a call that failed: -EAGAIN only for what may succeed later. */
int32_t hub_error(IOTHUB_CLIENT_RESULT result);

/** Something was handed to the client: it works soon. */
void hub_work_soon(void);

/** Says goodbye to the hub. The app has ended. */
void hub_end(void);

/** What the connection tells of; host_iothub.c, host_twin.c and host_methods.c make events of it.
 */
void hub_set_callbacks(IOTHUB_DEVICE_CLIENT_LL_HANDLE client);
/** The client is gone with all that was under way. */
void hub_forget_reports(void);

#endif
