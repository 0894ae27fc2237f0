/* `app CYCLES…` runs the app on a device of nothing: a timer, a hub that takes everything, 8 KiB of
 * storage. After each number of telemetry cycles it prints a sum over all that went out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app_wasm.h"

#define STORAGE_BYTES 8192
#define ENOENT_ANSWER (-2)

static uint32_t hash = 2166136261u;
static int64_t now = 1767225600000;
static int32_t timer;
static int32_t pending = -1;
static int32_t handles;
static int32_t stored;
static uint8_t storage[STORAGE_BYTES];

static void take(int32_t at, int32_t length) {
  const uint8_t *bytes = wasm_range((uint32_t)at, (uint32_t)length);
  if (bytes == NULL) exit(3);
  for (int32_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 16777619u;
}

_Noreturn void wasm_trap(uint32_t kind, uint32_t site) {
  fprintf(stderr, "trap %u at %u\n", (unsigned)kind, (unsigned)site);
  exit((int)kind);
}
_Noreturn void host_env_abort(int32_t message, int32_t file, int32_t line, int32_t column) {
  fprintf(stderr, "abort %d %d at %d:%d\n", (int)message, (int)file, (int)line, (int)column);
  exit(65);
}
int32_t host_gpio_openInput(int32_t pin) { (void)pin; return ++handles; }
int32_t host_gpio_openOutput(int32_t pin, int32_t mode, int32_t value) {
  (void)pin, (void)mode, (void)value;
  return ++handles;
}
int32_t host_gpio_watch(int32_t handle, int32_t period) { (void)handle, (void)period; return 0; }
int32_t host_gpio_write(int32_t handle, int32_t value) { (void)handle, (void)value; return 0; }
int32_t host_iothub_messageBody(int32_t at, int32_t room) { (void)at, (void)room; return ENOENT_ANSWER; }
int32_t host_iothub_messageProperties(int32_t at, int32_t room) { (void)at, (void)room; return ENOENT_ANSWER; }
int32_t host_iothub_open(int32_t model, int32_t length) { take(model, length); return 0; }
int32_t host_iothub_send(int32_t id, int32_t body, int32_t length, int32_t bag, int32_t bagLength) {
  pending = id;
  take(body, length);
  take(bag, bagLength);
  return 0;
}
int32_t host_log_write(int32_t level, int32_t text, int32_t length) { (void)level; take(text, length); return 0; }
int32_t host_methods_name(int32_t at, int32_t room) { (void)at, (void)room; return ENOENT_ANSWER; }
int32_t host_methods_payload(int32_t at, int32_t room) { (void)at, (void)room; return ENOENT_ANSWER; }
int32_t host_methods_reply(int32_t status, int32_t json, int32_t length) {
  (void)status, (void)json, (void)length;
  return 0;
}
int32_t host_storage_capacity(void) { return STORAGE_BYTES; }
int32_t host_storage_read(int32_t offset, int32_t at, int32_t length) {
  const int32_t left = stored > offset ? stored - offset : 0;
  const int32_t count = length < left ? length : left;
  if (count > 0) memcpy(wasm_range((uint32_t)at, (uint32_t)count), storage + offset, (size_t)count);
  return count;
}
int32_t host_storage_write(int32_t offset, int32_t at, int32_t length) {
  if (offset < 0 || offset + length > STORAGE_BYTES) return -28;
  memcpy(storage + offset, wasm_range((uint32_t)at, (uint32_t)length), (size_t)length);
  if (offset + length > stored) stored = offset + length;
  return length;
}
int32_t host_sysevent_subscribe(int32_t mask) { (void)mask; return 0; }
int32_t host_sysevent_maxDeferralMinutes(void) { return ENOENT_ANSWER; }
int32_t host_sysevent_updateType(void) { return ENOENT_ANSWER; }
int32_t host_sysevent_defer(int32_t event, int32_t minutes) { (void)event, (void)minutes; return ENOENT_ANSWER; }
int32_t host_sysevent_resume(int32_t event) { (void)event; return ENOENT_ANSWER; }
int64_t host_timers_now(void) { return now; }
int64_t host_timers_monotonic(void) { return now; }
int32_t host_timers_start(int32_t id, int32_t delay, int32_t period) {
  (void)delay;
  if (period > 0) timer = id;
  return 0;
}
int32_t host_timers_stop(int32_t id) { (void)id; return 0; }
int32_t host_twin_desired(int32_t at, int32_t room) { (void)at, (void)room; return ENOENT_ANSWER; }
int32_t host_twin_report(int32_t id, int32_t json, int32_t length) { (void)id; take(json, length); return 0; }

static void settle(void) {
  while (pending >= 0) {
    const int32_t id = pending;
    pending = -1;
    wasm_export_onEvent(3, id, 0);
    wasm_export_collect();
  }
}

int main(int argc, char **argv) {
  wasm_initialize();
  wasm_export_start();
  wasm_export_collect();
  wasm_export_onEvent(2, 0, 6);
  wasm_export_collect();
  settle();
  int cycle = 0;
  for (int i = 1; i < argc; i++) {
    for (; cycle < atoi(argv[i]); cycle++) {
      now += 5000;
      wasm_export_onTimer(timer);
      wasm_export_collect();
      settle();
    }
    printf("%u\n", (unsigned)hash);
  }
  return 0;
}
