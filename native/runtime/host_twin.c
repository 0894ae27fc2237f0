#define _GNU_SOURCE
#include <errno.h>

#include "hub.h"
#include "receive.h"
#include "runtime.h"

#define LARGEST_REPORT 32768
#define MAX_REPORTS 32

struct report {
    int32_t id;
    bool used;
};

static struct report reports[MAX_REPORTS];
/** The JSON of the event that is being handled. */
static const unsigned char *present;
static size_t present_length;

void receive_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *payload, size_t size,
                  void *context)
{
    (void)context;
    present = payload;
    present_length = size;
    rt_event(RT_EVENT_DESIRED, state == DEVICE_TWIN_UPDATE_COMPLETE ? 0 : 1, (int32_t)size);
    present = NULL;
}

static void on_reported(int status_code, void *context)
{
    struct report *report = context;
    if (report->used) {
        report->used = false;
        rt_event(RT_EVENT_REPORTED, report->id, status_code);
    }
}

void hub_forget_reports(void)
{
    for (size_t index = 0; index < MAX_REPORTS; index++) {
        reports[index].used = false;
    }
}

static struct report *free_slot(void)
{
    for (size_t index = 0; index < MAX_REPORTS; index++) {
        if (!reports[index].used) {
            return &reports[index];
        }
    }
    return NULL;
}

int32_t host_twin_report(int32_t id, int32_t json, int32_t length)
{
    const unsigned char *bytes = rt_buffer(json, length);
    if (bytes == NULL || length == 0) {
        return -EINVAL;
    }
    if (length > LARGEST_REPORT) {
        return -EMSGSIZE;
    }
    if (hub_client() == NULL) {
        return -ENOTCONN;
    }
    struct report *report = free_slot();
    if (report == NULL) {
        return -EAGAIN;
    }
    IOTHUB_CLIENT_RESULT sent = IoTHubDeviceClient_LL_SendReportedState(
        hub_client(), bytes, (size_t)length, on_reported, report);
    if (sent != IOTHUB_CLIENT_OK) {
        return hub_error(sent);
    }
    *report = (struct report){ id, true };
    hub_work_soon();
    return 0;
}

int32_t host_twin_desired(int32_t buffer, int32_t capacity)
{
    return present == NULL ? -ENOENT : rt_give(present, present_length, buffer, capacity);
}
