/**
 * All imports of assembly/sphere/host, as app_wasm.h declares those that an app uses: the compiler
 * compares the two wherever both are included.
 */
#ifndef SPHERULE_HOST_ABI_H
#define SPHERULE_HOST_ABI_H

#include <stdint.h>

void host_application_exit(int32_t code);
int32_t host_application_argument(int32_t index, int32_t buffer, int32_t capacity);

int32_t host_gpio_openOutput(int32_t pin, int32_t mode, int32_t value);
int32_t host_gpio_openInput(int32_t pin);
int32_t host_gpio_read(int32_t handle);
int32_t host_gpio_write(int32_t handle, int32_t value);
int32_t host_gpio_watch(int32_t handle, int32_t period_ms);
int32_t host_gpio_close(int32_t handle);

int32_t host_iothub_open(int32_t model_id, int32_t length);
int32_t host_iothub_send(int32_t id, int32_t body, int32_t body_length, int32_t properties,
                         int32_t properties_length);
int32_t host_iothub_messageBody(int32_t buffer, int32_t capacity);
int32_t host_iothub_messageProperties(int32_t buffer, int32_t capacity);
int32_t host_iothub_settleMessage(int32_t disposition);

int32_t host_log_write(int32_t level, int32_t text, int32_t length);

int32_t host_methods_name(int32_t buffer, int32_t capacity);
int32_t host_methods_payload(int32_t buffer, int32_t capacity);
int32_t host_methods_reply(int32_t status, int32_t json, int32_t length);

int32_t host_storage_capacity(void);
int32_t host_storage_read(int32_t offset, int32_t buffer, int32_t length);
int32_t host_storage_write(int32_t offset, int32_t buffer, int32_t length);
int32_t host_storage_erase(void);

int32_t host_sysevent_subscribe(int32_t mask);
int32_t host_sysevent_maxDeferralMinutes(void);
int32_t host_sysevent_updateType(void);
int32_t host_sysevent_defer(int32_t event, int32_t minutes);
int32_t host_sysevent_resume(int32_t event);

int64_t host_timers_now(void);
int64_t host_timers_monotonic(void);
int32_t host_timers_start(int32_t id, int32_t delay_ms, int32_t period_ms);
int32_t host_timers_stop(int32_t id);

int32_t host_twin_report(int32_t id, int32_t json, int32_t length);
int32_t host_twin_desired(int32_t buffer, int32_t capacity);

_Noreturn void host_env_abort(int32_t message, int32_t file, int32_t line, int32_t column);

#endif
