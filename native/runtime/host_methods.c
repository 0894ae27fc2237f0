#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "receive.h"
#include "runtime.h"

#define LARGEST_ANSWER 131072
#define UNANSWERED 501

/** The method of the event that is being handled; `name` is NULL when there is none. */
static struct {
    const char *name;
    const unsigned char *payload;
    size_t size;
    bool answered;
    int status;
    unsigned char *response;
    size_t response_size;
} present;

/** A copy from malloc, which libazureiot frees; it drops empty answers, so those become JSON's
 * null. */
static bool set_response(const unsigned char *json, size_t length)
{
    const void *bytes = length > 0 ? (const void *)json : "null";
    size_t size = length > 0 ? length : 4;
    present.response = malloc(size);
    if (present.response == NULL) {
        return false;
    }
    memcpy(present.response, bytes, size);
    present.response_size = size;
    present.answered = true;
    return true;
}

int receive_method(const char *name, const unsigned char *payload, size_t size,
                   unsigned char **response, size_t *response_size, void *context)
{
    (void)context;
    memset(&present, 0, sizeof present);
    present.name = name;
    present.payload = payload;
    present.size = size;
    present.status = UNANSWERED;
    rt_event(RT_EVENT_METHOD, 0, (int32_t)size);
    present.name = NULL;
    if (!present.answered) {
        set_response(NULL, 0);
    }
    *response = present.response;
    *response_size = present.response_size;
    return present.status;
}

int32_t host_methods_name(int32_t buffer, int32_t capacity)
{
    return present.name == NULL ? -ENOENT
                                : rt_give(present.name, strlen(present.name), buffer, capacity);
}

int32_t host_methods_payload(int32_t buffer, int32_t capacity)
{
    return present.name == NULL ? -ENOENT
                                : rt_give(present.payload, present.size, buffer, capacity);
}

int32_t host_methods_reply(int32_t status, int32_t json, int32_t length)
{
    const unsigned char *bytes = rt_buffer(json, length);
    if (bytes == NULL) {
        return -EINVAL;
    }
    if (present.name == NULL || present.answered) {
        return -ENOENT;
    }
    if (length > LARGEST_ANSWER) {
        return -EMSGSIZE;
    }
    if (!set_response(bytes, (size_t)length)) {
        return -EAGAIN;
    }
    present.status = status;
    return 0;
}

void hub_set_callbacks(IOTHUB_DEVICE_CLIENT_LL_HANDLE client)
{
    IoTHubDeviceClient_LL_SetMessageCallback(client, receive_message, NULL);
    IoTHubDeviceClient_LL_SetDeviceTwinCallback(client, receive_twin, NULL);
    IoTHubDeviceClient_LL_SetDeviceMethodCallback(client, receive_method, NULL);
}
