#define _GNU_SOURCE
#include <azure_prov_client/prov_device_ll_client.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "security.h"

#define LONGEST_SCOPE 32u

struct PROV_INSTANCE_INFO_TAG {
    char *endpoint;
    char *scope;
    char *payload;
    bool device_key;
    bool registering;
    struct channel_stream stream;
    PROV_DEVICE_CLIENT_REGISTER_DEVICE_CALLBACK done;
    void *context;
};

PROV_DEVICE_LL_HANDLE Prov_Device_LL_Create(const char *uri, const char *scope_id,
                                            PROV_DEVICE_TRANSPORT_PROVIDER_FUNCTION protocol)
{
    if (uri == NULL || scope_id == NULL || strlen(scope_id) > LONGEST_SCOPE || protocol == NULL ||
        !prov_security_is_x509()) {
        return NULL;
    }
    PROV_DEVICE_LL_HANDLE handle = calloc(1, sizeof *handle);
    if (handle == NULL) {
        return NULL;
    }
    channel_stream_init(&handle->stream, -1);
    handle->endpoint = strdup(uri);
    handle->scope = strdup(scope_id);
    handle->payload = strdup("");
    if (handle->endpoint == NULL || handle->scope == NULL || handle->payload == NULL) {
        Prov_Device_LL_Destroy(handle);
        return NULL;
    }
    return handle;
}

void Prov_Device_LL_Destroy(PROV_DEVICE_LL_HANDLE handle)
{
    if (handle == NULL) {
        return;
    }
    channel_stream_close(&handle->stream);
    free(handle->endpoint);
    free(handle->scope);
    free(handle->payload);
    free(handle);
}

PROV_DEVICE_RESULT Prov_Device_LL_SetOption(PROV_DEVICE_LL_HANDLE handle, const char *optionName,
                                            const void *value)
{
    if (handle == NULL || optionName == NULL || value == NULL ||
        strcmp(optionName, "SetDeviceId") != 0) {
        return PROV_DEVICE_RESULT_INVALID_ARG;
    }
    handle->device_key = *(const int *)value == 1;
    return PROV_DEVICE_RESULT_OK;
}

PROV_DEVICE_RESULT Prov_Device_LL_Set_Provisioning_Payload(PROV_DEVICE_LL_HANDLE handle,
                                                           const char *json)
{
    if (handle == NULL || json == NULL) {
        return PROV_DEVICE_RESULT_INVALID_ARG;
    }
    char *copy = strdup(json);
    if (copy == NULL) {
        return PROV_DEVICE_RESULT_MEMORY;
    }
    free(handle->payload);
    handle->payload = copy;
    return PROV_DEVICE_RESULT_OK;
}

PROV_DEVICE_RESULT Prov_Device_LL_Register_Device(
    PROV_DEVICE_LL_HANDLE handle, PROV_DEVICE_CLIENT_REGISTER_DEVICE_CALLBACK register_callback,
    void *user_context, PROV_DEVICE_CLIENT_REGISTER_STATUS_CALLBACK status_callback,
    void *status_context)
{
    // How far it is stays inside the operating system; the status callback is never needed.
    (void)status_callback;
    (void)status_context;
    if (handle == NULL || register_callback == NULL) {
        return PROV_DEVICE_RESULT_INVALID_ARG;
    }
    if (handle->registering) {
        return PROV_DEVICE_RESULT_INVALID_STATE;
    }
    handle->registering = true;
    handle->done = register_callback;
    handle->context = user_context;
    return PROV_DEVICE_RESULT_OK;
}

static int open_channel(PROV_DEVICE_LL_HANDLE handle)
{
    int fd = handle->device_key ? channel_open(CHANNEL_PROVISIONING) : -ENOTCONN;
    if (fd < 0) {
        return fd;
    }
    channel_stream_init(&handle->stream, fd);
    size_t capacity = 2 + strlen(handle->endpoint) + 2 + strlen(handle->scope);
    uint8_t *head = malloc(capacity);
    if (head == NULL) {
        return -ENOMEM;
    }
    struct wire_writer writer = { head, capacity, 0, false };
    wire_put_text(&writer, handle->endpoint);
    wire_put_text(&writer, handle->scope);
    struct channel_frame frame = { FRAME_PROV_REGISTER, head, writer.length,
                                   (const uint8_t *)handle->payload, strlen(handle->payload) };
    int result = writer.overflow ? -EMSGSIZE : channel_request(fd, &frame, NULL);
    free(head);
    return result > 0 ? -EPROTO : result;
}

static void finish(PROV_DEVICE_LL_HANDLE handle, PROV_DEVICE_RESULT result, const char *hub,
                   const char *device_id)
{
    handle->registering = false;
    channel_stream_close(&handle->stream);
    handle->done(result, hub, device_id, handle->context);
}

/** @return 1 when the registration is finished, 0 not yet, or a negative errno */
static int work(PROV_DEVICE_LL_HANDLE handle)
{
    int opened = handle->stream.fd >= 0 ? 0 : open_channel(handle);
    if (opened < 0) {
        return opened;
    }
    struct channel_incoming frame;
    int got = channel_stream_next(&handle->stream, &frame);
    if (got != 1) {
        return got;
    }
    uint32_t result = wire_get_u32(&frame.payload);
    char *hub = wire_copy_text(wire_get_text(&frame.payload));
    char *device_id = wire_copy_text(wire_get_text(&frame.payload));
    bool good = frame.kind == FRAME_PROV_DONE && wire_complete(&frame.payload) && hub != NULL &&
                device_id != NULL && result <= PROV_DEVICE_RESULT_DISABLED;
    if (good) {
        finish(handle, (PROV_DEVICE_RESULT)result, hub, device_id);
    }
    free(hub);
    free(device_id);
    return good ? 1 : -EPROTO;
}

void Prov_Device_LL_DoWork(PROV_DEVICE_LL_HANDLE handle)
{
    if (handle == NULL || !handle->registering) {
        return;
    }
    if (work(handle) < 0) {
        finish(handle, PROV_DEVICE_RESULT_TRANSPORT, NULL, NULL);
    }
}
