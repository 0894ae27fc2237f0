#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "hub.h"
#include "properties.h"
#include "receive.h"
#include "runtime.h"

#define LARGEST_MESSAGE 262144

/** A telemetry message that the hub has not acknowledged yet. */
struct in_flight {
    int32_t id;
    bool used;
};

static struct in_flight in_flight[RT_MAX_IN_FLIGHT];
/** The message of the event that is being handled, or NULL. */
static IOTHUB_MESSAGE_HANDLE present;

static struct in_flight *free_slot(void)
{
    for (size_t index = 0; index < RT_MAX_IN_FLIGHT; index++) {
        if (!in_flight[index].used) {
            return &in_flight[index];
        }
    }
    return NULL;
}

static void on_confirmed(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    struct in_flight *slot = context;
    slot->used = false;
    rt_event(RT_EVENT_TELEMETRY, slot->id, result == IOTHUB_CLIENT_CONFIRMATION_OK ? 0 : -ENOTCONN);
}

IOTHUBMESSAGE_DISPOSITION_RESULT receive_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    (void)context;
    const unsigned char *bytes = NULL;
    size_t length = 0;
    if (IoTHubMessage_GetByteArray(message, &bytes, &length) != IOTHUB_MESSAGE_OK) {
        const char *text = IoTHubMessage_GetString(message);
        length = text == NULL ? 0 : strlen(text);
    }
    present = message;
    rt_event(RT_EVENT_MESSAGE, 0, (int32_t)length);
    present = NULL;
    return IOTHUBMESSAGE_ACCEPTED;
}

int32_t host_iothub_open(int32_t model_id, int32_t length)
{
    const char *text = rt_buffer(model_id, length);
    return text == NULL ? -EINVAL : hub_open(text, (size_t)length);
}

static int32_t hand_over(struct in_flight *slot, IOTHUB_MESSAGE_HANDLE message,
                         const char *properties, int32_t properties_length)
{
    int result = properties_set(message, properties, (size_t)properties_length);
    if (result < 0) {
        return result;
    }
    IOTHUB_CLIENT_RESULT sent =
        IoTHubDeviceClient_LL_SendEventAsync(hub_client(), message, on_confirmed, slot);
    if (sent != IOTHUB_CLIENT_OK) {
        return hub_error(sent);
    }
    slot->used = true;
    hub_work_soon();
    return 0;
}

int32_t host_iothub_send(int32_t id, int32_t body, int32_t body_length, int32_t properties,
                         int32_t properties_length)
{
    const uint8_t *bytes = rt_buffer(body, body_length);
    const char *text = rt_buffer(properties, properties_length);
    if (bytes == NULL || text == NULL) {
        return -EINVAL;
    }
    int problem = properties_check(text, (size_t)properties_length);
    if (problem != 0) {
        return problem;
    }
    // On its way a byte of the properties may become three.
    if ((int64_t)body_length + 3 * (int64_t)properties_length > LARGEST_MESSAGE) {
        return -EMSGSIZE;
    }
    if (hub_client() == NULL) {
        return -ENOTCONN;
    }
    struct in_flight *slot = free_slot();
    IOTHUB_MESSAGE_HANDLE message =
        slot == NULL ? NULL : IoTHubMessage_CreateFromByteArray(bytes, (size_t)body_length);
    if (message == NULL) {
        return -EAGAIN;
    }
    slot->id = id;
    int32_t result = hand_over(slot, message, text, properties_length);
    IoTHubMessage_Destroy(message);
    return result;
}

int32_t host_iothub_messageBody(int32_t buffer, int32_t capacity)
{
    const unsigned char *bytes = NULL;
    size_t length = 0;
    if (present == NULL) {
        return -ENOENT;
    }
    if (IoTHubMessage_GetByteArray(present, &bytes, &length) != IOTHUB_MESSAGE_OK) {
        const char *text = IoTHubMessage_GetString(present);
        return rt_give(text, text == NULL ? 0 : strlen(text), buffer, capacity);
    }
    return rt_give(bytes, length, buffer, capacity);
}

int32_t host_iothub_messageProperties(int32_t buffer, int32_t capacity)
{
    if (present == NULL) {
        return -ENOENT;
    }
    char *out = rt_buffer(buffer, capacity);
    if (out == NULL) {
        return -EINVAL;
    }
    return (int32_t)properties_get(present, out, (size_t)capacity);
}

int32_t host_iothub_settleMessage(int32_t disposition)
{
    if (present == NULL) {
        return -ENOENT;
    }
    // MQTT can only accept.
    return disposition == 0 ? 0 : -EINVAL;
}
