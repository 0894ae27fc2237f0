/**
 * The device client of IoT Hub. Not thread-safe. Callbacks come from DoWork and Destroy only, and
 * must not destroy the handle.
 */
#ifndef AZUREIOT_IOTHUB_DEVICE_CLIENT_LL_H
#define AZUREIOT_IOTHUB_DEVICE_CLIENT_LL_H

#include <stddef.h>

#include "iothub_client_core_common.h"
#include "iothub_transport_ll.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct IOTHUB_CLIENT_CORE_LL_HANDLE_DATA_TAG *IOTHUB_DEVICE_CLIENT_LL_HANDLE;

/** A client that shows the device authentication certificate. @return it, or NULL */
IOTHUB_DEVICE_CLIENT_LL_HANDLE IoTHubDeviceClient_LL_CreateWithAzureSphereFromDeviceAuth(
    const char *iothub_uri, IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol);

/** Ends the connection; open messages are confirmed with BECAUSE_DESTROY. */
void IoTHubDeviceClient_LL_Destroy(IOTHUB_DEVICE_CLIENT_LL_HANDLE handle);

/** Sends and receives what it can without waiting, and calls back. Every 100 ms is usual. */
void IoTHubDeviceClient_LL_DoWork(IOTHUB_DEVICE_CLIENT_LL_HANDLE handle);

/** Names and types of options are in iothub_client_options.h. */
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SetOption(IOTHUB_DEVICE_CLIENT_LL_HANDLE handle,
                                                     const char *optionName, const void *value);

/** Takes a copy of the message. */
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SendEventAsync(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE handle, IOTHUB_MESSAGE_HANDLE message,
    IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK callback, void *context);

IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SetMessageCallback(IOTHUB_DEVICE_CLIENT_LL_HANDLE handle,
                                         IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC callback,
                                         void *context);

IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SetConnectionStatusCallback(IOTHUB_DEVICE_CLIENT_LL_HANDLE handle,
                                                  IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK callback,
                                                  void *context);

IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SetDeviceTwinCallback(IOTHUB_DEVICE_CLIENT_LL_HANDLE handle,
                                            IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK callback,
                                            void *context);

/** Takes a copy of the JSON. */
IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SendReportedState(
    IOTHUB_DEVICE_CLIENT_LL_HANDLE handle, const unsigned char *reportedState, size_t size,
    IOTHUB_CLIENT_REPORTED_STATE_CALLBACK callback, void *context);

IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SetDeviceMethodCallback(IOTHUB_DEVICE_CLIENT_LL_HANDLE handle,
                                              IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC callback,
                                              void *context);

#ifdef __cplusplus
}
#endif

#endif
