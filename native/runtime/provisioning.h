/** Asks the Device Provisioning Service which hub the device belongs to. One request at a time. */
#ifndef SPHERULE_PROVISIONING_H
#define SPHERULE_PROVISIONING_H

#include <stdbool.h>

enum provisioning_result {
    PROVISIONING_DONE,
    PROVISIONING_FAILED,
    /** The service knows the device and does not want it. */
    PROVISIONING_DISABLED,
    PROVISIONING_UNAUTHORIZED,
};

/**
 * @param finished called once, from the event loop; `hub` is valid during the call only
 * @return 0, or -1 when it cannot be started
 */
int provisioning_start(const char *scope, const char *model_id,
                       void (*finished)(enum provisioning_result result, const char *hub));
void provisioning_stop(void);

#endif
