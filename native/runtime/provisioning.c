#define _GNU_SOURCE
#include "provisioning.h"

#include <stdio.h>
#include <string.h>

#include <azure_prov_client/prov_device_ll_client.h>
#include <azure_prov_client/prov_security_factory.h>
#include <azure_prov_client/prov_transport_mqtt_client.h>

#include "runtime.h"
#include "timers.h"

#define ENDPOINT "global.azure-devices-provisioning.net"
#define WORK_PERIOD_MS 25
#define TIMEOUT_MS 10000
#define LONGEST_HUB 512u

static PROV_DEVICE_LL_HANDLE client;
static struct timer work_timer;
static int64_t deadline_ms;
static bool answered;
static enum provisioning_result answer;
static char hub[LONGEST_HUB];
static void (*when_finished)(enum provisioning_result result, const char *hub);

static void on_registered(PROV_DEVICE_RESULT result, const char *uri, const char *device_id,
                          void *context)
{
    (void)device_id;
    (void)context;
    answered = true;
    answer = PROVISIONING_FAILED;
    if (result == PROV_DEVICE_RESULT_OK && uri != NULL && strlen(uri) < sizeof hub) {
        memcpy(hub, uri, strlen(uri) + 1);
        answer = PROVISIONING_DONE;
    } else if (result == PROV_DEVICE_RESULT_DISABLED) {
        answer = PROVISIONING_DISABLED;
    } else if (result == PROV_DEVICE_RESULT_UNAUTHORIZED) {
        answer = PROVISIONING_UNAUTHORIZED;
    }
}

void provisioning_stop(void)
{
    timer_stop(&work_timer);
    if (client != NULL) {
        Prov_Device_LL_Destroy(client);
        prov_dev_security_deinit();
        client = NULL;
    }
}

static void work(void *context)
{
    (void)context;
    Prov_Device_LL_DoWork(client);
    if (!answered && timers_monotonic_ms() < deadline_ms) {
        return;
    }
    enum provisioning_result result = answered ? answer : PROVISIONING_FAILED;
    provisioning_stop();
    when_finished(result, hub);
}

/** The model tells the service's allocation rules what kind of device asks. */
static bool prepare(const char *model_id)
{
    static const int use_device_key = 1;
    char payload[320] = "";
    int length = snprintf(payload, sizeof payload, "{\"modelId\":\"%s\"}", model_id);
    bool set =
        Prov_Device_LL_SetOption(client, "SetDeviceId", &use_device_key) == PROV_DEVICE_RESULT_OK;
    if (set && model_id[0] != '\0' && length > 0 && (size_t)length < sizeof payload) {
        set = Prov_Device_LL_Set_Provisioning_Payload(client, payload) == PROV_DEVICE_RESULT_OK;
    }
    return set && Prov_Device_LL_Register_Device(client, on_registered, NULL, NULL, NULL) ==
                      PROV_DEVICE_RESULT_OK;
}

int provisioning_start(const char *scope, const char *model_id,
                       void (*finished)(enum provisioning_result result, const char *hub))
{
    RT_ASSERT(client == NULL);
    if (prov_dev_security_init(SECURE_DEVICE_TYPE_X509) != 0) {
        return -1;
    }
    client = Prov_Device_LL_Create(ENDPOINT, scope, Prov_Device_MQTT_Protocol);
    if (client == NULL) {
        prov_dev_security_deinit();
        return -1;
    }
    answered = false;
    when_finished = finished;
    if (!prepare(model_id)) {
        provisioning_stop();
        return -1;
    }
    deadline_ms = timers_monotonic_ms() + TIMEOUT_MS;
    work_timer.fire = work;
    timer_start(&work_timer, WORK_PERIOD_MS, WORK_PERIOD_MS);
    return 0;
}
