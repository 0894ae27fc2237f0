#define _GNU_SOURCE
#include <iothub_client_options.h>
#include <iothub_device_client_ll.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "message.h"
#include "outgoing.h"
#include "security.h"

#define LARGEST_MESSAGE 262144u
/** One call of DoWork handles at most so many frames, so that it always returns. */
#define FRAMES_A_TURN 64

struct IOTHUB_CLIENT_CORE_LL_HANDLE_DATA_TAG {
    char *host;
    char *model_id;
    bool device_key;
    bool encode;
    bool authenticated;
    /** The channel failed; only a new handle helps. */
    bool broken;
    struct channel_stream stream;
    struct outgoing_queue queue;
    IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK on_status;
    void *status_context;
    IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC on_message;
    void *message_context;
    IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK on_twin;
    void *twin_context;
    IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC on_method;
    void *method_context;
};

typedef IOTHUB_DEVICE_CLIENT_LL_HANDLE client_handle;

client_handle
IoTHubDeviceClient_LL_CreateWithAzureSphereFromDeviceAuth(const char *iothub_uri,
                                                          IOTHUB_CLIENT_TRANSPORT_PROVIDER protocol)
{
    if (iothub_uri == NULL || protocol == NULL || !security_is_x509()) {
        return NULL;
    }
    client_handle handle = calloc(1, sizeof *handle);
    char *host = strdup(iothub_uri);
    char *model_id = strdup("");
    if (handle == NULL || host == NULL || model_id == NULL) {
        free(handle);
        free(host);
        free(model_id);
        return NULL;
    }
    handle->host = host;
    handle->model_id = model_id;
    channel_stream_init(&handle->stream, -1);
    return handle;
}

void IoTHubDeviceClient_LL_Destroy(client_handle handle)
{
    if (handle == NULL) {
        return;
    }
    channel_stream_close(&handle->stream);
    for (struct outgoing *item = outgoing_take_first(&handle->queue); item != NULL;
         item = outgoing_take_first(&handle->queue)) {
        if (item->kind == OUTGOING_TELEMETRY && item->confirmed != NULL) {
            item->confirmed(IOTHUB_CLIENT_CONFIRMATION_BECAUSE_DESTROY, item->context);
        }
        outgoing_free(item);
    }
    free(handle->host);
    free(handle->model_id);
    free(handle);
}

static IOTHUB_CLIENT_RESULT set_model_id(client_handle handle, const char *model_id)
{
    // The hub hears of it on connect only.
    if (handle->stream.fd >= 0) {
        return IOTHUB_CLIENT_ERROR;
    }
    char *copy = strdup(model_id);
    if (copy == NULL) {
        return IOTHUB_CLIENT_ERROR;
    }
    free(handle->model_id);
    handle->model_id = copy;
    return IOTHUB_CLIENT_OK;
}

IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SetOption(client_handle handle, const char *optionName,
                                                     const void *value)
{
    if (handle == NULL || optionName == NULL || value == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    if (strcmp(optionName, "SetDeviceId") == 0) {
        handle->device_key = *(const int *)value == 1;
        return IOTHUB_CLIENT_OK;
    }
    if (strcmp(optionName, OPTION_AUTO_URL_ENCODE_DECODE) == 0) {
        handle->encode = *(const bool *)value;
        return IOTHUB_CLIENT_OK;
    }
    if (strcmp(optionName, OPTION_KEEP_ALIVE) == 0) {
        // The operating system keeps the connection alive with an interval of its own.
        return *(const int *)value >= 0 ? IOTHUB_CLIENT_OK : IOTHUB_CLIENT_INVALID_ARG;
    }
    return strcmp(optionName, OPTION_MODEL_ID) == 0 ? set_model_id(handle, value)
                                                    : IOTHUB_CLIENT_INVALID_ARG;
}

IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SetMessageCallback(
    client_handle handle, IOTHUB_CLIENT_MESSAGE_CALLBACK_ASYNC callback, void *context)
{
    if (handle == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    handle->on_message = callback;
    handle->message_context = context;
    return IOTHUB_CLIENT_OK;
}

IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SetConnectionStatusCallback(
    client_handle handle, IOTHUB_CLIENT_CONNECTION_STATUS_CALLBACK callback, void *context)
{
    if (handle == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    handle->on_status = callback;
    handle->status_context = context;
    return IOTHUB_CLIENT_OK;
}

IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SetDeviceTwinCallback(
    client_handle handle, IOTHUB_CLIENT_DEVICE_TWIN_CALLBACK callback, void *context)
{
    if (handle == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    handle->on_twin = callback;
    handle->twin_context = context;
    return IOTHUB_CLIENT_OK;
}

IOTHUB_CLIENT_RESULT IoTHubDeviceClient_LL_SetDeviceMethodCallback(
    client_handle handle, IOTHUB_CLIENT_DEVICE_METHOD_CALLBACK_ASYNC callback, void *context)
{
    if (handle == NULL) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    handle->on_method = callback;
    handle->method_context = context;
    return IOTHUB_CLIENT_OK;
}

/** The bytes of a message, whatever it was made from. */
static bool body_of(IOTHUB_MESSAGE_HANDLE message, const unsigned char **bytes, size_t *length)
{
    if (IoTHubMessage_GetByteArray(message, bytes, length) == IOTHUB_MESSAGE_OK) {
        return true;
    }
    const char *text = IoTHubMessage_GetString(message);
    *bytes = (const unsigned char *)text;
    *length = text == NULL ? 0 : strlen(text);
    return text != NULL;
}

IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SendEventAsync(client_handle handle, IOTHUB_MESSAGE_HANDLE message,
                                     IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK callback,
                                     void *context)
{
    const unsigned char *bytes = NULL;
    size_t length = 0;
    if (handle == NULL || message == NULL || !body_of(message, &bytes, &length)) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    char *properties = message_properties(message, handle->encode);
    if (properties == NULL || strlen(properties) + length > LARGEST_MESSAGE) {
        free(properties);
        return IOTHUB_CLIENT_ERROR;
    }
    struct outgoing *item = outgoing_add(&handle->queue, OUTGOING_TELEMETRY, bytes, length);
    if (item == NULL) {
        free(properties);
        return IOTHUB_CLIENT_ERROR;
    }
    item->properties = properties;
    item->confirmed = callback;
    item->context = context;
    return IOTHUB_CLIENT_OK;
}

IOTHUB_CLIENT_RESULT
IoTHubDeviceClient_LL_SendReportedState(client_handle handle, const unsigned char *reportedState,
                                        size_t size, IOTHUB_CLIENT_REPORTED_STATE_CALLBACK callback,
                                        void *context)
{
    if (handle == NULL || reportedState == NULL || size == 0) {
        return IOTHUB_CLIENT_INVALID_ARG;
    }
    struct outgoing *item =
        size > LARGEST_MESSAGE ? NULL
                               : outgoing_add(&handle->queue, OUTGOING_REPORT, reportedState, size);
    if (item == NULL) {
        return IOTHUB_CLIENT_ERROR;
    }
    item->reported = callback;
    item->context = context;
    return IOTHUB_CLIENT_OK;
}

static void tell_status(client_handle handle, IOTHUB_CLIENT_CONNECTION_STATUS status,
                        IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason)
{
    handle->authenticated = status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED;
    if (!handle->authenticated) {
        outgoing_unsend_all(&handle->queue);
    }
    if (handle->on_status != NULL) {
        handle->on_status(status, reason, handle->status_context);
    }
}

/** @return 0 or -EPROTO, as all functions that take a frame */
static int take_status(client_handle handle, struct wire_reader *payload)
{
    uint32_t status = wire_get_u32(payload);
    uint32_t reason = wire_get_u32(payload);
    if (!wire_complete(payload) || status > IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED ||
        reason > IOTHUB_CLIENT_CONNECTION_OK) {
        return -EPROTO;
    }
    tell_status(handle, (IOTHUB_CLIENT_CONNECTION_STATUS)status,
                (IOTHUB_CLIENT_CONNECTION_STATUS_REASON)reason);
    return 0;
}

static int take_telemetry_done(client_handle handle, struct wire_reader *payload)
{
    uint32_t id = wire_get_u32(payload);
    int32_t result = (int32_t)wire_get_u32(payload);
    if (!wire_complete(payload)) {
        return -EPROTO;
    }
    // What failed is sent again with the next connection, as the real client does.
    struct outgoing *item =
        result == 0 ? outgoing_take(&handle->queue, OUTGOING_TELEMETRY, id) : NULL;
    if (result == 0 && item == NULL) {
        return -EPROTO;
    }
    if (item != NULL && item->confirmed != NULL) {
        item->confirmed(IOTHUB_CLIENT_CONFIRMATION_OK, item->context);
    }
    outgoing_free(item);
    return 0;
}

static int take_report_done(client_handle handle, struct wire_reader *payload)
{
    uint32_t id = wire_get_u32(payload);
    uint32_t status = wire_get_u32(payload);
    struct outgoing *item =
        wire_complete(payload) ? outgoing_take(&handle->queue, OUTGOING_REPORT, id) : NULL;
    if (item == NULL || status > 999) {
        outgoing_free(item);
        return -EPROTO;
    }
    if (item->reported != NULL) {
        item->reported((int)status, item->context);
    }
    outgoing_free(item);
    return 0;
}

static int take_twin(client_handle handle, struct wire_reader *payload)
{
    uint32_t kind = wire_get_u32(payload);
    struct wire_span json = wire_get_rest(payload);
    if (payload->underflow || kind > DEVICE_TWIN_UPDATE_PARTIAL) {
        return -EPROTO;
    }
    if (handle->on_twin != NULL) {
        handle->on_twin((DEVICE_TWIN_UPDATE_STATE)kind, json.data, json.length,
                        handle->twin_context);
    }
    return 0;
}

static int take_message(client_handle handle, struct wire_reader *payload)
{
    struct wire_span properties = wire_get_text(payload);
    struct wire_span body = wire_get_rest(payload);
    if (payload->underflow) {
        return -EPROTO;
    }
    IOTHUB_MESSAGE_HANDLE message = message_from_wire(properties, body);
    if (message == NULL) {
        return -EPROTO;
    }
    if (handle->on_message != NULL) {
        handle->on_message(message, handle->message_context);
    }
    IoTHubMessage_Destroy(message);
    return 0;
}

static int send_method_answer(client_handle handle, uint32_t request, int status,
                              const unsigned char *json, size_t length)
{
    uint8_t head[8];
    struct wire_writer writer = { head, sizeof head, 0, false };
    wire_put_u32(&writer, request);
    wire_put_u32(&writer, (uint32_t)status);
    struct channel_frame frame = { FRAME_METHOD_DONE, head, sizeof head, json, length };
    return channel_send(handle->stream.fd, &frame);
}

static int take_method(client_handle handle, struct wire_reader *payload)
{
    uint32_t request = wire_get_u32(payload);
    struct wire_span name = wire_get_text(payload);
    struct wire_span arguments = wire_get_rest(payload);
    char *text = payload->underflow ? NULL : wire_copy_text(name);
    if (text == NULL) {
        return -EPROTO;
    }
    int result = 0;
    if (handle->on_method != NULL) {
        unsigned char *response = NULL;
        size_t length = 0;
        int status = handle->on_method(text, arguments.data, arguments.length, &response, &length,
                                       handle->method_context);
        // The real client drops an answer without a payload.
        if (response != NULL && length > 0) {
            result = send_method_answer(handle, request, status, response, length);
        }
        free(response);
    }
    free(text);
    return result;
}

static int take_frame(client_handle handle, struct channel_incoming *frame)
{
    switch (frame->kind) {
    case FRAME_HUB_STATUS:
        return take_status(handle, &frame->payload);
    case FRAME_TELEMETRY_DONE:
        return take_telemetry_done(handle, &frame->payload);
    case FRAME_REPORT_DONE:
        return take_report_done(handle, &frame->payload);
    case FRAME_TWIN:
        return take_twin(handle, &frame->payload);
    case FRAME_MESSAGE:
        return take_message(handle, &frame->payload);
    case FRAME_METHOD:
        return take_method(handle, &frame->payload);
    default:
        return -EPROTO;
    }
}

static int open_hub(client_handle handle)
{
    int fd = channel_open(CHANNEL_HUB);
    if (fd < 0) {
        return fd;
    }
    channel_stream_init(&handle->stream, fd);
    size_t capacity = 2 + strlen(handle->host) + 2 + strlen(handle->model_id);
    uint8_t *payload = malloc(capacity);
    if (payload == NULL) {
        return -ENOMEM;
    }
    struct wire_writer writer = { payload, capacity, 0, false };
    wire_put_text(&writer, handle->host);
    wire_put_text(&writer, handle->model_id);
    struct channel_frame frame = { FRAME_HUB_OPEN, payload, writer.length, NULL, 0 };
    int result = writer.overflow ? -EMSGSIZE : channel_request(fd, &frame, NULL);
    free(payload);
    return result > 0 ? -EPROTO : result;
}

/** Without the device's key the TLS handshake fails, which the client cannot tell from a dead
 * network. */
static int connect_if_needed(client_handle handle)
{
    if (handle->stream.fd >= 0) {
        return 0;
    }
    return handle->device_key ? open_hub(handle) : -ENOTCONN;
}

static int work(client_handle handle)
{
    int result = connect_if_needed(handle);
    for (int count = 0; result == 0 && count < FRAMES_A_TURN; count++) {
        struct channel_incoming frame;
        int got = channel_stream_next(&handle->stream, &frame);
        if (got == 0) {
            break;
        }
        result = got < 0 ? got : take_frame(handle, &frame);
    }
    if (result == 0 && handle->authenticated) {
        result = outgoing_send_all(&handle->queue, handle->stream.fd);
    }
    return result;
}

void IoTHubDeviceClient_LL_DoWork(client_handle handle)
{
    if (handle == NULL || handle->broken) {
        return;
    }
    if (work(handle) < 0) {
        handle->broken = true;
        channel_stream_close(&handle->stream);
        tell_status(handle, IOTHUB_CLIENT_CONNECTION_UNAUTHENTICATED,
                    IOTHUB_CLIENT_CONNECTION_NO_NETWORK);
    }
}
