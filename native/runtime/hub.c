#define _GNU_SOURCE
#include "hub.h"

#include <errno.h>
#include <string.h>

#include <applibs/application.h>
#include <applibs/networking.h>
#include <azure_prov_client/iothub_security_factory.h>
#include <iothub_client_options.h>
#include <iothubtransportmqtt.h>

#include "provisioning.h"
#include "runtime.h"
#include "timers.h"

#define LONGEST_MODEL_ID 256u
/** How often it is asked whether network and certificate are there; nothing goes over the wire. */
#define READINESS_PERIOD_MS 1000
#define WORK_PERIOD_MS 100
/** A hub that was not reached is tried again after so long, as the SDK itself does: doubled up to
 * the second. */
#define FIRST_RETRY_MS 1000
#define LONGEST_RETRY_MS 30000
/** The provisioning service throttles, and is shared by all devices of an id scope. */
#define FIRST_PROVISIONING_RETRY_MS 10000
#define LONGEST_PROVISIONING_RETRY_MS 600000

static struct {
    bool open;
    bool authenticated;
    /** The connection was lost; its handle goes as soon as no callback of it runs. */
    bool lost;
    IOTHUB_CLIENT_CONNECTION_STATUS_REASON lost_reason;
    /** What the app was told last: it hears of a reason when it changes, not at every attempt. */
    int told_reason;
    const char *host;
    const char *scope;
    char model_id[LONGEST_MODEL_ID + 1];
    IOTHUB_DEVICE_CLIENT_LL_HANDLE client;
    int64_t retry_ms;
    /** Something was handed over while the client worked. */
    bool work_again;
    struct timer attempt_timer;
    struct timer work_timer;
} hub = { .told_reason = -1 };

static void attempt(void *context);
static void work(void *context);

static void try_again_in(int64_t delay_ms)
{
    timer_start(&hub.attempt_timer, delay_ms, 0);
}

/** After a failure that took somebody else's time, each wait is twice as long as the last. */
static void back_off(void)
{
    int64_t first = hub.scope == NULL ? FIRST_RETRY_MS : FIRST_PROVISIONING_RETRY_MS;
    int64_t longest = hub.scope == NULL ? LONGEST_RETRY_MS : LONGEST_PROVISIONING_RETRY_MS;
    if (hub.retry_ms == 0) {
        hub.retry_ms = first;
    }
    try_again_in(hub.retry_ms);
    hub.retry_ms = hub.retry_ms * 2 < longest ? hub.retry_ms * 2 : longest;
}

static void tell_disconnected(int reason)
{
    if (hub.told_reason == reason) {
        return;
    }
    hub.told_reason = reason;
    rt_event(RT_EVENT_CONNECTION, 1, reason);
}

static void destroy_client(void)
{
    timer_stop(&hub.work_timer);
    hub.authenticated = false;
    IOTHUB_DEVICE_CLIENT_LL_HANDLE client = hub.client;
    hub.client = NULL;
    // What was under way is confirmed as lost before this returns.
    IoTHubDeviceClient_LL_Destroy(client);
    hub_forget_reports();
}

static void on_status(IOTHUB_CLIENT_CONNECTION_STATUS status,
                      IOTHUB_CLIENT_CONNECTION_STATUS_REASON reason, void *context)
{
    (void)context;
    if (hub.lost) {
        return;
    }
    if (status == IOTHUB_CLIENT_CONNECTION_AUTHENTICATED) {
        hub.authenticated = true;
        hub.retry_ms = 0;
        hub.told_reason = -1;
        rt_event(RT_EVENT_CONNECTION, 0, IOTHUB_CLIENT_CONNECTION_OK);
        return;
    }
    // The client would try again with the certificate that it has; a new one gets the new
    // certificate.
    hub.authenticated = false;
    hub.lost = true;
    hub.lost_reason = reason;
}

static void work(void *context)
{
    (void)context;
    hub.work_again = false;
    IoTHubDeviceClient_LL_DoWork(hub.client);
    if (hub.lost) {
        hub.lost = false;
        destroy_client();
        tell_disconnected((int)hub.lost_reason);
        back_off();
    } else {
        timer_start(&hub.work_timer, hub.work_again ? 0 : WORK_PERIOD_MS, 0);
    }
}

static bool set_options(void)
{
    static const int use_device_key = 1;
    static const bool encode = true;
    IOTHUB_DEVICE_CLIENT_LL_HANDLE client = hub.client;
    return IoTHubDeviceClient_LL_SetOption(client, "SetDeviceId", &use_device_key) ==
               IOTHUB_CLIENT_OK &&
           IoTHubDeviceClient_LL_SetOption(client, OPTION_AUTO_URL_ENCODE_DECODE, &encode) ==
               IOTHUB_CLIENT_OK &&
           (hub.model_id[0] == '\0' ||
            IoTHubDeviceClient_LL_SetOption(client, OPTION_MODEL_ID, hub.model_id) ==
                IOTHUB_CLIENT_OK);
}

static void connect_to(const char *host)
{
    bool prepared = iothub_security_init(IOTHUB_SECURITY_TYPE_X509) == 0;
    if (prepared) {
        hub.client = IoTHubDeviceClient_LL_CreateWithAzureSphereFromDeviceAuth(host, MQTT_Protocol);
        prepared = hub.client != NULL && set_options();
        iothub_security_deinit();
    }
    if (!prepared) {
        rt_log_error("the client for %s cannot be made", host);
        IoTHubDeviceClient_LL_Destroy(hub.client);
        hub.client = NULL;
        tell_disconnected(IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR);
        back_off();
        return;
    }
    IoTHubDeviceClient_LL_SetConnectionStatusCallback(hub.client, on_status, NULL);
    hub_set_callbacks(hub.client);
    hub.work_timer.fire = work;
    timer_start(&hub.work_timer, 0, 0);
}

static void on_provisioned(enum provisioning_result result, const char *host)
{
    static const int reasons[] = {
        [PROVISIONING_FAILED] = IOTHUB_CLIENT_CONNECTION_NO_NETWORK,
        [PROVISIONING_DISABLED] = IOTHUB_CLIENT_CONNECTION_DEVICE_DISABLED,
        [PROVISIONING_UNAUTHORIZED] = IOTHUB_CLIENT_CONNECTION_BAD_CREDENTIAL,
    };
    if (result == PROVISIONING_DONE) {
        connect_to(host);
        return;
    }
    tell_disconnected(reasons[result]);
    back_off();
}

/** @return whether network and certificate are there; an app whose network cannot be asked for ends
 */
static bool is_ready(void)
{
    bool network = false;
    if (Networking_IsNetworkingReady(&network) < 0) {
        rt_log_error("the state of the network cannot be read: %s", strerror(errno));
        rt_end(RT_EXIT_NETWORK_STATE);
        return false;
    }
    bool certificate = false;
    return network && Application_IsDeviceAuthReady(&certificate) == 0 && certificate;
}

static void attempt(void *context)
{
    (void)context;
    RT_ASSERT(hub.client == NULL);
    if (!is_ready()) {
        tell_disconnected(IOTHUB_CLIENT_CONNECTION_NO_NETWORK);
        try_again_in(READINESS_PERIOD_MS);
    } else if (hub.scope == NULL) {
        connect_to(hub.host);
    } else if (provisioning_start(hub.scope, hub.model_id, on_provisioned) < 0) {
        tell_disconnected(IOTHUB_CLIENT_CONNECTION_COMMUNICATION_ERROR);
        back_off();
    }
}

/** A model id of DTDL has letters, digits and these; it stands in JSON as it is. */
static bool is_model_id(const char *text, size_t length)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_:;.";
    for (size_t index = 0; index < length; index++) {
        if (text[index] == '\0' || strchr(allowed, text[index]) == NULL) {
            return false;
        }
    }
    return length <= LONGEST_MODEL_ID;
}

int hub_open(const char *model_id, size_t length)
{
    if (hub.open) {
        return -EBUSY;
    }
    // As in the lab's other body: who names a scope wants the provisioning service.
    hub.scope = rt_argument_after("--ScopeID");
    hub.host = hub.scope == NULL ? rt_argument_after("--Hostname") : NULL;
    if ((hub.host == NULL && hub.scope == NULL) || !is_model_id(model_id, length)) {
        return -EINVAL;
    }
    if (length > 0) {
        memcpy(hub.model_id, model_id, length);
    }
    hub.open = true;
    hub.attempt_timer.fire = attempt;
    try_again_in(0);
    return 0;
}

IOTHUB_DEVICE_CLIENT_LL_HANDLE hub_client(void)
{
    return hub.authenticated ? hub.client : NULL;
}

int32_t hub_error(IOTHUB_CLIENT_RESULT result)
{
    switch (result) {
    case IOTHUB_CLIENT_INVALID_ARG:
        return -EINVAL;
    case IOTHUB_CLIENT_INVALID_SIZE:
        return -EMSGSIZE;
    default:
        return -EAGAIN;
    }
}

void hub_work_soon(void)
{
    hub.work_again = true;
    if (hub.client != NULL) {
        timer_start(&hub.work_timer, 0, 0);
    }
}

void hub_end(void)
{
    timer_stop(&hub.attempt_timer);
    provisioning_stop();
    if (hub.client != NULL) {
        // What the last event sent is still on its way.
        IoTHubDeviceClient_LL_DoWork(hub.client);
        destroy_client();
    }
}
