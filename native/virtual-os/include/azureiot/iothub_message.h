/** A message to or from the hub. */
#ifndef AZUREIOT_IOTHUB_MESSAGE_H
#define AZUREIOT_IOTHUB_MESSAGE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct IOTHUB_MESSAGE_HANDLE_DATA_TAG *IOTHUB_MESSAGE_HANDLE;
typedef struct MAP_HANDLE_DATA_TAG *MAP_HANDLE;

typedef enum IOTHUB_MESSAGE_RESULT_TAG {
    IOTHUB_MESSAGE_OK,
    IOTHUB_MESSAGE_INVALID_ARG,
    IOTHUB_MESSAGE_INVALID_TYPE,
    IOTHUB_MESSAGE_ERROR,
} IOTHUB_MESSAGE_RESULT;

/** Copies the bytes. @return a message, or NULL without memory */
IOTHUB_MESSAGE_HANDLE IoTHubMessage_CreateFromByteArray(const unsigned char *byteArray,
                                                        size_t size);
IOTHUB_MESSAGE_HANDLE IoTHubMessage_CreateFromString(const char *source);
IOTHUB_MESSAGE_HANDLE IoTHubMessage_Clone(IOTHUB_MESSAGE_HANDLE message);
void IoTHubMessage_Destroy(IOTHUB_MESSAGE_HANDLE message);

/** The bytes stay the message's. */
IOTHUB_MESSAGE_RESULT IoTHubMessage_GetByteArray(IOTHUB_MESSAGE_HANDLE message,
                                                 const unsigned char **buffer, size_t *size);
/** @return the text, or NULL for a message of bytes */
const char *IoTHubMessage_GetString(IOTHUB_MESSAGE_HANDLE message);

IOTHUB_MESSAGE_RESULT IoTHubMessage_SetProperty(IOTHUB_MESSAGE_HANDLE message, const char *key,
                                                const char *value);
/** @return the value, or NULL */
const char *IoTHubMessage_GetProperty(IOTHUB_MESSAGE_HANDLE message, const char *key);

/** System properties, `NULL` when not set; the text stays the message's. */
const char *IoTHubMessage_GetMessageId(IOTHUB_MESSAGE_HANDLE message);
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetMessageId(IOTHUB_MESSAGE_HANDLE message,
                                                 const char *messageId);
const char *IoTHubMessage_GetCorrelationId(IOTHUB_MESSAGE_HANDLE message);
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetCorrelationId(IOTHUB_MESSAGE_HANDLE message,
                                                     const char *correlationId);
const char *IoTHubMessage_GetContentTypeSystemProperty(IOTHUB_MESSAGE_HANDLE message);
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetContentTypeSystemProperty(IOTHUB_MESSAGE_HANDLE message,
                                                                 const char *contentType);
const char *IoTHubMessage_GetContentEncodingSystemProperty(IOTHUB_MESSAGE_HANDLE message);
IOTHUB_MESSAGE_RESULT IoTHubMessage_SetContentEncodingSystemProperty(IOTHUB_MESSAGE_HANDLE message,
                                                                     const char *contentEncoding);

/**
 * All properties. Not in the oldest API sets of Azure Sphere: a caller that has to run there refers
 * to both as weak symbols.
 */
MAP_HANDLE IoTHubMessage_Properties(IOTHUB_MESSAGE_HANDLE message);
typedef enum MAP_RESULT_TAG { MAP_OK, MAP_ERROR, MAP_INVALIDARG } MAP_RESULT;
MAP_RESULT Map_GetInternals(MAP_HANDLE handle, const char *const **keys, const char *const **values,
                            size_t *count);

#ifdef __cplusplus
}
#endif

#endif
