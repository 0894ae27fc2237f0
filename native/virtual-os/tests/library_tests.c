/**
 * Calls the libraries as an app does and prints what came back, one line a call: `name result
 * errno`. The argument names the scenario; tests/native-runtime plays the operating system, also a
 * hostile one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <applibs/application.h>
#include <applibs/eventloop.h>
#include <applibs/gpio.h>
#include <applibs/log.h>
#include <applibs/networking.h>
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

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void show(const char *name, long result)
{
    printf("%s %ld %d\n", name, result, result < 0 ? errno : 0);
    errno = 0;
}

static void pause_ms(long milliseconds)
{
    const struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

/* --- Every call once. */

static void call_status(void)
{
    bool ready = false;
    show("network", Networking_IsNetworkingReady(&ready) < 0 ? -1 : ready);
    show("device-auth", Application_IsDeviceAuthReady(&ready) < 0 ? -1 : ready);
    const char *path = DeviceAuth_GetCertificatePath();
    printf("certificate %s\n", path == NULL ? "none" : path);
    show("log", Log_Debug("a %s line\n", "formatted"));
}

static void call_gpio(void)
{
    int fd = GPIO_OpenAsOutput(8, GPIO_OutputMode_PushPull, GPIO_Value_High);
    show("open", fd < 0 ? -1 : 0);
    GPIO_Value_Type value = 7;
    show("get", GPIO_GetValue(fd, &value) < 0 ? -1 : value);
    show("set", GPIO_SetValue(fd, GPIO_Value_Low));
    if (fd >= 0) {
        show("close", close(fd));
    }
    show("closed", GPIO_GetValue(fd, &value));
}

static void call_storage(void)
{
    int fd = Storage_OpenMutableFile();
    show("mutable", fd < 0 ? -1 : 0);
    if (fd >= 0) {
        close(fd);
    }
    show("delete", Storage_DeleteMutableFile());
}

/** A file that the package has: read-only, and with its content. */
static void package_file(void)
{
    char text[16] = "";
    struct stat status = { 0 };
    int fd = Storage_OpenFileInImagePackage("data/words.txt");
    show("open", fd < 0 ? -1 : 0);
    CHECK(fd >= 0 && fstat(fd, &status) == 0);
    show("writable", (long)(status.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)));
    show("read", read(fd, text, sizeof text - 1));
    printf("text %s\n", text);
    close(fd);
    fd = Storage_OpenFileInImagePackage("app_manifest.json");
    show("manifest", fd < 0 ? -1 : 0);
    close(fd);
    show("other", Storage_OpenFileInImagePackage("data/other.txt"));
}

static void never(SysEvent_Events event, SysEvent_Status status, const SysEvent_Info *info,
                  void *context)
{
    (void)context;
    SysEvent_Info_UpdateData data = { 0, 0 };
    int result = SysEvent_Info_GetUpdateData(info, &data);
    printf("update %u %u %d %u %u\n", event, status, result, data.max_deferral_time_in_minutes,
           data.update_type);
}

static void call_sysevent(void)
{
    EventLoop *el = EventLoop_Create();
    CHECK(el != NULL);
    EventRegistration *reg =
        SysEvent_RegisterForEventNotifications(el, SysEvent_Events_Mask, never, NULL);
    show("subscribe", reg == NULL ? -1 : 0);
    show("run", EventLoop_Run(el, 200, false) < 0 ? -1 : 0);
    show("defer", SysEvent_DeferEvent(SysEvent_Events_UpdateReadyForInstall, 60));
    show("resume", SysEvent_ResumeEvent(SysEvent_Events_UpdateReadyForInstall));
    if (reg != NULL) {
        show("unsubscribe", SysEvent_UnregisterForEventNotifications(reg) < 0 ? -1 : 0);
    }
    EventLoop_Close(el);
}

static void calls(void)
{
    call_status();
    call_gpio();
    call_storage();
    call_sysevent();
}

/* --- Arguments that are wrong whatever the operating system says. */

static void arguments(void)
{
    show("log", Log_Debug((const char *)NULL));
    show("network", Networking_IsNetworkingReady(NULL));
    show("get", GPIO_GetValue(0, NULL));
    GPIO_Value_Type value = 0;
    show("get-stdin", GPIO_GetValue(0, &value));
    show("set-nothing", GPIO_SetValue(-1, 1));
    show("absolute", Storage_OpenFileInImagePackage("/etc/passwd"));
    show("dot", Storage_OpenFileInImagePackage("./bin/app"));
    show("parent", Storage_OpenFileInImagePackage("bin/../../x"));
    show("missing", Storage_OpenFileInImagePackage("no-such-file"));
    show("null", Storage_OpenFileInImagePackage(NULL));
    show("update", SysEvent_Info_GetUpdateData(NULL, NULL));
    show("unsubscribe", SysEvent_UnregisterForEventNotifications(NULL));
}

/* --- The event loop, which needs no operating system. */

struct counter {
    int calls;
    EventLoop_Run_Result recursive;
    int recursive_errno;
    bool stop;
    EventRegistration *remove;
};

static void count(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    struct counter *counter = context;
    uint64_t value;
    CHECK(events == EventLoop_Input);
    CHECK(read(fd, &value, sizeof value) == (ssize_t)sizeof value);
    counter->calls++;
    counter->recursive = EventLoop_Run(el, 0, true);
    counter->recursive_errno = errno;
    if (counter->remove != NULL) {
        CHECK(EventLoop_UnregisterIo(el, counter->remove) == 0);
        counter->remove = NULL;
    }
    if (counter->stop) {
        CHECK(EventLoop_Stop(el) == 0);
    }
}

static void signal_event(int fd)
{
    const uint64_t one = 1;
    CHECK(write(fd, &one, sizeof one) == (ssize_t)sizeof one);
}

static void *stop_later(void *context)
{
    pause_ms(50);
    EventLoop_Stop(context);
    return NULL;
}

static void check_arguments(EventLoop *el, int fd)
{
    CHECK(EventLoop_Run(NULL, 0, false) == EventLoop_Run_Failed && errno == EFAULT);
    CHECK(EventLoop_Stop(NULL) == -1 && errno == EFAULT);
    CHECK(EventLoop_RegisterIo(el, fd, 0x40, count, NULL) == NULL && errno == EINVAL);
    CHECK(EventLoop_RegisterIo(el, fd, EventLoop_Input, NULL, NULL) == NULL && errno == EFAULT);
    CHECK(EventLoop_RegisterIo(el, 1000, EventLoop_Input, count, NULL) == NULL && errno == EBADF);
    CHECK(EventLoop_UnregisterIo(NULL, NULL) == 0);
    CHECK(EventLoop_GetWaitDescriptor(el) >= 0);
}

static void check_turns(EventLoop *el, int first, int second, struct counter *a, struct counter *b)
{
    CHECK(EventLoop_Run(el, 0, false) == EventLoop_Run_FinishedEmpty);
    signal_event(first);
    signal_event(second);
    CHECK(EventLoop_Run(el, 0, false) == EventLoop_Run_Finished && a->calls + b->calls == 1);
    CHECK(a->recursive + b->recursive == EventLoop_Run_Failed);
    CHECK(a->recursive_errno + b->recursive_errno == EBUSY);
    CHECK(EventLoop_Run(el, -1, true) == EventLoop_Run_Finished && a->calls == 1 && b->calls == 1);
    CHECK(EventLoop_Run(el, 20, false) == EventLoop_Run_FinishedEmpty);
    // Stop in a callback ends the run, though more is ready.
    a->stop = true;
    b->stop = true;
    signal_event(first);
    signal_event(second);
    CHECK(EventLoop_Run(el, -1, false) == EventLoop_Run_Finished && a->calls + b->calls == 3);
    CHECK(EventLoop_Run(el, -1, false) == EventLoop_Run_Finished && a->calls + b->calls == 4);
    a->stop = false;
    b->stop = false;
}

static void eventloop(void)
{
    EventLoop *el = EventLoop_Create();
    int first = eventfd(0, EFD_NONBLOCK);
    int second = eventfd(0, EFD_NONBLOCK);
    CHECK(el != NULL && first >= 0 && second >= 0);
    struct counter a = { 0 };
    struct counter b = { 0 };
    EventRegistration *reg_a = EventLoop_RegisterIo(el, first, EventLoop_Input, count, &a);
    EventRegistration *reg_b = EventLoop_RegisterIo(el, second, EventLoop_Input, count, &b);
    CHECK(reg_a != NULL && reg_b != NULL);
    CHECK(EventLoop_RegisterIo(el, first, EventLoop_Input, count, &a) == NULL && errno == EEXIST);
    check_arguments(el, first);
    check_turns(el, first, second, &a, &b);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, stop_later, el) == 0);
    CHECK(EventLoop_Run(el, -1, false) == EventLoop_Run_FinishedEmpty);
    CHECK(pthread_join(thread, NULL) == 0);
    // What a callback unregisters is not called any more, though it is ready.
    a.remove = reg_b;
    signal_event(first);
    CHECK(EventLoop_Run(el, -1, true) == EventLoop_Run_Finished);
    signal_event(second);
    CHECK(EventLoop_Run(el, 20, false) == EventLoop_Run_FinishedEmpty && b.calls == 2);
    CHECK(EventLoop_ModifyIoEvents(el, reg_a, EventLoop_None) == 0);
    signal_event(first);
    CHECK(EventLoop_Run(el, 20, false) == EventLoop_Run_FinishedEmpty);
    EventLoop_Close(el);
    close(first);
    close(second);
    printf("eventloop ok\n");
}

/* --- A pin is a descriptor like others. */

static void on_pin(EventLoop *el, int fd, EventLoop_IoEvents events, void *context)
{
    (void)fd;
    *(EventLoop_IoEvents *)context = events;
    CHECK(EventLoop_Stop(el) == 0);
}

static void pin_in_loop(void)
{
    EventLoop *el = EventLoop_Create();
    int fd = GPIO_OpenAsInput(12);
    CHECK(el != NULL && fd >= 0);
    EventLoop_IoEvents seen = EventLoop_None;
    EventRegistration *reg = EventLoop_RegisterIo(el, fd, EventLoop_Input, on_pin, &seen);
    CHECK(reg != NULL);
    show("quiet", EventLoop_Run(el, 20, false));
    GPIO_Value_Type value = 0;
    show("get", GPIO_GetValue(fd, &value) < 0 ? -1 : value);
    // The system ends the connection now.
    show("set", GPIO_SetValue(fd, GPIO_Value_Low));
    show("ended", EventLoop_Run(el, 1000, false));
    printf("events %u\n", (unsigned)(seen & (EventLoop_Input | EventLoop_Error)));
    CHECK(EventLoop_UnregisterIo(el, reg) == 0);
    CHECK(close(fd) == 0);
    EventLoop_Close(el);
}

/* --- The quota of the mutable file: 64 bytes. */

static void quota(void)
{
    char bytes[100];
    memset(bytes, 'x', sizeof bytes);
    int fd = Storage_OpenMutableFile();
    CHECK(fd >= 0);
    show("write-64", write(fd, bytes, 64));
    show("write-1", write(fd, bytes, 1));
    show("pwrite-inside", pwrite(fd, bytes, 10, 54));
    show("pwrite-beyond", pwrite(fd, bytes, 10, 55));
    show("pwrite64-beyond", pwrite64(fd, bytes, 10, 55));
    const struct iovec parts[] = { { bytes, 10 }, { bytes, 60 } };
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    show("writev-70", writev(fd, parts, 2));
    show("writev-10", writev(fd, parts, 1));
    show("ftruncate-64", ftruncate(fd, 64));
    show("ftruncate-65", ftruncate(fd, 65));
    show("ftruncate64-65", ftruncate64(fd, 65));
    show("ftruncate-negative", ftruncate(fd, -1));
    show("length", lseek(fd, 0, SEEK_END));
    show("ftruncate-0", ftruncate(fd, 0));
    show("other-file", write(STDERR_FILENO, bytes, sizeof bytes));
    close(fd);
}

/* --- The IoT Hub client. */

static bool finished;

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status,
                      IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    (void)context;
    printf("status %d %d\n", (int)status, (int)reason);
    finished = status != IOTHUB_CLIENT_CONNECTION_AUTHENTICATED;
}

static void on_confirmed(IOTHUB_CLIENT_CONFIRMATION_RESULT result, void *context)
{
    printf("confirmed %s %d\n", (const char *)context, (int)result);
}

static void on_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *payload, size_t size,
                    void *context)
{
    (void)context;
    printf("twin %d %.*s\n", (int)state, (int)size, (const char *)payload);
}

static void on_reported(int status, void *context)
{
    (void)context;
    printf("reported %d\n", status);
}

static IOTHUBMESSAGE_DISPOSITION_RESULT on_message(IOTHUB_MESSAGE_HANDLE message, void *context)
{
    (void)context;
    const unsigned char *bytes = NULL;
    size_t size = 0;
    CHECK(IoTHubMessage_GetByteArray(message, &bytes, &size) == IOTHUB_MESSAGE_OK);
    const char *urgency = IoTHubMessage_GetProperty(message, "urgency");
    const char *id = IoTHubMessage_GetMessageId(message);
    printf("message %.*s %s %s\n", (int)size, (const char *)bytes, urgency == NULL ? "-" : urgency,
           id == NULL ? "-" : id);
    return IOTHUBMESSAGE_ACCEPTED;
}

static int on_method(const char *name, const unsigned char *payload, size_t size,
                     unsigned char **response, size_t *response_size, void *context)
{
    (void)context;
    printf("method %s %.*s\n", name, (int)size, (const char *)payload);
    *response = (unsigned char *)strdup("{\"done\":true}");
    *response_size = *response == NULL ? 0 : strlen((const char *)*response);
    return 200;
}

static void send_telemetry(IOTHUB_DEVICE_CLIENT_LL_HANDLE client, char *name)
{
    IOTHUB_MESSAGE_HANDLE message = IoTHubMessage_CreateFromString("{\"t\":21}");
    CHECK(message != NULL);
    CHECK(IoTHubMessage_SetProperty(message, "place", "a&b=\xc3\xbc") == IOTHUB_MESSAGE_OK);
    CHECK(IoTHubMessage_SetContentTypeSystemProperty(message, "application/json") ==
          IOTHUB_MESSAGE_OK);
    CHECK(IoTHubDeviceClient_LL_SendEventAsync(client, message, on_confirmed, name) ==
          IOTHUB_CLIENT_OK);
    IoTHubMessage_Destroy(message);
}

static void hub(void)
{
    static const int key = 1;
    static const bool encode = true;
    CHECK(IoTHubDeviceClient_LL_CreateWithAzureSphereFromDeviceAuth("hub", MQTT_Protocol) == NULL);
    CHECK(iothub_security_init(IOTHUB_SECURITY_TYPE_SAS) != 0);
    CHECK(iothub_security_init(IOTHUB_SECURITY_TYPE_X509) == 0);
    IOTHUB_DEVICE_CLIENT_LL_HANDLE client =
        IoTHubDeviceClient_LL_CreateWithAzureSphereFromDeviceAuth("hub.example", MQTT_Protocol);
    CHECK(client != NULL);
    CHECK(IoTHubDeviceClient_LL_SetOption(client, "nonsense", &key) == IOTHUB_CLIENT_INVALID_ARG);
    CHECK(IoTHubDeviceClient_LL_SetOption(client, "SetDeviceId", &key) == IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_LL_SetOption(client, OPTION_AUTO_URL_ENCODE_DECODE, &encode) ==
          IOTHUB_CLIENT_OK);
    CHECK(IoTHubDeviceClient_LL_SetOption(client, OPTION_MODEL_ID, "dtmi:x;1") == IOTHUB_CLIENT_OK);
    iothub_security_deinit();
    IoTHubDeviceClient_LL_SetConnectionStatusCallback(client, on_status, NULL);
    IoTHubDeviceClient_LL_SetDeviceTwinCallback(client, on_twin, NULL);
    IoTHubDeviceClient_LL_SetMessageCallback(client, on_message, NULL);
    IoTHubDeviceClient_LL_SetDeviceMethodCallback(client, on_method, NULL);
    char first[] = "first";
    send_telemetry(client, first);
    const unsigned char json[] = "{\"r\":1}";
    CHECK(IoTHubDeviceClient_LL_SendReportedState(client, json, sizeof json - 1, on_reported,
                                                  NULL) == IOTHUB_CLIENT_OK);
    for (int turn = 0; turn < 300 && !finished; turn++) {
        IoTHubDeviceClient_LL_DoWork(client);
        pause_ms(5);
    }
    char last[] = "last";
    send_telemetry(client, last);
    IoTHubDeviceClient_LL_Destroy(client);
    printf("destroyed\n");
}

static void on_registered(PROV_DEVICE_RESULT result, const char *hub_name, const char *device,
                          void *context)
{
    (void)context;
    printf("registered %d %s %s\n", (int)result, hub_name == NULL ? "-" : hub_name,
           device == NULL ? "-" : device);
    finished = true;
}

static void provisioning(void)
{
    static const int key = 1;
    CHECK(prov_dev_security_init(SECURE_DEVICE_TYPE_X509) == 0);
    PROV_DEVICE_LL_HANDLE client =
        Prov_Device_LL_Create("dps.example", "0ne123", Prov_Device_MQTT_Protocol);
    CHECK(client != NULL);
    CHECK(Prov_Device_LL_SetOption(client, "SetDeviceId", &key) == PROV_DEVICE_RESULT_OK);
    CHECK(Prov_Device_LL_Set_Provisioning_Payload(client, "{\"modelId\":\"x\"}") ==
          PROV_DEVICE_RESULT_OK);
    CHECK(Prov_Device_LL_Register_Device(client, on_registered, NULL, NULL, NULL) ==
          PROV_DEVICE_RESULT_OK);
    for (int turn = 0; turn < 300 && !finished; turn++) {
        Prov_Device_LL_DoWork(client);
        pause_ms(5);
    }
    Prov_Device_LL_Destroy(client);
    prov_dev_security_deinit();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } scenarios[] = {
        { "calls", calls },
        { "arguments", arguments },
        { "eventloop", eventloop },
        { "quota", quota },
        { "hub", hub },
        { "provisioning", provisioning },
        { "gpio", call_gpio },
        { "pin", pin_in_loop },
        { "status", call_status },
        { "storage", call_storage },
        { "package", package_file },
        { "sysevent", call_sysevent },
        { "exhausted", exhausted },
        { "versioned", versioned },
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t index = 0; argc == 2 && index < LENGTH(scenarios); index++) {
        if (strcmp(argv[1], scenarios[index].name) == 0) {
            scenarios[index].run();
            return 0;
        }
    }
    return 2;
}
