/** Values and callbacks that the client's functions have in common. */
#ifndef AZUREIOT_IOTHUB_CLIENT_CORE_COMMON_H
#define AZUREIOT_IOTHUB_CLIENT_CORE_COMMON_H

#include <stddef.h>

#include "iothub_message.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum IOTHUB_CLIENT_RESULT_TAG {
    IOTHUB_CLIENT_OK,
    IOTHUB_CLIENT_INVALID_ARG,
    IOTHUB_CLIENT_ERROR,
    IOTHUB_CLIENT_INVALID_SIZE,
    IOTHUB_CLIENT_INDEFINITE_TIME,
} IOTHUB_CLIENT_RESULT;

typedef enum IOTHUB_CLIENT_CONFIRMATION_RESULT_TAG {
    IOTHUB_CLIENT_CONFIRMATION_OK,
    IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY,
    IOTHUB_CLIENT_CONFIRMATION_MESSAGE_TIMEOUT,
    IOTHUB_CLIENT_CONFIRMATION_ERROR,
} IOTHUB_CLIENT_CONFIRMATION_RESULT;

typedef enum IOTHUB_CLIENT_CONNECTION_STATUS_TAG {
    IOTHUB_CLIENT_CONNECTION_AUTHENTICATED,
    IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED,
} IOTHUB_CLIENT_CONNECTION_STATUS;

typedef enum IOTHUB_CLIENT_CONNECTION_STATUS_REASON_TAG {
    IOTHUB_CLIENT_CONNECTION_EXPIRED_SAS_TOKEN,
    IOTHUB_CLIENT_CONNECTION_DEVICE_DISABLED,
    IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL,
    IOTHUB_CLIENT_CONNECTION_RETRY_EXPIRED,
    IOTHUB_CLIENT_CONNECTION_NO_NETWORK,
    IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR,
    IOTHUB_CLIENT_CONNECTION_OK,
} IOTHUB_CLIENT_CONNECTION_STATUS_REASON;

typedef enum IOTHUBMESSAGE_DISPOSITION_RESULT_TAG {
    IOTHUBMESSAGE_ACCEPTED,
    IOTHUBMESSAGE_REJECTED,
    IOTHUBMESSAGE_ABANDONED,
} IOTHUBMESSAGE_DISPOSITION_RESULT;

typedef enum DEVICE_TWIN_UPDATE_STATE_TAG {
    DEVICE_TWIN_UPDATE_COMPLETE,
    DEVICE_TWIN_UPDATE_PARTIAL,
} DEVICE_TWIN_UPDATE_STATE;

/** Once for each message that SendEventAsync took. */
typedef void (*IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK)(IOTHUB_CLIENT_CONFIRMATION_RESULT result,
                                                          void *context);
typedef void (*IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK)(
    IOTHUB_CLIENT_CONNECTION_STATUS result, IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason,
    void *context);
typedef IOTHUBMESSAGE_DISPOSITION_RESULT (*IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC)(
    IOTHUB_MESSAGE_HANDLE message, void *context);
/** The payload has no terminating zero. */
typedef void (*IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK)(DEVICE_TWIN_UPDATE_STATE state,
                                                   const unsigned char *payload, size_t size,
                                                   void *context);
typedef void (*IOTHUB_CLIENT_REPORTED_STATE_CALLBACK)(int status_code, void *context);
/** Returns the status; *response is JSON from malloc that the library frees. */
typedef int (*IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC)(const char *method_name,
                                                          const unsigned char *payload, size_t size,
                                                          unsigned char **response,
                                                          size_t *response_size, void *context);

#ifdef __cplusplus
}
#endif

#endif
