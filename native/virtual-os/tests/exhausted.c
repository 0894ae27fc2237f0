/**
 * Calls the libraries as a program that goes on without memory: what is refused is left out, and
 * what was promised is checked. tests/native-runtime/scarcity.test.ts takes the memory away.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <applibs/eventloop.h>
#include <applibs/gpio.h>
#include <applibs/storage.h>
#include <applibs/sysevent.h>
#include <azure_prov_client/iothub_security_factory.h>
#include <azure_prov_client/prov_device_ll_client.h>
#include <azure_prov_client/prov_security_factory.h>
#include <azure_prov_client/prov_transport_mqtt_client.h>
#include <iothub_client_options.h>
#include <iothub_device_client_ll.h>
#include <iothubtransportmqtt.h>
#include <tlsutils/deviceauth.h>

#include "library_tests.h"

/** Three of them are more than a stream in memory begins with. */
#define LONG_VALUE 3000

static const struct timespec short_while = { 0, 2000000 };
static char long_value[LONG_VALUE + 1];

/** What the client owes, and what it has given. */
static struct {
    int messages_taken;
    int messages_confirmed;
    int reports_taken;
    int reports_answered;
    int methods;
    bool lost;
    bool registered;
} seen;

static void on_io(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    (void)events;
    (void)context;
    uint64_t value;
    CHECK(read(fd, &value, sizeof value) == (ssize_t)sizeof value);
    CHECK(EventLoop_Stop(el) == 0);
}

static void on_update(SysEvent_Events event, SysEvent_Status status, const SysEvent_Info *info,
                      void *context)
{
    (void)context;
    SysEvent_Info_UpdateData data;
    CHECK(SysEvent_Info_GetUpdateData(info, &data) == 0);
    CHECK(event == SysEvent_Events_UpdateReadyForInstall && status == SysEvent_Status_Pending);
    CHECK(data.max_deferral_time_in_minutes == 60 && data.update_type == SysEvent_UpdateType_App);
}

static void use_event_loop(void)
{
    EventLoop *el = EventLoop_Create();
    if (el == NULL) {
        return;
    }
    int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(fd >= 0);
    EventRegistration *updates =
        SysEvent_RegisterForEventNotifications(el, SysEvent_Events_Mask, on_update, NULL);
    EventRegistration *io = EventLoop_RegisterIo(el, fd, EventLoop_Input, on_io, NULL);
    CHECK(EventLoop_Run(el, 20, false) != EventLoop_Run_Failed);
    CHECK(EventLoop_UnregisterIo(el, io) == 0);
    // A subscription that had no memory for an event has ended by itself.
    if (updates != NULL) {
        SysEvent_UnregisterForEventNotifications(updates);
    }
    EventLoop_Close(el);
    close(fd);
}

static void use_files_and_pins(void)
{
    const char *path = DeviceAuth_GetCertificatePath();
    CHECK(path == NULL || strcmp(path, "/run/daa/tenant") == 0);
    char *inside = Storage_GetAbsolutePathInImagePackage("bin/app");
    CHECK(inside == NULL || strcmp(inside, "./bin/app") == 0);
    free(inside);
    CHECK(Storage_OpenFileInImagePackage("no-such-file") == -1);
    int file = Storage_OpenMutableFile();
    CHECK(file >= 0 && close(file) == 0);
    int pin = GPIO_OpenAsInput(12);
    CHECK(pin >= 0 && close(pin) == 0);
}

static bool has_all(IOTHUB_MESSAGE_HANDLE message)
{
    const char *one = IoTHubMessage_GetProperty(message, "one");
    const char *two = IoTHubMessage_GetProperty(message, "two");
    const char *type = IoTHubMessage_GetContentTypeSystemProperty(message);
    return one != NULL && two != NULL && type != NULL && strcmp(one, long_value) == 0 &&
           strcmp(two, long_value) == 0 && strcmp(type, long_value) == 0;
}

/** @return a message with all its properties, or NULL */
static IOTHUB_MESSAGE_HANDLE new_message(void)
{
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString("{\"t\":21}");
    bool whole = message != NULL &&
                 IoTHubMessage_SetProperty(message, "one", "first") == IOTHUB_MESSAGE_OK;
    if (whole && IoTHubMessage_SetProperty(message, "one", long_value) != IOTHUB_MESSAGE_OK) {
        CHECK(strcmp(IoTHubMessage_GetProperty(message, "one"), "first") == 0);
        whole = false;
    }
    whole = whole && IoTHubMessage_SetProperty(message, "two", long_value) == IOTHUB_MESSAGE_OK &&
            IoTHubMessage_SetContentTypeSystemProperty(message, long_value) == IOTHUB_MESSAGE_OK;
    IOTHUB_MESSAGE_HANDLE copy = whole ? IoTHubMessage_Clone(message) : NULL;
    CHECK(copy == NULL || has_all(copy));
    IoTHubMessage_Destroy(message);
    return copy;
}

static void on_confirmed(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    (void)result;
    (void)context;
    seen.messages_confirmed++;
}

static void on_reported(int status, void *context)
{
    (void)context;
    CHECK(status == 204);
    seen.reports_answered++;
}

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status,
                      IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    (void)reason;
    (void)context;
    seen.lost = status != IOTHUB_CLIENT_CONNECTION_AUTHENTICATED;
}

static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *payload, size_t size,
                    void *context)
{
    (void)context;
    CHECK(state == DEVICE_TWIN_UPDATE_PARTIAL && size == 7 && memcmp(payload, "{\"a\":1}", 7) == 0);
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    (void)context;
    CHECK(strcmp(IoTHubMessage_GetProperty(message, "urgency"), "very high") == 0);
    CHECK(strcmp(IoTHubMessage_GetMessageId(message), "m1") == 0);
    return IOTHUBMESSAGE_ACCEPTED;
}

static int on_method(const char *name, const unsigned char *payload, size_t size,
                     unsigned char **response, size_t *response_size, void *context)
{
    (void)payload;
    (void)context;
    CHECK(strcmp(name, "reboot") == 0 && size == 2);
    seen.methods++;
    *response = (unsigned char *)strdup("{}");
    *response_size = *response == NULL ? 0 : 2;
    return 200;
}

static void send_all(IOTHUB_DEVICE_CLIENT_LL_HANDLE client)
{
    static const unsigned char json[] = "{\"r\":1}";
    IOTHUB_MESSAGE_HANDLE message = new_message();
    if (message != NULL &&
        IoTHubDeviceClient_LL_SendEventAsync(client, message, on_confirmed, NULL) ==
            IOTHUB_CLIENT_OK) {
        seen.messages_taken++;
    }
    IoTHubMessage_Destroy(message);
    if (IoTHubDeviceClient_LL_SendReportedState(client, json, sizeof json - 1, on_reported, NULL) ==
        IOTHUB_CLIENT_OK) {
        seen.reports_taken++;
    }
}

/** @return whether all options are set */
static bool set_options(IOTHUB_DEVICE_CLIENT_LL_HANDLE client)
{
    static const int key = 1;
    static const bool encode = true;
    return IoTHubDeviceClient_LL_SetOption(client, "SetDeviceId", &key) == IOTHUB_CLIENT_OK &&
           IoTHubDeviceClient_LL_SetOption(client, OPTION_AUTO_URL_ENCODE_DECODE, &encode) ==
               IOTHUB_CLIENT_OK &&
           IoTHubDeviceClient_LL_SetOption(client, OPTION_MODEL_ID, "dtmi:x;1") == IOTHUB_CLIENT_OK;
}

static void use_hub(void)
{
    CHECK(iothub_security_init(IOTHUB_SECURITY_TYPE_X509) == 0);
    IOTHUB_DEVICE_CLIENT_LL_HANDLE client =
        IoTHubDeviceClient_LL_CreateWithAzureSphereFromDeviceAuth("hub.example", MQTT_Protocol);
    iothub_security_deinit();
    if (client == NULL) {
        return;
    }
    if (set_options(client)) {
        IoTHubDeviceClient_LL_SetConnectionStatusCallback(client, on_status, NULL);
        IoTHubDeviceClient_LL_SetDeviceTwinCallback(client, on_twin, NULL);
        IoTHubDeviceClient_LL_SetMessageCallback(client, on_message, NULL);
        IoTHubDeviceClient_LL_SetDeviceMethodCallback(client, on_method, NULL);
        send_all(client);
        for (int turn = 0; turn < 40 && !seen.lost; turn++) {
            IoTHubDeviceClient_LL_DoWork(client);
            nanosleep(&short_while, NULL);
        }
        send_all(client);
    }
    IoTHubDeviceClient_LL_Destroy(client);
    CHECK(seen.messages_confirmed == seen.messages_taken);
    CHECK(seen.reports_answered <= seen.reports_taken);
}

static void on_registered(PROV_DEVICE_RESULT result, const char *hub, const char *device,
                          void *context)
{
    (void)context;
    CHECK(result == PROV_DEVICE_RESULT_TRANSPORT ||
          (result == PROV_DEVICE_RESULT_OK && strcmp(hub, "hub.example") == 0 &&
           strcmp(device, "device") == 0));
    seen.registered = true;
}

static void use_provisioning(void)
{
    static const int key = 1;
    CHECK(prov_dev_security_init(SECURE_DEVICE_TYPE_X509) == 0);
    PROV_DEVICE_LL_HANDLE client =
        Prov_Device_LL_Create("dps.example", "0ne123", Prov_Device_MQTT_Protocol);
    if (client == NULL) {
        prov_dev_security_deinit();
        return;
    }
    CHECK(Prov_Device_LL_SetOption(client, "SetDeviceId", &key) == PROV_DEVICE_RESULT_OK);
    Prov_Device_LL_Set_Provisioning_Payload(client, "{\"modelId\":\"x\"}");
    CHECK(Prov_Device_LL_Register_Device(client, on_registered, NULL, NULL, NULL) ==
          PROV_DEVICE_RESULT_OK);
    for (int turn = 0; turn < 500 && !seen.registered; turn++) {
        Prov_Device_LL_DoWork(client);
        nanosleep(&short_while, NULL);
    }
    CHECK(seen.registered);
    Prov_Device_LL_Destroy(client);
    prov_dev_security_deinit();
}

void exhausted(void)
{
    memset(long_value, 'x', LONG_VALUE);
    use_event_loop();
    use_files_and_pins();
    use_hub();
    use_provisioning();
    printf("taken %d %d methods %d\n", seen.messages_taken, seen.reports_taken, seen.methods);
}
